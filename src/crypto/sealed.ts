/**
 * Bytes for the holder of an EDKEY zone alone: a fresh X25519 key agrees with the zone's Ed25519 key, and
 * what comes of it encrypts once. Who sealed it, a signature around it has to say.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { openAead, sealAead } from './aead.ts'
import { AgreementKey, ecdhEddsa, eddsaEcdh } from './agreement.ts'
import { hkdf } from './kdf.ts'
import { SigningKey } from './signing.ts'
import { type ZoneSecret, zonePublicKey, zoneType } from './zone-key.ts'

const LABEL = new TextEncoder().encode('secushare-box sealed 1')
const KEY_SIZE = 32
const NONCE = new Uint8Array(12) // Each key seals one message.

/** Encrypts for a zone. Throws INPUT_INVALID where the zone is none of Ed25519. */
export function sealForZone(zone: ZoneKey, plain: Uint8Array, random: Random): Uint8Array {
  if (zoneType(zone) !== 'EDKEY')
    throw new BoxError('INPUT_INVALID', 'Only a zone of the kind EDKEY can be sealed for.')
  const ephemeral = AgreementKey.fromSecret(random.bytes(KEY_SIZE))
  const secret = ecdhEddsa(ephemeral, zonePublicKey(zone))
  const key = sealingKey(secret, ephemeral.publicKey, zone)
  return concat(ephemeral.publicKey, sealAead(key, NONCE, plain, LABEL))
}

/** What was sealed for this zone; null where it was not, or has been changed. */
export function openSealed(secret: ZoneSecret, sealed: Uint8Array): Uint8Array | null {
  if (secret.type !== 'EDKEY' || sealed.length < KEY_SIZE) return null
  const ephemeral = sealed.subarray(0, KEY_SIZE)
  try {
    const shared = eddsaEcdh(SigningKey.fromSeed(secret.bytes), ephemeral)
    return openAead(
      sealingKey(shared, ephemeral, secret.zone),
      NONCE,
      sealed.subarray(KEY_SIZE),
      LABEL,
    )
  } catch (error) {
    if (error instanceof BoxError) return null // A key of small order.
    throw error
  }
}

const sealingKey = (secret: Uint8Array, ephemeral: Uint8Array, zone: ZoneKey): Uint8Array =>
  hkdf(KEY_SIZE, concat(ephemeral, zone), secret, LABEL)
