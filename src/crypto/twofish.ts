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
const ROUND_WORDS = 40

/** The words of a block on their way through the cipher; nothing here outlives a call. */
const state = new Int32Array(4)
const stateBytes = new Uint8Array(state.buffer)

/** One key, ready for use. */
export class Twofish {
  readonly #round = new Int32Array(ROUND_WORDS)
  readonly #s0 = new Int32Array(256)
  readonly #s1 = new Int32Array(256)
  readonly #s2 = new Int32Array(256)
  readonly #s3 = new Int32Array(256)

  constructor(key: Uint8Array) {
    this.setKey(key)
  }

  /** Replaces the key. Overwrites every trace of the one before. */
  setKey(key: Uint8Array): void {
    if (key.length !== KEY_SIZE) throw new RangeError(`a key has 32 bytes, not ${key.length}`)
    this.#expandRoundWords(key)
    this.#expandTables(key)
  }

  /** Encrypts one block of 16 bytes. */
  encryptBlock(block: Uint8Array): Uint8Array {
    stateBytes.set(block)
    this.#encryptState()
    return stateBytes.slice()
  }

  /** CFB-128: writes `data`, encrypted, to `out`, which may be `data` itself. */
  encryptCfb(iv: Uint8Array, data: Uint8Array, out: Uint8Array): void {
    const words = asWords(data)
    const outWords = asWords(out)
    const count = (data.length >> 4) << 2
    stateBytes.set(iv)
    if (words && outWords) {
      for (let i = 0; i < count; i += 4) {
        this.#encryptState()
        outWords[i] = state[0]! ^= words[i]!
        outWords[i + 1] = state[1]! ^= words[i + 1]!
        outWords[i + 2] = state[2]! ^= words[i + 2]!
        outWords[i + 3] = state[3]! ^= words[i + 3]!
      }
    }
    for (let at = words && outWords ? count * 4 : 0; at < data.length; at += BLOCK_SIZE) {
      this.#encryptState()
      const end = Math.min(BLOCK_SIZE, data.length - at)
      for (let i = 0; i < end; i++) out[at + i] = stateBytes[i]! ^= data[at + i]!
    }
  }

  /** The reverse of `encryptCfb`. */
  decryptCfb(iv: Uint8Array, data: Uint8Array, out: Uint8Array): void {
    stateBytes.set(iv)
    for (let at = 0; at < data.length; at += BLOCK_SIZE) {
      this.#encryptState()
      const end = Math.min(BLOCK_SIZE, data.length - at)
      for (let i = 0; i < end; i++) {
        const byte = data[at + i]!
        out[at + i] = stateBytes[i]! ^ byte
        stateBytes[i] = byte
      }
    }
  }

  /** Section 4.3.2: the expanded key words K_0 to K_39. */
  #expandRoundWords(key: Uint8Array): void {
    for (let i = 0; i < ROUND_WORDS; i += 2) {
      const a = mix(key, 0, i)
      const b = rotateLeft(mix(key, 4, i + 1), 8)
      this.#round[i] = a + b
      this.#round[i + 1] = rotateLeft((a + 2 * b) | 0, 9)
    }
  }

  /** Section 4.3.4: the key-dependent S-boxes, each joined with its column of the MDS matrix. */
  #expandTables(key: Uint8Array): void {
    const s = sWords(key)
    const [m0, m1, m2, m3] = MDS_Q
    for (let x = 0; x < 256; x++) {
      const q0 = Q0[x]!
      const q1 = Q1[x]!
      this.#s0[x] = m0[Q0[Q0[Q1[q1 ^ s[0]!]! ^ s[4]!]! ^ s[8]!]! ^ s[12]!]!
      this.#s1[x] = m1[Q0[Q1[Q1[q0 ^ s[1]!]! ^ s[5]!]! ^ s[9]!]! ^ s[13]!]!
      this.#s2[x] = m2[Q1[Q0[Q0[q0 ^ s[2]!]! ^ s[6]!]! ^ s[10]!]! ^ s[14]!]!
      this.#s3[x] = m3[Q1[Q1[Q0[q1 ^ s[3]!]! ^ s[7]!]! ^ s[11]!]! ^ s[15]!]!
    }
  }

  /** Section 4: sixteen rounds over the words of `state`, two at a time. */
  #encryptState(): void {
    const k = this.#round
    const s0 = this.#s0
    const s1 = this.#s1
    const s2 = this.#s2
    const s3 = this.#s3
    let a = state[0]! ^ k[0]!
    let b = state[1]! ^ k[1]!
    let c = state[2]! ^ k[2]!
    let d = state[3]! ^ k[3]!
    for (let r = 8; r < ROUND_WORDS; r += 4) {
      let t1 = s1[b & 255]! ^ s2[(b >>> 8) & 255]! ^ s3[(b >>> 16) & 255]! ^ s0[b >>> 24]!
      let t0 = (s0[a & 255]! ^ s1[(a >>> 8) & 255]! ^ s2[(a >>> 16) & 255]! ^ s3[a >>> 24]!) + t1
      c = rotateLeft(c ^ (t0 + k[r]!), 31)
      d = rotateLeft(d, 1) ^ (t0 + t1 + k[r + 1]!)
      t1 = s1[d & 255]! ^ s2[(d >>> 8) & 255]! ^ s3[(d >>> 16) & 255]! ^ s0[d >>> 24]!
      t0 = (s0[c & 255]! ^ s1[(c >>> 8) & 255]! ^ s2[(c >>> 16) & 255]! ^ s3[c >>> 24]!) + t1
      a = rotateLeft(a ^ (t0 + k[r + 2]!), 31)
      b = rotateLeft(b, 1) ^ (t0 + t1 + k[r + 3]!)
    }
    state[0] = c ^ k[4]!
    state[1] = d ^ k[5]!
    state[2] = a ^ k[6]!
    state[3] = b ^ k[7]!
  }
}

/** A view of whole words where the bytes lie on a word boundary. */
const asWords = (bytes: Uint8Array): Int32Array | null =>
  bytes.byteOffset % 4 === 0
    ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    : null

const rotateLeft = (x: number, by: number): number => (x << by) | (x >>> (32 - by))

/** The function h of section 4.3.1 for the word whose four bytes are `x`; `odd` chooses M_e or M_o. */
function mix(key: Uint8Array, odd: 0 | 4, x: number): number {
  const at = (i: number) => key[i + odd]!
  const q0 = Q0[x]!
  const q1 = Q1[x]!
  const [m0, m1, m2, m3] = MDS_Q
  return (
    m0[Q0[Q0[Q1[q1 ^ at(24)]! ^ at(16)]! ^ at(8)]! ^ at(0)]! ^
    m1[Q0[Q1[Q1[q0 ^ at(25)]! ^ at(17)]! ^ at(9)]! ^ at(1)]! ^
    m2[Q1[Q0[Q0[q0 ^ at(26)]! ^ at(18)]! ^ at(10)]! ^ at(2)]! ^
    m3[Q1[Q1[Q0[q1 ^ at(27)]! ^ at(19)]! ^ at(11)]! ^ at(3)]!
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
