/**
 * A release on its way over the mesh: a file of its full length in the state directory, into which pieces are
 * written as they come. Which of them are there is found by their hashes, so that whatever was cut off goes
 * on where it was; and what the executable that runs has at the same place does not travel at all.
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { equalBytes } from '../src/base/bytes.ts'
import {
  type Manifest,
  PIECE_BYTES,
  PIECE_HASH_SIZE,
  pieceCount,
  releaseRefused as refused,
} from '../src/box/executable-release.ts'
import type { PieceRun } from '../src/box/upgrade-report.ts'
import { attempt } from '../src/sys/file-store.ts'

/** What is handed over at once: a router holds it in memory. */
const RUN_MAX = 4
/** What nobody went on with for so long is given back to the disk. */
const KEPT_MS = 7 * 24 * 3_600_000
/** Left over for whatever else wants to be written meanwhile. */
const SPARE_BYTES = 8 * 1_024 * 1_024
const OWNER_FILE = 0o600

export interface Incoming {
  readonly manifest: Manifest
  /** As it was signed. */
  readonly head: Uint8Array
  /** Of each piece, one after the other. */
  readonly hashes: Uint8Array
}

export class IncomingRelease {
  private readonly path: string
  private readonly incoming: Incoming
  private readonly file: number

  /** Goes on with the file at `path` where it is of the same release. Throws RELEASE_REFUSED, STATE_UNWRITABLE. */
  constructor(path: string, incoming: Incoming) {
    const { head, manifest, hashes } = incoming
    if (hashes.length !== pieceCount(manifest.size) * PIECE_HASH_SIZE)
      throw refused('Its pieces are not listed')
    this.path = path
    this.incoming = incoming
    this.file = attempt('STATE_UNWRITABLE', path, () => openOrMake(path, head, manifest.size))
  }

  /** Looks what is there, and takes over what `current` has. Lets others work in between. */
  async missing(current: string, signal: AbortSignal): Promise<readonly PieceRun[]> {
    const { size } = this.incoming.manifest
    const runs: { first: number; count: number }[] = []
    const source = openIfThere(current)
    try {
      for (let index = 0; index < pieceCount(size); index++) {
        await new Promise(resolve => void setImmediate(resolve))
        signal.throwIfAborted()
        if (this.has(index) || (source !== null && this.takeFrom(source, index))) continue
        const last = runs.at(-1)
        const goesOn = last && last.first + last.count === index && last.count < RUN_MAX
        if (goesOn) last.count++
        else runs.push({ first: index, count: 1 })
      }
    } finally {
      if (source !== null) closeSync(source)
    }
    return runs
  }

  /** How many bytes a run has that begins there. Throws RELEASE_REFUSED. */
  mustBeRun(first: unknown, size: unknown): { readonly first: number; readonly size: number } {
    const pieces = pieceCount(this.incoming.manifest.size)
    const isPlace = Number.isInteger(first) && (first as number) >= 0 && (first as number) < pieces
    const isSize = Number.isInteger(size) && (size as number) > 0
    if (!isPlace || !isSize || (size as number) > RUN_MAX * PIECE_BYTES)
      throw refused('This is no piece of it')
    return { first: first as number, size: size as number }
  }

  /** Takes pieces, from this one on. Throws RELEASE_REFUSED where one is another than was listed. */
  put(first: number, bytes: Uint8Array): void {
    for (let at = 0, index = first; at < bytes.length; at += PIECE_BYTES, index++) {
      const piece = bytes.subarray(at, at + PIECE_BYTES)
      if (piece.length !== this.lengthOf(index) || !this.isPiece(index, piece))
        throw refused('A piece was changed on the way')
      this.write(index, piece)
    }
  }

  /** Brings all of it to the disk, and closes the file. Throws RELEASE_REFUSED where something is missing. */
  async complete(signal: AbortSignal): Promise<string> {
    if ((await this.missing('', signal)).length > 0) throw refused('It is not whole')
    attempt('STATE_UNWRITABLE', this.path, () => fsyncSync(this.file))
    return this.path
  }

  close(): void {
    closeSync(this.file)
  }

  private has(index: number): boolean {
    return this.isPiece(index, read(this.file, this.placeOf(index), this.lengthOf(index)))
  }

  private takeFrom(source: number, index: number): boolean {
    const piece = read(source, index * PIECE_BYTES, this.lengthOf(index))
    if (!this.isPiece(index, piece)) return false
    this.write(index, piece)
    return true
  }

  private write(index: number, piece: Uint8Array): void {
    attempt('STATE_UNWRITABLE', this.path, () => {
      for (let done = 0; done < piece.length; )
        done += writeSync(this.file, piece, done, piece.length - done, this.placeOf(index) + done)
    })
  }

  private isPiece(index: number, piece: Uint8Array): boolean {
    const from = index * PIECE_HASH_SIZE
    const wanted = this.incoming.hashes.subarray(from, from + PIECE_HASH_SIZE)
    return equalBytes(new Uint8Array(createHash('sha256').update(piece).digest()), wanted)
  }

  private lengthOf(index: number): number {
    return Math.max(0, Math.min(PIECE_BYTES, this.incoming.manifest.size - index * PIECE_BYTES))
  }

  private placeOf(index: number): number {
    return this.incoming.head.length + index * PIECE_BYTES
  }
}

/** Gives back what was left of a release that nobody went on with. */
export function forgetOldRelease(path: string, now: number): void {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat && now - stat.mtimeMs > KEPT_MS) rmSync(path, { force: true })
}

/** Throws RELEASE_REFUSED where there is no room for so many bytes more at `directory`. */
export function mustHaveRoom(directory: string, bytes: number): void {
  const { bavail, bsize } = attempt('STATE_UNREADABLE', directory, () => statfsSync(directory))
  const missing = bytes + SPARE_BYTES - bavail * bsize
  if (missing > 0)
    throw refused(`${Math.ceil(missing / 1_048_576)} MB more must be free at ${directory}`)
}

function openOrMake(path: string, head: Uint8Array, size: number): number {
  const old = openIfThere(path)
  if (old !== null) {
    const isSame = equalBytes(read(old, 0, head.length), head)
    const isWhole = fstatSync(old).size === head.length + size
    closeSync(old)
    if (isSame && isWhole) return openSync(path, 'r+')
    rmSync(path, { force: true })
  }
  mustHaveRoom(dirname(path), size)
  const file = openSync(path, 'wx+', OWNER_FILE)
  try {
    writeSync(file, head, 0, head.length, 0)
    ftruncateSync(file, head.length + size)
  } catch (error) {
    closeSync(file)
    throw error
  }
  return file
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}

function read(file: number, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, readSync(file, bytes, 0, length, from))
}
