/** Secrets in common with a zone of the kind EDKEY: its Ed25519 key taken as one of X25519. 64 bytes each. */

import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { type AgreementKey, ecdhEddsa, eddsaEcdh, eddsaEcdhEddsa } from './agreement.ts'
import { SigningKey } from './signing.ts'
import { type ZoneSecret, zonePublicKey, zoneType } from './zone-key.ts'

/** Of an X25519 key of ours with a zone. Throws INPUT_INVALID, WIRE_MALFORMED on a key that is none. */
export const agreeWithZone = (own: AgreementKey, zone: ZoneKey): Uint8Array =>
  ecdhEddsa(own, edwardsKey(zone))

/** Of our zone with an X25519 key. Throws as agreeWithZone. */
export const agreeAsZone = (own: ZoneSecret, publicKey: Uint8Array): Uint8Array =>
  eddsaEcdh(signingKey(own), publicKey)

/** Of our zone with another one: the same for ever. Throws as agreeWithZone. */
export const agreeBetweenZones = (own: ZoneSecret, zone: ZoneKey): Uint8Array =>
  eddsaEcdhEddsa(signingKey(own), edwardsKey(zone))

function signingKey({ type, bytes }: ZoneSecret): SigningKey {
  if (type !== 'EDKEY') throw noEdkey()
  return SigningKey.fromSeed(bytes)
}

function edwardsKey(zone: ZoneKey): Uint8Array {
  if (zoneType(zone) !== 'EDKEY') throw noEdkey()
  return zonePublicKey(zone)
}

const noEdkey = () => new BoxError('INPUT_INVALID', 'People talk by zones of the kind EDKEY alone.')
