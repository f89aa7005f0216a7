/**
 * The cipher of symmetric.ts for messages of some length, where it takes most of the time of a transfer.
 *
 * Twofish runs as WebAssembly, one and a half times as fast as the JavaScript of twofish.ts: no look-up is
 * checked against the end of its table. AES runs in modes for which OpenSSL has better code than for CFB,
 * and which come to the same: to decrypt, all blocks of the ciphertext are encrypted side by side (ECB); to
 * encrypt, with P plain and F(i) = E(P(i) ^ F(i-1)), which is CBC, P(i) ^ F(i-1) is the ciphertext of CFB.
 */

import { createCipheriv } from 'node:crypto'
import { assemble, type Machine } from './assembly.ts'
import { plainBytes } from './hash.ts'
import type { Twofish } from './twofish.ts'
import {
  AT,
  MASK,
  MEMORY_SIZE,
  mix,
  STATE,
  twofishDecrypt,
  twofishEncrypt,
} from './twofish-code.ts'

/** Below this it does not pay, and whoever never sends more need not have it. */
export const LONG_MIN = 1_024
/** A message of GNUnet has 16 bits for its length. */
export const LONG_MAX = 65_535

const BLOCK_SIZE = 16
const NO_IV = new Uint8Array(BLOCK_SIZE)

/** The two keys of a message. */
export interface KeyPair {
  readonly aes: Uint8Array
  readonly twofish: Twofish
}

let machine: Machine | null | undefined

/** Encrypts `data` to the beginning of `out`. False: not here, there is no WebAssembly. */
export function encryptLong(
  keys: KeyPair,
  iv: Uint8Array,
  data: Uint8Array,
  out: Uint8Array,
): boolean {
  const ready = begin(keys, iv, data)
  if (!ready) return false
  const { memory, run } = ready
  // A block of E(iv) comes first if the one before it is zero: it masks the first block of data.
  const aes = createCipheriv('aes-256-cbc', keys.aes, NO_IV)
  memory.set(aes.update(beforeLast(memory, data.length)), MASK)
  run.encrypt!(AT, AT + data.length)
  out.set(memory.subarray(AT, AT + data.length))
  forget(memory, data.length)
  return true
}

/** The plaintext, or null: there is no WebAssembly. */
export function decryptLong(keys: KeyPair, iv: Uint8Array, data: Uint8Array): Uint8Array | null {
  const ready = begin(keys, iv, data)
  if (!ready) return null
  const { memory, run } = ready
  run.decrypt!(AT, AT + data.length)
  const aes = createCipheriv('aes-256-ecb', keys.aes, null)
  const mask = aes.update(beforeLast(memory, data.length))
  memory.set(mask, MASK)
  run.mix!(AT, AT + data.length)
  // The mask is as long as the plaintext or a little longer, and nobody else's.
  const plain = plainBytes(mask).subarray(0, data.length)
  plain.set(memory.subarray(AT, AT + data.length))
  forget(memory, data.length)
  return plain
}

/** Brings keys, vectors and data to where the routines find them. */
function begin({ twofish }: KeyPair, iv: Uint8Array, data: Uint8Array): Machine | null {
  // Where there is none, asking again would find none again.
  if (machine === undefined)
    machine = assemble([twofishEncrypt(), twofishDecrypt(), mix()], MEMORY_SIZE)
  if (!machine) return null
  const { memory } = machine
  twofish.copyTo(new Int32Array(memory.buffer, 0, STATE / 4))
  memory.set(iv.subarray(BLOCK_SIZE), STATE)
  memory.set(iv.subarray(0, BLOCK_SIZE), AT - BLOCK_SIZE)
  memory.set(data, AT)
  return machine
}

/** Overwrites keys, vectors, so many bytes of data and their mask. */
function forget(memory: Uint8Array, size: number): void {
  memory.fill(0, 0, AT + size)
  memory.fill(0, MASK, MASK + size + BLOCK_SIZE)
}

/** The vector of AES and, of so many bytes that are being worked on, all blocks but the last. */
const beforeLast = (memory: Uint8Array, size: number): Uint8Array =>
  memory.subarray(AT - BLOCK_SIZE, AT + Math.ceil(size / BLOCK_SIZE - 1) * BLOCK_SIZE)
