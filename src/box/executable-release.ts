/**
 * The head of a release of the executable: what it is, and the signature of that by a key that was pinned
 * before. A release file is the head, then the executable.
 *
 *     {"format":1,"version":"1.2.3","machine":"linux-x64","size":…,"sha256":"…"} LF
 *     hexadecimal Ed25519 signature of the line above, with what it is for before it LF
 *
 * Over the mesh the executable travels in pieces, of which a device takes only those that it lacks.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type SigningKey, verifySignature } from '../crypto/signing.ts'

export interface Manifest {
  readonly format: 1
  readonly version: string
  /** Of Node: `linux-x64`. */
  readonly machine: string
  readonly size: number
  /** In hexadecimal. */
  readonly sha256: string
}

/** A head that a pinned key may or may not have signed. */
export interface ReleaseHead {
  readonly manifest: Manifest
  /** Where the executable begins. */
  readonly size: number
}

export const HEAD_MAX = 1_024
/** Large enough to travel well, small enough that one changed byte costs little. */
export const PIECE_BYTES = 256 * 1_024
export const PIECE_HASH_SIZE = 32
/** An executable is some hundred megabytes; nothing of ours will be five times that. */
export const EXECUTABLE_BYTES_MAX = 512 * 1_024 * 1_024

const PURPOSE = 'secushare-box release\n'
const VERSION = /^\d{1,6}\.\d{1,6}\.\d{1,6}$/
const SIGNATURE_DIGITS = 128
const LF = 0x0a

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const pieceCount = (size: number): number => Math.ceil(size / PIECE_BYTES)

/** Signs. */
export function releaseHead(manifest: Manifest, key: SigningKey): Uint8Array {
  const line = JSON.stringify(manifest)
  const signature = key.sign(signedBytes(encoder.encode(line)))
  const digits = Array.from(signature, byte => byte.toString(16).padStart(2, '0')).join('')
  return encoder.encode(`${line}\n${digits}\n`)
}

const signedBytes = (line: Uint8Array): Uint8Array => concat(encoder.encode(PURPOSE), line)

/** The head at the beginning of these bytes, if one of the keys has signed it. Throws RELEASE_REFUSED. */
export function openReleaseHead(bytes: Uint8Array, keys: readonly Uint8Array[]): ReleaseHead {
  const { line, signature, size } = splitHead(bytes)
  if (!keys.some(key => verifySignature(key, signedBytes(line), signature)))
    throw releaseRefused(keys.length > 0 ? 'No pinned key has signed it' : 'No key is pinned')
  return { manifest: manifestOf(decoder.decode(line)), size }
}

/** The same for whoever only hands it on: nobody has looked at the signature. Throws RELEASE_REFUSED. */
export function readReleaseHead(bytes: Uint8Array): ReleaseHead {
  const { line, size } = splitHead(bytes)
  return { manifest: manifestOf(decoder.decode(line)), size }
}

function splitHead(bytes: Uint8Array) {
  const head = bytes.subarray(0, HEAD_MAX)
  const end = head.indexOf(LF)
  const size = end < 0 ? -1 : end + 1 + SIGNATURE_DIGITS + 1
  const digits = decoder.decode(head.subarray(end + 1, size - 1))
  const isWhole = size > 0 && head.length >= size && head[size - 1] === LF
  if (!isWhole || !/^[0-9a-f]+$/.test(digits)) throw releaseRefused('It is of another kind')
  const signature = new Uint8Array(SIGNATURE_DIGITS / 2)
  for (let i = 0; i < signature.length; i++)
    signature[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return { line: head.subarray(0, end), signature, size }
}

/** What a signed line says: also a pinned key may have signed something else. */
function manifestOf(line: string): Manifest {
  let said: Partial<Manifest> | null
  try {
    said = JSON.parse(line)
  } catch {
    throw releaseRefused('It is of another kind')
  }
  const { format, version, machine, size, sha256 } = said ?? {}
  const isWhole = format === 1 && typeof version === 'string' && VERSION.test(version)
  const isSized = Number.isSafeInteger(size) && size! >= 0 && size! <= EXECUTABLE_BYTES_MAX
  if (!isWhole || !isSized || typeof machine !== 'string' || typeof sha256 !== 'string')
    throw releaseRefused('It is of another kind')
  return { format, version, machine, size: size!, sha256 }
}

export const releaseRefused = (why: string): BoxError => new BoxError('RELEASE_REFUSED', `${why}.`)

/** Below 0 where `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map(version => version.split('.').map(Number)) as [number[], number[]]
  for (let i = 0; i < 3; i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return 0
}

/** Throws RELEASE_REFUSED where this machine at this version does not take it. */
export function mustSuit(
  { version, machine }: Manifest,
  here: { readonly version: string; readonly machine: string; readonly downgrade: boolean },
): void {
  if (machine !== here.machine)
    throw releaseRefused(`It is for ${machine}, and this is ${here.machine}`)
  if (version === here.version) throw releaseRefused(`${version} is the current version`)
  if (compareVersions(version, here.version) < 0 && !here.downgrade)
    throw releaseRefused(`${version} is older than ${here.version}: say --downgrade if you mean it`)
}
