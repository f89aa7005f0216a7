/** Shared secrets from Curve25519 keys (crypto_ecc.c): what comes out is always hashed. */

import { diffieHellman, type KeyObject } from 'node:crypto'
import { keyOf } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { edwardsToMontgomery } from './field.ts'
import { plainBytes, sha512 } from './hash.ts'
import { privateKeyObject, publicBytes, publicKeyObject } from './key-objects.ts'
import type { SigningKey } from './signing.ts'

/** The private half of an X25519 key pair. */
export class AgreementKey {
  readonly publicKey: Uint8Array
  readonly #key: KeyObject

  private constructor(key: KeyObject) {
    this.#key = key
    this.publicKey = publicBytes(key)
  }

  /** The key of 32 secret bytes; they are clamped inside the multiplication (RFC 7748). */
  static fromSecret(secret: Uint8Array): AgreementKey {
    return new AgreementKey(privateKeyObject('X25519', secret))
  }

  /** The common point with `publicKey`, not hashed: see `x25519`. */
  multiply(publicKey: Uint8Array): Uint8Array {
    if (publicKey.length !== 32) throw new BoxError('WIRE_MALFORMED', 'An X25519 key has 32 bytes.')
    try {
      const other = publicKeyObject('X25519', publicKey)
      return plainBytes(diffieHellman({ privateKey: this.#key, publicKey: other }))
    } catch (cause) {
      // A point of small order gives the same secret to everybody; OpenSSL refuses it.
      throw new BoxError('WIRE_MALFORMED', 'The X25519 key is not usable.', cause)
    }
  }
}

/** X25519 (RFC 7748), 32 bytes. Throws BoxError WIRE_MALFORMED on a key of small order. */
export const x25519 = (key: AgreementKey, publicKey: Uint8Array): Uint8Array =>
  key.multiply(publicKey)

/** `GNUNET_CRYPTO_ecc_ecdh`: the hash of X25519, 64 bytes. Throws as x25519. */
export const ecdh = (key: AgreementKey, publicKey: Uint8Array): Uint8Array =>
  sha512(key.multiply(publicKey))

/** `GNUNET_CRYPTO_eddsa_ecdh`: with an Ed25519 private key on our side. Throws as x25519. */
export const eddsaEcdh = (key: SigningKey, xPublic: Uint8Array): Uint8Array =>
  ecdh(montgomeryKey(key), xPublic)

/** `GNUNET_CRYPTO_ecdh_eddsa`: with an Ed25519 public key on theirs. Throws as x25519. */
export const ecdhEddsa = (key: AgreementKey, edPublic: Uint8Array): Uint8Array =>
  ecdh(key, montgomeryPoint(edPublic))

/** The secret that two Ed25519 keys have in common for ever. Throws as x25519. */
export const eddsaEcdhEddsa = (key: SigningKey, edPublic: Uint8Array): Uint8Array =>
  ecdh(montgomeryKey(key), montgomeryPoint(edPublic))

const converted = new WeakMap<SigningKey, AgreementKey>()

/** The scalar of an Ed25519 key is the first half of the hash of its seed (RFC 8032 section 5.1.5). */
function montgomeryKey(key: SigningKey): AgreementKey {
  const known = converted.get(key)
  if (known) return known
  const made = AgreementKey.fromSecret(sha512(key.seed).subarray(0, 32))
  converted.set(key, made)
  return made
}

/** Converted public keys kept: a conversion takes longer than X25519 itself. */
const POINTS_MAX = 256
const points = new Map<string, Uint8Array>()

function montgomeryPoint(edPublic: Uint8Array): Uint8Array {
  if (edPublic.length !== 32) throw new BoxError('WIRE_MALFORMED', 'An Ed25519 key has 32 bytes.')
  const name = keyOf(edPublic)
  const known = points.get(name)
  if (known) return known
  const made = edwardsToMontgomery(edPublic)
  if (!made) throw new BoxError('WIRE_MALFORMED', 'The Ed25519 key is not usable.')
  if (points.size >= POINTS_MAX) points.delete(points.keys().next().value!)
  points.set(name, made)
  return made
}
