/**
 * What somebody says who knows two people: this is the key of the one, to the other. It is signed, since it is meant to
 * be believed: whoever takes it in knows for ever who has vouched. It is made out to one person, and lets nobody in.
 */

import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, u16, u64, WireError } from '../wire/layout.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
const INTRODUCTION_SIGNATURE = 0xb0c5_0006
const VERSION = 1
const ZONE_SIZE = 36
const SIGNATURE_SIZE = 64
const NAME_BYTES_MAX = 256

export interface Introduction {
  /** Who vouches. */
  readonly by: ZoneKey
  /** To whom. */
  readonly to: ZoneKey
  /** For whom, and what they are called by who vouches. */
  readonly zone: ZoneKey
  readonly name: string
  /** Milliseconds since 1970. */
  readonly at: number
}

const Statement = struct('BOX_INTRODUCTION', {
  version: u16,
  by: bytes(ZONE_SIZE),
  to: bytes(ZONE_SIZE),
  zone: bytes(ZONE_SIZE),
  at: u64,
  name: rest,
})
const Signed = struct('BOX_SIGNED_INTRODUCTION', {
  signature: bytes(SIGNATURE_SIZE),
  statement: rest,
})
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function signIntroduction(own: ZoneSecret, given: Omit<Introduction, 'by'>): Uint8Array {
  const { to, zone, name, at } = given
  const fields = { version: VERSION, by: own.zone, to, zone }
  const statement = Statement.encode({ ...fields, at: BigInt(at), name: encoder.encode(name) })
  return Signed.encode({ signature: own.sign(INTRODUCTION_SIGNATURE, statement), statement })
}

/** Throws SIGNATURE_INVALID, WIRE_MALFORMED. The name is nothing that was checked. */
export function readIntroduction(raw: Uint8Array): Introduction {
  try {
    const { signature, statement } = Signed.decode(raw)
    const { version, name, at, ...zones } = Statement.decode(statement)
    if (version !== VERSION || name.length > NAME_BYTES_MAX) throw new TypeError('another version')
    const by = zoneKey(zones.by.slice())
    if (!verifyZoneSignature(by, INTRODUCTION_SIGNATURE, statement, signature))
      throw new BoxError('SIGNATURE_INVALID')
    return {
      by,
      to: zoneKey(zones.to.slice()),
      zone: zoneKey(zones.zone.slice()),
      name: decoder.decode(name),
      at: Number(at),
    }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError)
      throw new BoxError('WIRE_MALFORMED', 'This is no introduction.', error)
    throw error
  }
}
