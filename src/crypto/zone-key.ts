/**
 * The keys of GNS zones, both kinds (RFC 9498 section 5.1): PKEY is ECDSA over Edwards25519 with
 * AES-256-CTR, EDKEY is Ed25519 with XSalsa20-Poly1305. Labels are taken as they are: normalising
 * them (NFC, lower case) is the matter of src/gns.
 */

import { createCipheriv } from 'node:crypto'
import { createRequire } from 'node:module'
import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type HashCode, hashCode, type ZoneKey, zoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { blindPublic, blindScalar, clamp, labelFactor, signBlinded } from './blinding.ts'
import { ecdsaPublicKey, ecdsaSign, ecdsaVerify, scalarFromBytes } from './ecdsa.ts'
import { plainBytes, sha512 } from './hash.ts'
import { hkdf } from './kdf.ts'
import { purposeBytes } from './purposes.ts'
import { SigningKey, verifySignature } from './signing.ts'

export type ZoneType = 'PKEY' | 'EDKEY'

/** The record types that stand for the two kinds (RFC 9498 section 5.1). */
export const ZONE_TYPES: Readonly<Record<ZoneType, number>> = { PKEY: 65536, EDKEY: 65556 }

const SECRET_SIZE = 32
const TYPE_SIZE = 4

/** The private half of a zone. */
export class ZoneSecret {
  readonly type: ZoneType
  /** EDKEY: the seed. PKEY: the scalar, least significant byte first, as GNUnet keeps it. A secret. */
  readonly bytes: Uint8Array
  readonly zone: ZoneKey
  readonly #signing: SigningKey | null

