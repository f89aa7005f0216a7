/** The releases that this controller can bring: a file, or all files of a directory; the latest for each machine. */

import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import {
  compareVersions,
  HEAD_MAX,
  type Manifest,
  PIECE_BYTES,
  pieceCount,
  readReleaseHead,
} from '../../src/box/executable-release.ts'

const SUFFIX = '.release'

/** A release file, as far as it can be believed without a pinned key: devices look at the signature. */
export class ReleaseFile {
  readonly path: string
  readonly manifest: Manifest
  /** As it was signed. */
  readonly head: Uint8Array
  private listed: Promise<Uint8Array> | null = null

  /** Throws FILE_UNUSABLE, RELEASE_REFUSED. */
  constructor(path: string) {
    this.path = path
    const { manifest, size } = readReleaseHead(this.read(0, HEAD_MAX))
    this.manifest = manifest
    this.head = this.read(0, size)
    if (usable(path, () => statSync(path).size) !== size + manifest.size)
      throw new BoxError('RELEASE_REFUSED', `${path} is not whole.`)
  }

  /** The hashes of all pieces, one after the other. Fails with FILE_UNUSABLE. */
  hashes(): Promise<Uint8Array> {
    this.listed ??= this.hash()
    return this.listed
  }

  /** A hundred megabytes: in between, whoever else wants something has a turn. */
  private async hash(): Promise<Uint8Array> {
    const hashes: Uint8Array[] = []
    for (let index = 0; index < pieceCount(this.manifest.size); index++) {
      hashes.push(createHash('sha256').update(this.pieces(index, 1)).digest())
      await new Promise<void>(resolve => setImmediate(resolve))
    }
    return new Uint8Array(Buffer.concat(hashes))
  }

  /** Pieces one after the other. Throws FILE_UNUSABLE. */
  pieces(first: number, count: number): Uint8Array {
    const from = first * PIECE_BYTES
    const size = Math.min(count * PIECE_BYTES, this.manifest.size - from)
    return this.read(this.head.length + from, size)
  }

  private read(from: number, size: number): Uint8Array {
    return usable(this.path, () => {
      const file = openSync(this.path, 'r')
      try {
        const bytes = new Uint8Array(Math.max(0, Math.min(size, fstatSync(file).size - from)))
        return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from))
      } finally {
        closeSync(file)
      }
    })
  }
}

export type Releases = ReadonlyMap<string, ReleaseFile>

/** By machine. Throws FILE_UNUSABLE, RELEASE_REFUSED, INPUT_INVALID where there is none. */
export function releasesAt(path: string): Releases {
  const isDirectory = usable(path, () => statSync(path).isDirectory())
  if (!isDirectory) {
    const release = new ReleaseFile(path)
    return new Map([[release.manifest.machine, release]])
  }
  const names = usable(path, () => readdirSync(path)).filter(name => name.endsWith(SUFFIX))
  const latest = new Map<string, ReleaseFile>()
  for (const name of names.sort()) {
    const release = new ReleaseFile(join(path, name))
    const { machine, version } = release.manifest
    const other = latest.get(machine)
    if (!other || compareVersions(version, other.manifest.version) > 0) latest.set(machine, release)
  }
  if (latest.size > 0) return latest
  throw new BoxError('INPUT_INVALID', `There is no file *${SUFFIX} in ${path}: say --release.`)
}

function usable<T>(path: string, look: () => T): T {
  try {
    return look()
  } catch (cause) {
    if (cause instanceof BoxError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    throw new BoxError('FILE_UNUSABLE', `${path}: ${code ?? message}.`)
  }
}
