/**
 * The key schedule of the handshake: pure functions of what both sides have seen.
 *
 * Every key comes from the X25519 secret and from a transcript that begins with the protocol's label and
 * holds purpose, port, both pids as each side sees them, the device's zone key, and all that was said.
 * Whoever does not know the device's zone key, or sits in the middle with a pid of its own, has other keys.
 */

import { concat } from '../base/bytes.ts'
import type { PeerId, ZoneKey } from '../base/ids.ts'
import { zoneKey } from '../base/ids.ts'
import { openAead, sealAead } from '../crypto/aead.ts'
import { equalSecrets, hmacSha256, sha512 } from '../crypto/hash.ts'
import { hkdf } from '../crypto/kdf.ts'
import { Identity } from './messages.ts'
import { type Service, servicePort } from './ports.ts'
import type { Proof, Prover } from './zone-proof.ts'

/** Who speaks: whoever opened the channel, or the device. Signatures of one are worth nothing from the other. */
export type Role = 'opener' | 'device'

const encoder = new TextEncoder()
const LABEL = encoder.encode('secushare-box handshake 1')
const NONCE = new Uint8Array(12) // Each key seals one message.
const KEY_SIZE = 32

/** What both sides know before the first word. */
export interface Setting {
  readonly purpose: Service
  readonly device: ZoneKey
  readonly opener: PeerId
  readonly listener: PeerId
}

/** The transcript before anything was said. */
export function beginTranscript({ purpose, device, opener, listener }: Setting): Uint8Array {
  const port = servicePort(purpose, device)
  return sha512(LABEL, framed(encoder.encode(purpose)), port, opener, listener, device)
}

/** The transcript with one more thing said. */
export const extendTranscript = (transcript: Uint8Array, said: Uint8Array): Uint8Array =>
  sha512(transcript, framed(said))

/** A length first: no two lists of parts give the same bytes. */
function framed(part: Uint8Array): Uint8Array {
  const whole = new Uint8Array(4 + part.length)
  new DataView(whole.buffer).setUint32(0, part.length)
  whole.set(part, 4)
  return whole
}

/** One key of the schedule, named by what it is for. */
export const deriveKey = (secret: Uint8Array, transcript: Uint8Array, use: string): Uint8Array =>
  hkdf(KEY_SIZE, transcript, secret, LABEL, use)

export const sealOnce = (key: Uint8Array, plain: Uint8Array, transcript: Uint8Array): Uint8Array =>
  sealAead(key, NONCE, plain, transcript)

export const openOnce = (
  key: Uint8Array,
  sealed: Uint8Array,
  transcript: Uint8Array,
): Uint8Array | null => openAead(key, NONCE, sealed, transcript)

/** A proof of identity: by the zone key, confirmed with a key of the schedule, sealed with another. */
export function sealIdentity(
  role: Role,
  own: Prover,
  payload: Uint8Array,
  secret: Uint8Array,
  transcript: Uint8Array,
): Uint8Array {
  const signature = own.prove(signedBytes(role, own.zone, payload, transcript))
  const plain = Identity.encode({
    zone: own.zone,
    signature,
    confirmation: confirmation(role, own.zone, signature, payload, secret, transcript),
    payload,
  })
  return sealOnce(deriveKey(secret, transcript, `${role} seal`), plain, transcript)
}

export interface ProvenIdentity {
  readonly zone: ZoneKey
  readonly payload: Uint8Array
}

/** The identity that was proven; null where the seal, the confirmation or the proof is wrong. Throws WireError. */
export function openIdentity(
  role: Role,
  sealed: Uint8Array,
  secret: Uint8Array,
  transcript: Uint8Array,
  isProof: Proof,
): ProvenIdentity | null {
  const plain = openOnce(deriveKey(secret, transcript, `${role} seal`), sealed, transcript)
  if (!plain) return null
  const said = Identity.decode(plain)
  const zone = zoneKey(said.zone.slice())
  const payload = said.payload.slice()
  const wanted = confirmation(role, zone, said.signature, payload, secret, transcript)
  if (!equalSecrets(wanted, said.confirmation)) return null
  const signed = signedBytes(role, zone, payload, transcript)
  if (!isProof(zone, signed, said.signature)) return null
  return { zone, payload }
}

const signedBytes = (
  role: Role,
  zone: ZoneKey,
  payload: Uint8Array,
  transcript: Uint8Array,
): Uint8Array => concat(LABEL, framed(encoder.encode(role)), zone, transcript, sha512(payload))

function confirmation(
  role: Role,
  zone: ZoneKey,
  signature: Uint8Array,
  payload: Uint8Array,
  secret: Uint8Array,
  transcript: Uint8Array,
): Uint8Array {
  const key = deriveKey(secret, transcript, `${role} confirmation`)
  return hmacSha256(key, zone, signature, payload)
}
