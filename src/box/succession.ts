/**
 * One key after another: the holder of a zone key says which key it has from now on. Signed by both keys, so that
 * nobody can name a key that is not theirs, nor take over one that is; numbered, so that an old one is no use.
 *
 * Whoever was away meanwhile is told all of them at once, the oldest first: see `successionChain`.
 */

import { concat, equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, u16, u64, WireError } from '../wire/layout.ts'
import { SIGNATURE_SIZE, ZONE_SIZE } from './messages.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
const SUCCESSION_SIGNATURE = 0xb0c5_0004
const VERSION = 1
const NUMBER_SIZE = 8
export const SUCCESSION_SIZE = 2 * SIGNATURE_SIZE + 2 + 2 * ZONE_SIZE + NUMBER_SIZE
/** They travel beside a proof in the handshake, which takes a kilobyte. Who missed more is paired again. */
export const CHAIN_MAX = 4

export interface Succession {
  readonly before: ZoneKey
  readonly after: ZoneKey
  /** The time of the signer, in milliseconds since 1970. */
  readonly number: number
}

const Statement = struct('BOX_SUCCESSION', {
  version: u16,
  before: bytes(ZONE_SIZE),
  after: bytes(ZONE_SIZE),
  number: u64,
})

const Signed = struct('BOX_SIGNED_SUCCESSION', {
  byBefore: bytes(SIGNATURE_SIZE),
  byAfter: bytes(SIGNATURE_SIZE),
  statement: rest,
})

export function signSuccession(before: ZoneSecret, after: ZoneSecret, number: number): Uint8Array {
  const statement = Statement.encode({
    ...{ version: VERSION, before: before.zone, after: after.zone, number: BigInt(number) },
  })
  return Signed.encode({
    byBefore: before.sign(SUCCESSION_SIGNATURE, statement),
    byAfter: after.sign(SUCCESSION_SIGNATURE, statement),
    statement,
  })
}

/** Throws SIGNATURE_INVALID, WIRE_MALFORMED. */
export function readSuccession(raw: Uint8Array): Succession {
  try {
    const { byBefore, byAfter, statement } = Signed.decode(raw)
    const { version, number, ...zones } = Statement.decode(statement)
    if (version !== VERSION) throw new TypeError('of another version')
    const before = zoneKey(zones.before.slice())
    const after = zoneKey(zones.after.slice())
    const isSigned =
      verifyZoneSignature(before, SUCCESSION_SIGNATURE, statement, byBefore) &&
      verifyZoneSignature(after, SUCCESSION_SIGNATURE, statement, byAfter)
    if (!isSigned) throw new BoxError('SIGNATURE_INVALID')
    return { before, after, number: Number(number) }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError)
      throw new BoxError('WIRE_MALFORMED', 'This is no succession of keys.', error)
    throw error
  }
}

/** The last few statements as one text of bytes, the oldest first. */
export const successionChain = (signed: readonly Uint8Array[]): Uint8Array =>
  concat(...signed.slice(-CHAIN_MAX))

/**
 * What leads to `last`, or, where that is null, to whichever key it is; the oldest first. Empty where that is
 * nothing. Throws SIGNATURE_INVALID, WIRE_MALFORMED.
 */
export function readSuccessionChain(raw: Uint8Array, last: ZoneKey | null): readonly Succession[] {
  const count = raw.length / SUCCESSION_SIZE
  if (!Number.isInteger(count) || count > CHAIN_MAX)
    throw new BoxError('WIRE_MALFORMED', 'This is no succession of keys.')
  const links = Array.from({ length: count }, (_, i) =>
    readSuccession(raw.subarray(i * SUCCESSION_SIZE, (i + 1) * SUCCESSION_SIZE)),
  )
  links.forEach(({ after, number }, i) => {
    const next = links[i + 1]
    const isNext = next ? equalBytes(next.before, after) && next.number > number : true
    if (!isNext || (!next && last !== null && !equalBytes(after, last)))
      throw new BoxError('WIRE_MALFORMED', 'These keys do not follow each other.')
  })
  return links
}

/**
 * The keys that lead on from `before`, beginning with it; null where none does, or what says so is not to be believed:
 * others say it, so it is a fault of nobody here.
 */
export function keysFrom(chain: Uint8Array, before: ZoneKey): readonly ZoneKey[] | null {
  try {
    const links = readSuccessionChain(chain, null)
    const at = links.findIndex(link => equalBytes(link.before, before))
    return at < 0 ? null : [before, ...links.slice(at).map(link => link.after)]
  } catch (error) {
    if (error instanceof BoxError) return null
    throw error
  }
}