  private constructor(type: ZoneType, bytes: Uint8Array) {
    this.type = type
    this.bytes = bytes
    this.#signing = type === 'EDKEY' ? SigningKey.fromSeed(bytes) : null
    this.zone = zoneKeyOf(type, this.#signing?.publicKey ?? ecdsaPublicKey(scalarFromBytes(bytes)))
  }

  static generate(type: ZoneType, random: Random): ZoneSecret {
    const bytes = random.bytes(SECRET_SIZE)
    if (type === 'PKEY') clamp(bytes)
    return ZoneSecret.fromBytes(type, bytes)
  }

  /** The zone of 32 bytes that were once `bytes`. Throws BoxError KEY_UNREADABLE on anything else. */
  static fromBytes(type: ZoneType, bytes: Uint8Array): ZoneSecret {
    if (bytes.length !== SECRET_SIZE)
      throw new BoxError('KEY_UNREADABLE', 'A zone key has 32 bytes.')
    if (type === 'PKEY' && scalarFromBytes(bytes) === 0n)
      throw new BoxError('KEY_UNREADABLE', 'The scalar is zero.')
    return new ZoneSecret(type, bytes.slice())
  }

  /** Signs in the name of the zone itself; 64 bytes. */
  sign(purpose: number, body: Uint8Array): Uint8Array {
    const signed = purposeBytes(purpose, body)
    return this.#signing?.sign(signed) ?? ecdsaSign(scalarFromBytes(this.bytes), signed)
  }
}

/** The zone of a public key. */
export function zoneKeyOf(type: ZoneType, publicKey: Uint8Array): ZoneKey {
  const bytes = new Uint8Array(TYPE_SIZE + publicKey.length)
  new DataView(bytes.buffer).setUint32(0, ZONE_TYPES[type])
  bytes.set(publicKey, TYPE_SIZE)
  return zoneKey(bytes)
}

/** The kind of a zone or of 4 type bytes; null for one this program does not know. */
export function zoneType(zone: Uint8Array): ZoneType | null {
  const number = new DataView(zone.buffer, zone.byteOffset).getUint32(0)
  if (number === ZONE_TYPES.PKEY) return 'PKEY'
  return number === ZONE_TYPES.EDKEY ? 'EDKEY' : null
}

/** The public key inside a zone key; a view. */
export const zonePublicKey = (zone: ZoneKey): Uint8Array => zone.subarray(TYPE_SIZE)

/** Whether `signature` was made by `ZoneSecret.sign` of this zone. Never throws. */
export function verifyZoneSignature(
  zone: ZoneKey,
  purpose: number,
  body: Uint8Array,
  signature: Uint8Array,
): boolean {
  const type = zoneType(zone)
  return (
    type !== null && verifyBlock(type, zonePublicKey(zone), purposeBytes(purpose, body), signature)
  )
}

/** The key that signs the block of a label, and where in the DHT the block lies. */
export interface LabelKey {
  readonly publicKey: Uint8Array
  readonly query: HashCode
}

/** Throws BoxError INPUT_INVALID where the zone's key is none. */
export function deriveLabelKey(zone: ZoneKey, label: string): LabelKey {
  knownType(zone)
  const zonePublic = zonePublicKey(zone)
  try {
    const publicKey = blindPublic(zonePublic, labelFactor(zonePublic, label))
    return { publicKey, query: hashCode(sha512(publicKey)) }
  } catch (cause) {
    throw new BoxError('INPUT_INVALID', 'The zone key is not a point of the curve.', cause)
  }
}

/** Signs with the key of a label; `signedBytes` begin with size and purpose. */
export function signBlock(secret: ZoneSecret, label: string, signedBytes: Uint8Array): Uint8Array {
  const factor = labelFactor(zonePublicKey(secret.zone), label)
  if (secret.type === 'EDKEY') return signBlinded(secret.bytes, factor, signedBytes)
  return ecdsaSign(blindScalar(scalarFromBytes(secret.bytes), factor), signedBytes)
}

/** Whether a block is signed by the derived key that it carries. Never throws. */
export function verifyBlock(
  type: ZoneType,
  derivedPublic: Uint8Array,
  signedBytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  const verify = type === 'EDKEY' ? verifySignature : ecdsaVerify
  return verify(derivedPublic, signedBytes, signature)
}

/** Encrypts the records of a label; an EDKEY's are 16 bytes longer. `expiry` in microseconds. */
export function encryptRecords(
  zone: ZoneKey,
  label: string,
  expiry: bigint,
  plain: Uint8Array,
): Uint8Array {
  return knownType(zone) === 'PKEY'
    ? aesCtr(zone, label, expiry, plain)
    : secretbox(zone, label, expiry).encrypt(plain)
}

/** The records of a label. Throws BoxError WIRE_MALFORMED where the tag of an EDKEY zone is wrong. */
export function decryptRecords(
  zone: ZoneKey,
  label: string,
  expiry: bigint,
  cipher: Uint8Array,
): Uint8Array {
  if (knownType(zone) === 'PKEY') return aesCtr(zone, label, expiry, cipher)
  try {
    return secretbox(zone, label, expiry).decrypt(cipher)
  } catch (cause) {
    throw new BoxError('WIRE_MALFORMED', 'The records are not encrypted for this name.', cause)
  }
}

function knownType(zone: ZoneKey): ZoneType {
  const type = zoneType(zone)
  if (!type) throw new BoxError('INPUT_INVALID', 'The zone is of an unknown type.')
  return type
}

const encoder = new TextEncoder()
const AES_KEY = encoder.encode('gns-aes-ctx-key')
const AES_IV = encoder.encode('gns-aes-ctx-iv')
const XSALSA_KEY = encoder.encode('gns-xsalsa-ctx-key')
const XSALSA_IV = encoder.encode('gns-xsalsa-ctx-iv')

/** RFC 9498 section 5.1.1, S-Encrypt; decrypting is the same. */
function aesCtr(zone: ZoneKey, label: string, expiry: bigint, data: Uint8Array): Uint8Array {
  const zonePublic = zonePublicKey(zone)
  const key = hkdf(32, AES_KEY, zonePublic, label)
  const counter = new Uint8Array(16)
  counter.set(hkdf(4, AES_IV, zonePublic, label))
  const view = new DataView(counter.buffer)
  view.setBigUint64(4, expiry)
  view.setUint32(12, 1)
  return plainBytes(createCipheriv('aes-256-ctr', key, counter).update(data))
}

const require = createRequire(import.meta.url)
type Salsa = typeof import('@noble/ciphers/salsa.js')

/** RFC 9498 section 5.1.2, S-Encrypt. The cipher is loaded when it is needed. */
function secretbox(zone: ZoneKey, label: string, expiry: bigint) {
  const { xsalsa20poly1305 } = require('@noble/ciphers/salsa.js') as Salsa
  const zonePublic = zonePublicKey(zone)
  const nonce = concat(hkdf(16, XSALSA_IV, zonePublic, label), new Uint8Array(8))
  new DataView(nonce.buffer).setBigUint64(16, expiry)
  return xsalsa20poly1305(hkdf(32, XSALSA_KEY, zonePublic, label), nonce)
}
