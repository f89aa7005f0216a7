/**
 * A release of the executable, as one file: what it is, the signature of that by a key that was pinned
 * before, and the executable.
 *
 *     {"format":1,"version":"1.2.3","machine":"linux-x64","size":…,"sha256":"…"} LF
 *     hexadecimal Ed25519 signature of the line above, with what it is for before it LF
 *     the executable
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { BoxError } from '../src/base/errors.ts'
import { type SigningKey, verifySignature } from '../src/crypto/signing.ts'

/** Set by deploy/script.ts in builds for others; in hexadecimal. */
declare const RELEASE_KEY: string | undefined

export interface Manifest {
  readonly format: 1
  readonly version: string
  readonly machine: string
  readonly size: number
  readonly sha256: string
}

/** Whoever builds for themselves pins their own key here: 64 hexadecimal digits, a line each. */
export const OWN_KEYS_FILE = '/etc/secushare-box/release-keys'

const PURPOSE = 'secushare-box release\n'
const HEAD_MAX = 1_024
const CHUNK = 1024 * 1024
const VERSION = /^\d{1,6}\.\d{1,6}\.\d{1,6}$/

/** The keys whose releases are taken: that of the build, and those of the machine's owner. */
export function pinnedKeys(file = OWN_KEYS_FILE): readonly Uint8Array[] {
  let own = ''
  try {
    own = readFileSync(file, 'utf8')
  } catch {
    // The owner pins none.
  }
  const built = typeof RELEASE_KEY === 'undefined' ? '' : RELEASE_KEY
  return `${built}\n${own}`
    .split('\n')
    .map(line => line.trim())
    .filter(line => /^[0-9a-f]{64}$/i.test(line))
    .map(line => Uint8Array.from(Buffer.from(line, 'hex')))
}

/** The head of a release file. */
export function releaseHead(manifest: Manifest, key: SigningKey): Uint8Array {
  const line = JSON.stringify(manifest)
  const signature = Buffer.from(key.sign(signedBytes(line))).toString('hex')
  return new TextEncoder().encode(`${line}\n${signature}\n`)
}

const signedBytes = (line: string) => new TextEncoder().encode(PURPOSE + line)

/** A release file, opened and found to be signed. */
export interface Release {
  readonly manifest: Manifest
  /**
   * Writes the executable to `path` and brings it to the disk. Throws RELEASE_REFUSED where it is not the
   * one that was signed.
   */
  unpack(path: string): void
  close(): void
}

/** Opens a release file. Throws STATE_UNREADABLE, RELEASE_REFUSED. */
export function openRelease(path: string, keys: readonly Uint8Array[]): Release {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `${path}: ${(cause as NodeJS.ErrnoException).code}.`)
  }
  try {
    const head = Buffer.alloc(HEAD_MAX)
    const text = head.toString('latin1', 0, readSync(file, head, 0, HEAD_MAX, 0))
    const [line = '', signature = ''] = text.split('\n')
    const bytes = Uint8Array.from(Buffer.from(signature, 'hex'))
    if (!keys.some(key => verifySignature(key, signedBytes(line), bytes)))
      throw refused(keys.length > 0 ? 'No pinned key has signed it' : 'No key is pinned')
    const manifest = manifestOf(line)
    const start = line.length + signature.length + 2
    return {
      manifest,
      unpack: to => unpack(file, start, manifest, to),
      close: () => closeSync(file),
    }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

/** What a signed line says: also a pinned key may have signed something else. */
function manifestOf(line: string): Manifest {
  let said: Partial<Manifest> | null
  try {
    said = JSON.parse(line)
  } catch {
    throw refused('It is of another kind')
  }
  const { format, version, machine, size, sha256 } = said ?? {}
  const isWhole = format === 1 && typeof version === 'string' && VERSION.test(version)
  if (!isWhole || typeof machine !== 'string' || !Number.isSafeInteger(size))
    throw refused('It is of another kind')
  if (typeof sha256 !== 'string') throw refused('It is of another kind')
  return { format, version, machine, size: size!, sha256 }
}

function unpack(file: number, start: number, { size, sha256 }: Manifest, path: string): void {
  if (fstatSync(file).size !== start + size) throw refused('It is not whole')
  const hash = createHash('sha256')
  const out = openSync(path, 'wx', 0o755)
  try {
    const chunk = Buffer.alloc(CHUNK)
    for (let at = 0; at < size; ) {
      const got = readSync(file, chunk, 0, Math.min(CHUNK, size - at), start + at)
      if (got === 0) throw refused('It is not whole')
      hash.update(chunk.subarray(0, got))
      for (let written = 0; written < got; )
        written += writeSync(out, chunk, written, got - written)
      at += got
    }
    fsyncSync(out)
  } finally {
    closeSync(out)
  }
  if (hash.digest('hex') !== sha256) throw refused('It was changed on the way')
}

const refused = (why: string) => new BoxError('RELEASE_REFUSED', `${why}.`)

/** Below 0 where `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map(version => version.split('.').map(Number)) as [number[], number[]]
  for (let i = 0; i < 3; i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return 0
}
