/**
 * Keys of labels, derived from the key of a zone (RFC 9498 sections 5.1.1 and 5.1.2, ZKDF): whoever
 * knows zone and label can find and read a block; whoever sees only the block learns neither.
 */

import { concat } from '../base/bytes.ts'
import { fromBigEndian, fromLittleEndian, mod, ORDER, toLittleEndian } from './field.ts'
import { multiplyBase, multiplyPoint, pointFromBytes } from './group.ts'
import { sha256, sha512 } from './hash.ts'
import { hkdf } from './kdf.ts'

const SALT = new TextEncoder().encode('key-derivation')

/** What a label multiplies the keys of a zone with: 64 bytes, most significant first, any size. */
export const labelFactor = (zonePublic: Uint8Array, label: string): Uint8Array =>
  hkdf(64, SALT, zonePublic, label, 'gns')

/** The public key a factor derives; throws where `zonePublic` is no point. */
export function blindPublic(zonePublic: Uint8Array, factor: Uint8Array): Uint8Array {
  const h = mod(fromBigEndian(factor), ORDER)
  return multiplyPoint(h, pointFromBytes(zonePublic)).toBytes()
}

/** The secret scalar a factor derives from that of the zone. */
export const blindScalar = (secret: bigint, factor: Uint8Array): bigint =>
  mod(mod(fromBigEndian(factor), ORDER) * secret, ORDER)

/** The clamped scalar of an Ed25519 seed (RFC 8032 section 5.1.5). */
export function seedScalar(seed: Uint8Array): bigint {
  const scalar = sha512(seed).slice(0, 32)
  clamp(scalar)
  return fromLittleEndian(scalar)
}

/** RFC 7748 section 5: what makes 32 random bytes a Curve25519 scalar. In place. */
export function clamp(scalar: Uint8Array): void {
  scalar[0]! &= 0xf8
  scalar[31]! &= 0x7f
  scalar[31]! |= 0x40
}

/**
 * Ed25519 with the key a factor derives from `seed`; it verifies as any Ed25519 signature does. The
 * prefix for the nonce takes the factor in, so that no two labels ever share a nonce.
 */
export function signBlinded(seed: Uint8Array, factor: Uint8Array, message: Uint8Array): Uint8Array {
  const scalar = blindScalar(seedScalar(seed), factor)
  const publicKey = multiplyBase(scalar).toBytes()
  const prefix = sha256(sha512(seed).subarray(32), factor)
  const nonce = mod(fromLittleEndian(sha512(prefix, message)), ORDER)
  const commitment = multiplyBase(nonce).toBytes()
  const challenge = mod(fromLittleEndian(sha512(commitment, publicKey, message)), ORDER)
  return concat(commitment, toLittleEndian(mod(nonce + challenge * scalar, ORDER)))
}
