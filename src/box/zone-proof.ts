/**
 * How a side of the handshake shows that it has a zone key: by a signature, which anybody can check; or, where people
 * talk to each other, by a MAC that only the other side can check, and could have made as well, so that what remains
 * of the handshake proves to nobody that these two have spoken.
 */

import type { ZoneKey } from '../base/ids.ts'
import type { AgreementKey } from '../crypto/agreement.ts'
import { equalSecrets, hmacSha512 } from '../crypto/hash.ts'
import { agreeAsZone, agreeWithZone } from '../crypto/zone-agreement.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import type { Service } from './ports.ts'

/** The purpose number of our zone signatures; GNUnet's registry (GANA) is far below. */
export const HANDSHAKE_SIGNATURE = 0xb0c5_0001
/** What is said between people, who may deny it. */
const DENIABLE: readonly Service[] = ['talk', 'contact', 'file', 'deniable-room']

export interface Prover {
  readonly zone: ZoneKey
  /** 64 bytes. */
  prove(bytes: Uint8Array): Uint8Array
}

/** Whether it is a proof of this zone. */
export type Proof = (zone: ZoneKey, bytes: Uint8Array, proof: Uint8Array) => boolean

/** Of one's own key, to whoever made this ephemeral key. Throws INPUT_INVALID where the zone is none of Ed25519. */
export function proverOf(own: ZoneSecret, purpose: Service, theirs: Uint8Array): Prover {
  if (!DENIABLE.includes(purpose))
    return { zone: own.zone, prove: bytes => own.sign(HANDSHAKE_SIGNATURE, bytes) }
  const key = agreeAsZone(own, theirs)
  return { zone: own.zone, prove: bytes => hmacSha512(key, bytes) }
}

/** Of the other side, for whoever made this ephemeral key. It throws as agreeWithZone. */
export const proofFor = (purpose: Service, ephemeral: AgreementKey): Proof =>
  DENIABLE.includes(purpose)
    ? (zone, bytes, proof) => equalSecrets(hmacSha512(agreeWithZone(ephemeral, zone), bytes), proof)
    : (zone, bytes, proof) => verifyZoneSignature(zone, HANDSHAKE_SIGNATURE, bytes, proof)
