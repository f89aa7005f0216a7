/**
 * Tickets: what a member shows to a relay, which knows the place's key and nothing of its members. A ticket
 * is for one zone, which its holder must have proven on the channel; it ends, and it can be made void.
 */

import { equalBytes } from '../base/bytes.ts'
import type { ZoneKey } from '../base/ids.ts'
import { signPurpose, verifyPurpose } from '../crypto/purposes.ts'
import type { SigningKey } from '../crypto/signing.ts'
import { WireError } from '../wire/layout.ts'
import { PlaceTicket } from './messages.ts'

const TICKET_SIGNATURE = 0xb0c5_0011
const SIGNATURE_SIZE = 64
const NO_SIGNATURE = new Uint8Array(SIGNATURE_SIZE)

export interface Ticket {
  readonly serial: bigint
  /** The first fragment its holder may be given. */
  readonly since: bigint
  /** Milliseconds since 1970. */
  readonly until: number
}

/** Signed by the key of the place, or by one that it has for tickets alone. */
export function makeTicket(
  key: SigningKey,
  zone: ZoneKey,
  ticket: Ticket,
  place: Uint8Array = key.publicKey,
): Uint8Array {
  const { serial, since, until } = ticket
  const content = { place, zone, serial, since, until: BigInt(until) }
  const signature = signPurpose(key, TICKET_SIGNATURE, signedBytes(content))
  return PlaceTicket.encode({ ...content, signature })
}

/** The ticket, or null where it is not for this place, this zone and this time. Never throws. */
export function checkTicket(
  raw: Uint8Array,
  place: Uint8Array,
  zone: ZoneKey,
  now: number,
  signer: Uint8Array = place,
): Ticket | null {
  try {
    const { signature, ...content } = PlaceTicket.decode(raw)
    if (!equalBytes(content.place, place) || !equalBytes(content.zone, zone)) return null
    if (Number(content.until) <= now) return null
    if (!verifyPurpose(signer, TICKET_SIGNATURE, signedBytes(content), signature)) return null
    return { serial: content.serial, since: content.since, until: Number(content.until) }
  } catch (error) {
    if (error instanceof WireError) return null
    throw error
  }
}

type Content = Omit<Parameters<typeof PlaceTicket.encode>[0], 'signature'>

const signedBytes = (content: Content): Uint8Array =>
  PlaceTicket.encode({ ...content, signature: NO_SIGNATURE }).subarray(0, -SIGNATURE_SIZE)
