/**
 * Argon2id (RFC 9106) as GNS uses it for proofs of work: 3 passes over 1 MiB, 64 bytes out (RFC 9498 section 4.1,
 * crypto_pow.c). In plain JavaScript, which whoever verifies has to wait for: some 10 to 25 ms on a PC.
 */

import { createRequire } from 'node:module'

const PASSES = 3
const MEMORY_KIB = 1_024
const HASH_SIZE = 64
const VERSION = 0x13
const SALT = new TextEncoder().encode('GnsRevocationPow')

const require = createRequire(import.meta.url)
type Argon2 = typeof import('@noble/hashes/argon2.js')

/** The hash of one try; loaded when it is first needed. */
export function workHash(tried: Uint8Array): Uint8Array {
  const { argon2id } = require('@noble/hashes/argon2.js') as Argon2
  const options = { t: PASSES, m: MEMORY_KIB, p: 1, dkLen: HASH_SIZE, version: VERSION }
  return argon2id(tried, SALT, options)
}
