/**
 * The cipher of GNUnet's old CORE and of CADET: AES-256-CFB, then Twofish-256-CFB over the result
 * (crypto_symmetric.c). It neither pads nor authenticates: a MAC must be checked before.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { hkdf } from './kdf.ts'
import { decryptLong, encryptLong, LONG_MAX, LONG_MIN } from './long-messages.ts'
import { Twofish } from './twofish.ts'

export const SYMMETRIC_KEY_SIZE = 64
export const SYMMETRIC_IV_SIZE = 32

const AES_KEY_SIZE = 32
const AES_IV_SIZE = 16
const AES = 'aes-256-cfb'

/** A session key: 32 bytes for AES, 32 for Twofish. */
export class SymmetricKey {
  readonly #keys: { readonly aes: Uint8Array; readonly twofish: Twofish }

  constructor(key: Uint8Array) {
    if (key.length !== SYMMETRIC_KEY_SIZE)
      throw new RangeError(`64 bytes wanted, not ${key.length}`)
    this.#keys = {
      aes: key.slice(0, AES_KEY_SIZE),
      twofish: new Twofish(key.subarray(AES_KEY_SIZE)),
    }
  }

  /** The ciphertext, as long as `data`. */
  encrypt(iv: Uint8Array, data: Uint8Array): Uint8Array {
    const out = new Uint8Array(data.length)
    this.encryptInto(iv, data, out)
    return out
  }

  /** The plaintext, as long as `data`. */
  decrypt(iv: Uint8Array, data: Uint8Array): Uint8Array {
    const plain = isLong(data) ? decryptLong(this.#keys, iv, data) : null
    if (plain) return plain
    const { aes: key, twofish } = this.#keys
    const out = new Uint8Array(data.length)
    twofish.decryptCfb(iv.subarray(AES_IV_SIZE), data, out)
    const aes = createDecipheriv(AES, key, iv.subarray(0, AES_IV_SIZE))
    out.set(aes.update(out))
    return out
  }

  /** Encrypts `data` to the beginning of `out`, which must have room for it and may be `data` itself. */
  encryptInto(iv: Uint8Array, data: Uint8Array, out: Uint8Array): void {
    if (isLong(data) && encryptLong(this.#keys, iv, data, out)) return
    const { aes: key, twofish } = this.#keys
    const aes = createCipheriv(AES, key, iv.subarray(0, AES_IV_SIZE))
    twofish.encryptCfb(iv.subarray(AES_IV_SIZE), aes.update(data), out)
  }
}

const isLong = ({ length }: Uint8Array): boolean => length >= LONG_MIN && length <= LONG_MAX

/** `GNUNET_CRYPTO_symmetric_derive_iv`: 16 bytes for each of the two ciphers. */
export function deriveIv(
  key: Uint8Array,
  salt: Uint8Array,
  ...context: readonly (Uint8Array | string)[]
): Uint8Array {
  const iv = new Uint8Array(SYMMETRIC_IV_SIZE)
  iv.set(hkdf(AES_IV_SIZE, salted(salt, 'AES!'), key.subarray(0, AES_KEY_SIZE), ...context))
  const fish = hkdf(AES_IV_SIZE, salted(salt, 'FISH'), key.subarray(AES_KEY_SIZE), ...context)
  iv.set(fish, AES_IV_SIZE)
  return iv
}

/** The salt with the four letters that keep the two ciphers apart, without a NUL. */
function salted(salt: Uint8Array, letters: 'AES!' | 'FISH'): Uint8Array {
  const whole = new Uint8Array(salt.length + letters.length)
  whole.set(salt)
  for (let i = 0; i < letters.length; i++) whole[salt.length + i] = letters.charCodeAt(i)
  return whole
}
