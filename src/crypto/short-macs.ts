/**
 * HMAC (RFC 2104) of some dozens of bytes, as GNUnet's key derivations need them: the keys of one message of a
 * tunnel take fifteen. An object of OpenSSL costs more than such a hash itself; here both are WebAssembly.
 */

import { assemble, type Machine } from './assembly.ts'
import {
  compression,
  digestion,
  FREE_AT,
  SHA256,
  SHA512,
  type Sha2,
  sha2Constants,
} from './sha2-code.ts'

/** With more data OpenSSL is as fast. */
export const SHORT_MAX = 384
/** Keys that are longer would have to be hashed first. */
export const SHORT_KEY_MAX = 64

/** What the hash of a key gives, for the inner and the outer hash; a hash; blocks. */
const INNER_AT = FREE_AT
const OUTER_AT = INNER_AT + 64
const STATE_AT = OUTER_AT + 64
const BLOCKS_AT = STATE_AT + 64
const BLOCKS_SIZE = 512
const MEMORY_SIZE = BLOCKS_AT + BLOCKS_SIZE

/** The bytes of a key's padding, four at a time; and what changes the inner one into the outer. */
const INNER_PAD = 0x36363636
const INNER_TO_OUTER = 0x6a6a6a6a

/** Of so many, OpenSSL does the first: whoever has few connections need not have this. */
const FEW = 4_096
let uses = 0
let ready: { readonly sha256: Hmac; readonly sha512: Hmac } | null = null

/** Whether there have been enough of them to make ready for more. */
export function isReady(): boolean {
  if (uses > FEW) return ready !== null
  if (++uses > FEW) prepare()
  return false
}

/** Makes ready at once. False: there is no WebAssembly. */
export function prepare(): boolean {
  uses = FEW + 1
  if (ready) return true
  const routines = [SHA256, SHA512].flatMap(sha => [compression(sha), digestion(sha)])
  const machine = assemble(routines, MEMORY_SIZE)
  if (!machine) return false
  machine.memory.set(sha2Constants())
  ready = { sha256: new Hmac(machine, SHA256), sha512: new Hmac(machine, SHA512) }
  return true
}

/** The HMAC of all parts, at most SHORT_MAX together, with a key of at most SHORT_KEY_MAX. Only when ready. */
export function shortHmac(
  algorithm: 'sha256' | 'sha512',
  key: Uint8Array,
  parts: readonly Uint8Array[],
): Uint8Array {
  const hmac = ready![algorithm]
  hmac.put(key, 0)
  hmac.useKey(key.length)
  let size = 0
  for (const part of parts) size = hmac.put(part, size)
  hmac.authenticate(size)
  const mac = new Uint8Array(hmac.size)
  hmac.take(mac, 0)
  hmac.forget()
  return mac
}

/** RFC 5869 with SHA-512 to extract and SHA-256 to expand, as crypto/kdf.ts. Only when ready. */
export function shortHkdf(
  okm: Uint8Array,
  salt: Uint8Array,
  ikm: Uint8Array,
  info: Uint8Array,
): void {
  const { sha512: extract, sha256: expand } = ready!
  extract.put(salt, 0)
  extract.useKey(salt.length)
  extract.authenticate(extract.put(ikm, 0))
  // Each digest lies where the next step wants it: as the key, then before the information.
  expand.useKey(extract.size)
  for (let at = 0, step = 1, before = 0; at < okm.length; at += expand.size, step++) {
    const size = expand.put(info, before)
    expand.putByte(step, size)
    expand.authenticate(size + 1)
    expand.take(okm, at)
    before = expand.size
  }
  expand.forget()
}

/** HMAC with one of the hashes; data and results lie at BLOCKS. */
class Hmac {
  readonly size: number
  private readonly blockSize: number
  private readonly startAt: number
  private readonly memory: Uint8Array
  private readonly words: Int32Array
  private readonly compress: (from: number, to: number, block: number) => void
  private readonly digest: (from: number, to: number) => void

  constructor({ memory, run }: Machine, { name, blockSize, digestSize, startAt }: Sha2) {
    this.size = digestSize
    this.blockSize = blockSize
    this.startAt = startAt
    this.memory = memory
    this.words = new Int32Array(memory.buffer, BLOCKS_AT, blockSize / 4)
    this.compress = run[name]!
    this.digest = run[`${name}Digest`]!
  }

  /** Returns where the part ends. */
  put(part: Uint8Array, at: number): number {
    this.memory.set(part, BLOCKS_AT + at)
    return at + part.length
  }

  putByte(byte: number, at: number): void {
    this.memory[BLOCKS_AT + at] = byte
  }

  /** Hashes both paddings of the key of `size` bytes: what comes then begins there. */
  useKey(size: number): void {
    const { words, startAt } = this
    this.memory.fill(0, BLOCKS_AT + size, BLOCKS_AT + this.blockSize)
    for (let i = 0; i < words.length; i++) words[i]! ^= INNER_PAD
    this.compress(startAt, INNER_AT, BLOCKS_AT)
    for (let i = 0; i < words.length; i++) words[i]! ^= INNER_TO_OUTER
    this.compress(startAt, OUTER_AT, BLOCKS_AT)
  }

  /** Puts the MAC of the first `size` bytes in their place. */
  authenticate(size: number): void {
    this.finish(INNER_AT, size)
    this.finish(OUTER_AT, this.size)
  }

  /** Copies what there is room for. */
  take(target: Uint8Array, at: number): void {
    const count = Math.min(this.size, target.length - at)
    for (let i = 0; i < count; i++) target[at + i] = this.memory[BLOCKS_AT + i]!
  }

  /** Overwrites what is left of keys. */
  forget(): void {
    this.memory.fill(0, INNER_AT, MEMORY_SIZE)
  }

  /** Hashes `size` bytes behind the padding of a key, and leaves the digest in their place. */
  private finish(keyAt: number, size: number): void {
    const { memory, blockSize } = this
    // FIPS 180-4, section 5.1: a bit, zeros, and the length, of which two bytes are enough here.
    const end = BLOCKS_AT + Math.ceil((size + 1 + blockSize / 8) / blockSize) * blockSize
    memory.fill(0, BLOCKS_AT + size, end)
    memory[BLOCKS_AT + size] = 0x80
    const bits = (blockSize + size) * 8
    memory[end - 2] = bits >> 8
    memory[end - 1] = bits
    let hash = keyAt
    for (let at = BLOCKS_AT; at < end; at += blockSize) {
      this.compress(hash, STATE_AT, at)
      hash = STATE_AT
    }
    this.digest(STATE_AT, BLOCKS_AT)
  }
}
