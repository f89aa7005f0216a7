/**
 * The revocation of a zone (RFC 9498 section 4): signed with the zone's key, with a proof of work in it, so that
 * the whole network may keep and pass it on. For good, as long as its work goes: the more, the longer.
 *
 * The signature is all that takes the key; the work anybody can do for whoever signed.
 */

import { BoxError } from '../base/errors.ts'
import { type HashCode, hashCode, type ZoneKey, zoneKey } from '../base/ids.ts'
import { workHash } from '../crypto/argon2.ts'
import { sha512 } from '../crypto/hash.ts'
import { PURPOSE } from '../crypto/purposes.ts'
import { verifyZoneSignature, type ZoneSecret, zoneType } from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, u64, WireError } from '../wire/layout.ts'
import { toMicros, toMs } from '../wire/time.ts'
import { RevokeMessage } from './messages.ts'

/** RFC 9498 section 4.1: Z, D and EPOCH. */
export const PROOFS = 32
export const DIFFICULTY = 22
export const EPOCH_MS = 365 * 24 * 3_600_000
/** By how much more a revocation holds, for clocks that differ (section 4.2). */
const GRACE = 1.1

const ZONE_SIZE = 36
const SIGNATURE_SIZE = 64
const NONCE_SIZE = 8
/** As gnunet-revocation: so long before, so that no clock finds it to be of the future. */
const PREDATED_MS = 7 * 24 * 3_600_000

/** What the key of the zone has signed. */
export interface RevocationIntent {
  readonly zone: ZoneKey
  /** In microseconds since 1970, as it travels. */
  readonly time: bigint
  readonly signature: Uint8Array
}

export interface ZoneRevocation extends RevocationIntent {
  /** The whole, as in a file of gnunet-revocation. */
  readonly raw: Uint8Array
  /** The tries, ascending. */
  readonly proofs: readonly bigint[]
}

const Revocation = struct('ZONE_REVOCATION', {
  time: u64,
  lifetime: u64,
  proofs: bytes(PROOFS * NONCE_SIZE),
  zone: bytes(ZONE_SIZE),
  signature: bytes(SIGNATURE_SIZE),
})
const Signed = struct('ZONE_REVOCATION_SIGNED', { time: u64, zone: bytes(ZONE_SIZE) })
const Tried = struct('ZONE_REVOCATION_TRY', { nonce: u64, time: u64, zone: bytes(ZONE_SIZE) })

export const REVOCATION_SIZE = 16 + PROOFS * NONCE_SIZE + ZONE_SIZE + SIGNATURE_SIZE

/** When one that is begun now says to be from. */
export const revocationTime = (now: number): bigint => toMicros(now - PREDATED_MS)

/** The part that takes the key: whoever has it can revoke the zone. */
export function signIntent(secret: ZoneSecret, time: bigint): RevocationIntent {
  const { zone } = secret
  const signature = secret.sign(PURPOSE.GNS_REVOCATION, Signed.encode({ time, zone }))
  return { zone, time, signature }
}

/** Whether the key of the zone has signed this. */
export const isIntended = ({ zone, time, signature }: RevocationIntent): boolean =>
  verifyZoneSignature(zone, PURPOSE.GNS_REVOCATION, Signed.encode({ time, zone }), signature)

/** `proofs` need not be in order. `lifetimeMs` is for people: what counts is the work. */
export function encodeZoneRevocation(
  { zone, time, signature }: RevocationIntent,
  proofs: readonly bigint[],
  lifetimeMs: number,
): Uint8Array {
  const ordered = BigUint64Array.from(proofs).sort()
  const field = new Uint8Array(PROOFS * NONCE_SIZE)
  const view = new DataView(field.buffer)
  for (const [i, nonce] of ordered.entries()) view.setBigUint64(i * NONCE_SIZE, nonce)
  return Revocation.encode({ time, lifetime: toMicros(lifetimeMs), proofs: field, zone, signature })
}

/** What costs little to check: the form, the order, the signature. Throws WIRE_MALFORMED, SIGNATURE_INVALID. */
export function readZoneRevocation(raw: Uint8Array): ZoneRevocation {
  try {
    const said = Revocation.decode(raw)
    if (zoneType(said.zone) === null) throw new TypeError('a zone of an unknown type')
    const view = new DataView(said.proofs.buffer, said.proofs.byteOffset)
    const proofs = Array.from({ length: PROOFS }, (_, i) => view.getBigUint64(i * NONCE_SIZE))
    if (proofs.some((nonce, i) => i > 0 && nonce <= proofs[i - 1]!))
      throw new TypeError('the proofs do not ascend')
    const intent = {
      zone: zoneKey(said.zone.slice()),
      time: said.time,
      signature: said.signature.slice(),
    }
    if (!isIntended(intent)) throw new BoxError('SIGNATURE_INVALID')
    return { ...intent, proofs, raw: raw.slice() }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError)
      throw new BoxError('WIRE_MALFORMED', 'This is no revocation of a zone.', error)
    throw error
  }
}

/** How many bits of a try's hash are zero, from the left. Takes some milliseconds. */
export function workOf(
  { zone, time }: Pick<RevocationIntent, 'zone' | 'time'>,
  nonce: bigint,
): number {
  const hash = workHash(Tried.encode({ nonce, time, zone }))
  const at = hash.findIndex(byte => byte !== 0)
  return at < 0 ? 8 * hash.length : 8 * at + Math.clz32(hash[at]!) - 24
}

/** Until when so much work makes it hold; milliseconds since 1970, null where it is too little. `work` is the sum. */
export function holdsUntil(
  { time }: Pick<RevocationIntent, 'time'>,
  work: number,
  difficulty: number,
): number | null {
  const epochs = Math.floor(work / PROOFS) - difficulty + 1
  return epochs < 1 ? null : toMs(time) + epochs * EPOCH_MS * GRACE
}

/** The work that makes it hold for so many years. */
export const workFor = (epochs: number, difficulty: number): number =>
  PROOFS * (difficulty + epochs - 1)

/** Under what it lies in the DHT (plugin_block_revocation.c). */
export const revocationKey = (zone: ZoneKey): HashCode => hashCode(sha512(zone))

/** As it travels. */
export const revokeMessage = ({ raw }: Pick<ZoneRevocation, 'raw'>): Uint8Array =>
  RevokeMessage.encode({ proof: raw })

/** Throws WIRE_MALFORMED, SIGNATURE_INVALID. */
export function readRevokeMessage(message: Uint8Array): ZoneRevocation {
  try {
    return readZoneRevocation(RevokeMessage.decode(message).proof)
  } catch (error) {
    if (error instanceof WireError)
      throw new BoxError('WIRE_MALFORMED', 'This is no revocation of a zone.', error)
    throw error
  }
}
