/** Hashes and message authentication codes, of parts that need not be joined first. */

import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto'
import { hmacShort } from './short-hmac.ts'

/** A Buffer as the plain bytes it is: `slice` then copies, as everywhere else. */
export const plainBytes = (buffer: Uint8Array): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)

/** SHA-256 of all parts, one after the other; 32 bytes. */
export const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => digest('sha256', parts)

/** SHA-512 of all parts, one after the other; 64 bytes. */
export const sha512 = (...parts: readonly Uint8Array[]): Uint8Array => digest('sha512', parts)

/** HMAC-SHA256 (RFC 2104) of all parts; 32 bytes. */
export const hmacSha256 = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array =>
  authenticate('sha256', key, parts)

/** HMAC-SHA512 (RFC 2104) of all parts; 64 bytes. */
export const hmacSha512 = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array =>
  authenticate('sha512', key, parts)

/** A SHA-256 of what comes piece by piece. */
export interface RunningHash {
  add(piece: Uint8Array): void
  /** Of all that was added; nothing can be added afterwards. */
  end(): Uint8Array
}

export function runningSha256(): RunningHash {
  const hashing = createHash('sha256')
  return { add: piece => void hashing.update(piece), end: () => plainBytes(hashing.digest()) }
}

/** Whether two secrets are the same, in a time that depends on their length only. */
export const equalSecrets = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b)

type Algorithm = 'sha256' | 'sha512'

function digest(algorithm: Algorithm, parts: readonly Uint8Array[]): Uint8Array {
  // The one-shot call takes half the time of a hash object, and one part is the common case.
  if (parts.length === 1) return plainBytes(hash(algorithm, parts[0]!, 'buffer'))
  const hashing = createHash(algorithm)
  for (const part of parts) hashing.update(part)
  return plainBytes(hashing.digest())
}

function authenticate(
  algorithm: Algorithm,
  key: Uint8Array,
  parts: readonly Uint8Array[],
): Uint8Array {
  const short = hmacShort(algorithm, key, parts)
  if (short) return short
  const hmac = createHmac(algorithm, key)
  for (const part of parts) hmac.update(part)
  return plainBytes(hmac.digest())
}
