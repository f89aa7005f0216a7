/**
 * Twofish with 256-bit keys (Schneier et al., "Twofish: A 128-Bit Block Cipher", 1998), in cipher
 * feedback mode as GNUnet uses it (crypto_symmetric.c). OpenSSL has no Twofish.
 *
 * "Full keying" of the paper: a key makes four tables of 256 words, so that a round is eight look-ups.
 * Table look-ups take a time that depends on the data; a neighbour on the same processor could learn
 * from it. GNUnet encrypts with AES beneath, from OpenSSL, which does not have this weakness.
 */

import { MDS_Q, Q0, Q1, RS } from './twofish-tables.ts'

const KEY_SIZE = 32
const BLOCK_SIZE = 16
const KEY_WORDS = 40
const [M0, M1, M2, M3] = MDS_Q

/** The key's words begin behind the four tables: eight for whitening, then those of the rounds. */
export const WHITENING = 4 * 256
export const ROUND_KEYS = WHITENING + 8
export const TABLE_WORDS = WHITENING + KEY_WORDS

/** Data is worked on here, a few kilobytes at a time: they and the tables fit the processor's nearest cache. */
const work = new Int32Array(1_024)
const workBytes = new Uint8Array(work.buffer)
/** The block that is encrypted next; nothing here outlives a call. */
const state = new Int32Array(4)
const stateBytes = new Uint8Array(state.buffer)

/** One key, ready for use. */
export class Twofish {
  /** All of it in one array: the loops then need one pointer, and the processor's registers suffice. */
  readonly #table = new Int32Array(TABLE_WORDS)

  constructor(key: Uint8Array) {
    this.setKey(key)
  }

