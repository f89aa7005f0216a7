/** Ed25519 signatures (RFC 8032): peers and EDKEY zones. GNUnet's are standard ones, seeds and all. */

import { type KeyObject, sign, verify } from 'node:crypto'
import { plainBytes } from './hash.ts'
import { privateKeyObject, publicBytes, publicKeyObject } from './key-objects.ts'

export const SIGNATURE_SIZE = 64

/** The private half of a key pair, ready to sign. */
export class SigningKey {
  /** The 32 bytes everything comes from. A secret. */
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
  readonly #key: KeyObject

  private constructor(seed: Uint8Array, key: KeyObject) {
    this.seed = seed
    this.#key = key
    this.publicKey = publicBytes(key)
  }

  /** The key of a 32-byte seed, which is copied. */
  static fromSeed(seed: Uint8Array): SigningKey {
    return new SigningKey(seed.slice(), privateKeyObject('Ed25519', seed))
  }

  /** 64 bytes. The same message always gives the same signature. */
  sign(message: Uint8Array): Uint8Array {
    return plainBytes(sign(null, message, this.#key))
  }
}

/** Whether `signature` over `message` is by `publicKey`. Bytes that are no key or no signature: false. */
export function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== 32 || signature.length !== SIGNATURE_SIZE) return false
  try {
    return verify(null, message, publicKeyObject('Ed25519', publicKey), signature)
  } catch {
    return false // OpenSSL refuses the key; so do we.
  }
}
