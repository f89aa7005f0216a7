/** A key from a passphrase (scrypt, RFC 7914): trying one costs time and memory, so that few can be tried. */

import { scryptSync } from 'node:crypto'
import { plainBytes } from './hash.ts'

/** RFC 7914 section 2: with these, the memory is 1 KiB times N. */
const BLOCK_SIZE = 8
const PARALLEL = 1
const MEMORY_PER_N = 128 * BLOCK_SIZE
/** Node counts a little more than the algorithm. */
const MEMORY_REST = 2 ** 20

/** 32 bytes; N is two to the power of `costLog2`, 17 being 128 MiB and half a second. */
export function passphraseKey(passphrase: string, salt: Uint8Array, costLog2: number): Uint8Array {
  // The same text, however it was typed.
  const text = passphrase.normalize('NFC')
  const N = 2 ** costLog2
  const maxmem = N * MEMORY_PER_N + MEMORY_REST
  return plainBytes(scryptSync(text, salt, 32, { N, r: BLOCK_SIZE, p: PARALLEL, maxmem }))
}