  /** Replaces the key. Overwrites every trace of the one before. */
  setKey(key: Uint8Array): void {
    if (key.length !== KEY_SIZE) throw new RangeError(`a key has 32 bytes, not ${key.length}`)
    expandWords(this.#table, key)
    expandTables(this.#table, key)
  }

  /** Writes all that was made of the key to `words`, which must have TABLE_WORDS: for twofish-code.ts. */
  copyTo(words: Int32Array): void {
    words.set(this.#table)
  }

  /** Encrypts one block of 16 bytes. */
  encryptBlock(block: Uint8Array): Uint8Array {
    const out = new Uint8Array(BLOCK_SIZE)
    this.encryptCfb(block, out, out)
    return out
  }

  /** CFB-128: writes `data`, encrypted, to `out`, which may be `data` itself. */
  encryptCfb(iv: Uint8Array, data: Uint8Array, out: Uint8Array): void {
    stateBytes.set(iv)
    inPieces(data, out, words => encryptWords(this.#table, words))
  }

  /** The reverse of `encryptCfb`. */
  decryptCfb(iv: Uint8Array, data: Uint8Array, out: Uint8Array): void {
    stateBytes.set(iv)
    inPieces(data, out, words => decryptWords(this.#table, words))
  }
}

/** Brings `data` piece by piece to `work`, where `run` changes so many words: whole pairs of blocks. */
function inPieces(data: Uint8Array, out: Uint8Array, run: (words: number) => void): void {
  for (let at = 0; at < data.length; at += workBytes.length) {
    const piece = data.subarray(at, at + workBytes.length)
    workBytes.set(piece)
    run(Math.ceil(piece.length / (2 * BLOCK_SIZE)) * 8)
    out.set(workBytes.subarray(0, piece.length), at)
  }
}

/** Encrypts the first words of `work`. Section 4: sixteen rounds a block, two at a time. */
function encryptWords(t: Int32Array, words: number): void {
  let [w = 0, x = 0, y = 0, z = 0] = state
  for (let i = 0; i < words; i += 4) {
    let a = w ^ t[WHITENING]!
    let b = x ^ t[WHITENING + 1]!
    let c = y ^ t[WHITENING + 2]!
    let d = z ^ t[WHITENING + 3]!
    for (let r = ROUND_KEYS; r < TABLE_WORDS; r += 4) {
      let g = second(t, b)
      let f = (first(t, a) + g) | 0
      c = rotateLeft(c ^ (f + t[r]!), 31)
      d = rotateLeft(d, 1) ^ (f + g + t[r + 1]!)
      g = second(t, d)
      f = (first(t, c) + g) | 0
      a = rotateLeft(a ^ (f + t[r + 2]!), 31)
      b = rotateLeft(b, 1) ^ (f + g + t[r + 3]!)
    }
    w = work[i]! ^ c ^ t[WHITENING + 4]!
    x = work[i + 1]! ^ d ^ t[WHITENING + 5]!
    y = work[i + 2]! ^ a ^ t[WHITENING + 6]!
    z = work[i + 3]! ^ b ^ t[WHITENING + 7]!
    work[i] = w
    work[i + 1] = x
    work[i + 2] = y
    work[i + 3] = z
  }
  state[0] = w
  state[1] = x
  state[2] = y
  state[3] = z
}

/**
 * Decrypts the first words of `work`. In this direction no block waits for the one before, so two are
 * worked on beside each other: the processor does both in little more time than one.
 */
function decryptWords(t: Int32Array, words: number): void {
  let [w = 0, x = 0, y = 0, z = 0] = state
  for (let i = 0; i < words; i += 8) {
    const [p, q, u, v] = [work[i]!, work[i + 1]!, work[i + 2]!, work[i + 3]!]
    let a = w ^ t[WHITENING]!
    let b = x ^ t[WHITENING + 1]!
    let c = y ^ t[WHITENING + 2]!
    let d = z ^ t[WHITENING + 3]!
    let A = p ^ t[WHITENING]!
    let B = q ^ t[WHITENING + 1]!
    let C = u ^ t[WHITENING + 2]!
    let D = v ^ t[WHITENING + 3]!
    for (let r = ROUND_KEYS; r < TABLE_WORDS; r += 4) {
      let g = second(t, b)
      let f = (first(t, a) + g) | 0
      let G = second(t, B)
      let F = (first(t, A) + G) | 0
      c = rotateLeft(c ^ (f + t[r]!), 31)
      C = rotateLeft(C ^ (F + t[r]!), 31)
      d = rotateLeft(d, 1) ^ (f + g + t[r + 1]!)
      D = rotateLeft(D, 1) ^ (F + G + t[r + 1]!)
      g = second(t, d)
      f = (first(t, c) + g) | 0
      G = second(t, D)
      F = (first(t, C) + G) | 0
      a = rotateLeft(a ^ (f + t[r + 2]!), 31)
      A = rotateLeft(A ^ (F + t[r + 2]!), 31)
      b = rotateLeft(b, 1) ^ (f + g + t[r + 3]!)
      B = rotateLeft(B, 1) ^ (F + G + t[r + 3]!)
    }
    w = work[i + 4]!
    x = work[i + 5]!
    y = work[i + 6]!
    z = work[i + 7]!
    work[i] = p ^ c ^ t[WHITENING + 4]!
    work[i + 1] = q ^ d ^ t[WHITENING + 5]!
    work[i + 2] = u ^ a ^ t[WHITENING + 6]!
    work[i + 3] = v ^ b ^ t[WHITENING + 7]!
    work[i + 4] = w ^ C ^ t[WHITENING + 4]!
    work[i + 5] = x ^ D ^ t[WHITENING + 5]!
    work[i + 6] = y ^ A ^ t[WHITENING + 6]!
    work[i + 7] = z ^ B ^ t[WHITENING + 7]!
  }
  state[0] = w
  state[1] = x
  state[2] = y
  state[3] = z
}

/** The function g of section 4.2. */
const first = (t: Int32Array, x: number): number =>
  t[x & 255]! ^ t[256 + ((x >>> 8) & 255)]! ^ t[512 + ((x >>> 16) & 255)]! ^ t[768 + (x >>> 24)]!

/** The same, of the word rotated left by 8. */
const second = (t: Int32Array, x: number): number =>
  t[256 + (x & 255)]! ^ t[512 + ((x >>> 8) & 255)]! ^ t[768 + ((x >>> 16) & 255)]! ^ t[x >>> 24]!

const rotateLeft = (x: number, by: number): number => (x << by) | (x >>> (32 - by))

/** Section 4.3.2: the expanded key words K_0 to K_39. */
function expandWords(t: Int32Array, key: Uint8Array): void {
  for (let i = 0; i < KEY_WORDS; i += 2) {
    const a = mix(key, 0, i)
    const b = rotateLeft(mix(key, 4, i + 1), 8)
    t[WHITENING + i] = a + b
    t[WHITENING + i + 1] = rotateLeft((a + 2 * b) | 0, 9)
  }
}

/** Section 4.3.4: the key-dependent S-boxes, each joined with its column of the MDS matrix. */
function expandTables(t: Int32Array, key: Uint8Array): void {
  const s = sWords(key)
  const [a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0] = s
  const [c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0] = s.subarray(8)
  for (let x = 0; x < 256; x++) {
    const q0 = Q0[x]!
    const q1 = Q1[x]!
    t[x] = M0[Q0[Q0[Q1[q1 ^ a0]! ^ b0]! ^ c0]! ^ d0]!
    t[x + 256] = M1[Q0[Q1[Q1[q0 ^ a1]! ^ b1]! ^ c1]! ^ d1]!
    t[x + 512] = M2[Q1[Q0[Q0[q0 ^ a2]! ^ b2]! ^ c2]! ^ d2]!
    t[x + 768] = M3[Q1[Q1[Q0[q1 ^ a3]! ^ b3]! ^ c3]! ^ d3]!
  }
}

/** The function h of section 4.3.1 for the word whose four bytes are `x`; `odd` chooses M_e or M_o. */
function mix(key: Uint8Array, odd: 0 | 4, x: number): number {
  const q0 = Q0[x]!
  const q1 = Q1[x]!
  return (
    M0[Q0[Q0[Q1[q1 ^ key[odd + 24]!]! ^ key[odd + 16]!]! ^ key[odd + 8]!]! ^ key[odd]!]! ^
    M1[Q0[Q1[Q1[q0 ^ key[odd + 25]!]! ^ key[odd + 17]!]! ^ key[odd + 9]!]! ^ key[odd + 1]!]! ^
    M2[Q1[Q0[Q0[q0 ^ key[odd + 26]!]! ^ key[odd + 18]!]! ^ key[odd + 10]!]! ^ key[odd + 2]!]! ^
    M3[Q1[Q1[Q0[q1 ^ key[odd + 27]!]! ^ key[odd + 19]!]! ^ key[odd + 11]!]! ^ key[odd + 3]!]!
  )
}

/** The words S_0 to S_3 of section 4.3, as bytes: each is the RS code of eight key bytes. */
function sWords(key: Uint8Array): Uint8Array {
  const s = new Uint8Array(16)
  for (let i = 0; i < KEY_SIZE; i++) {
    const word = (i >> 3) * 4
    const column = RS[i & 7]!
    const packed = column[key[i]!]!
    s[word]! ^= packed
    s[word + 1]! ^= packed >>> 8
    s[word + 2]! ^= packed >>> 16
    s[word + 3]! ^= packed >>> 24
  }
  return s
}
