/** ChaCha20-Poly1305 (RFC 8439), for protocols that are ours alone. */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { plainBytes } from './hash.ts'

const ALGORITHM = 'chacha20-poly1305'
export const AEAD_TAG_SIZE = 16

/** Encrypts; the tag follows the ciphertext. A nonce must never be used twice with a key. */
export function sealAead(
  key: Uint8Array,
  nonce: Uint8Array,
  plain: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: AEAD_TAG_SIZE })
  cipher.setAAD(aad, { plaintextLength: plain.length })
  const sealed = new Uint8Array(plain.length + AEAD_TAG_SIZE)
  sealed.set(cipher.update(plain))
  cipher.final()
  sealed.set(cipher.getAuthTag(), plain.length)
  return sealed
}

/** The plaintext, or null where key, nonce, aad or bytes are not those that were sealed. */
export function openAead(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array,
): Uint8Array | null {
  const size = sealed.length - AEAD_TAG_SIZE
  if (size < 0) return null
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: AEAD_TAG_SIZE })
  decipher.setAAD(aad, { plaintextLength: size })
  decipher.setAuthTag(sealed.subarray(size))
  const plain = decipher.update(sealed.subarray(0, size))
  try {
    decipher.final()
  } catch {
    return null
  }
  return plainBytes(plain)
}
