/**
 * GNUnet's key derivation: RFC 5869 with two different hashes, SHA-512 to extract and SHA-256 to
 * expand (crypto_hkdf.c, crypto_kdf.c). Old CORE, CADET and GNS derive all their keys with it.
 */

import { concat } from '../base/bytes.ts'
import { hmacSha256, hmacSha512 } from './hash.ts'
import { hkdfShort } from './short-hmac.ts'

/** HMAC-SHA256 gives so many bytes a step. */
const BLOCK = 32
/** RFC 5869 section 2.3: the counter of the steps is one byte. */
const STEPS_MAX = 255

const encoder = new TextEncoder()

/**
 * Derives `length` bytes from `ikm`. The context parts are joined without separators; a text stands
 * for its UTF-8 bytes, without a NUL unless it is written.
 */
export function hkdf(
  length: number,
  salt: Uint8Array,
  ikm: Uint8Array,
  ...context: readonly (Uint8Array | string)[]
): Uint8Array {
  if (length > STEPS_MAX * BLOCK) throw new RangeError(`HKDF cannot give ${length} bytes`)
  const parts = context.map(part => (typeof part === 'string' ? encoder.encode(part) : part))
  const short = hkdfShort(length, salt, ikm, parts)
  if (short) return short
  const prk = hmacSha512(salt, ikm)
  const info = concat(...parts)
  const okm = new Uint8Array(Math.ceil(length / BLOCK) * BLOCK)
  let last = new Uint8Array(0)
  for (let step = 1; (step - 1) * BLOCK < length; step++) {
    last = hmacSha256(prk, last, info, Uint8Array.of(step)) as Uint8Array<ArrayBuffer>
    okm.set(last, (step - 1) * BLOCK)
  }
  return okm.subarray(0, length)
}
