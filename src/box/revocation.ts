/**
 * The end of a key on every device on which its signer may grant: for a controller that is lost or stolen. It is
 * told to devices as they are reached, and stands in the signer's zone (owner-notices.ts) for those that are not.
 */

import { equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, u16, u64, WireError } from '../wire/layout.ts'
import { type Grant, type GrantBook, mayTakeFrom } from './grant.ts'
import { SIGNATURE_SIZE, ZONE_SIZE } from './messages.ts'
import { isWhole } from './scope.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
const REVOCATION_SIGNATURE = 0xb0c5_0005
const VERSION = 1
/** By which the clocks of owner and device may differ. */
const SKEW_MS = 24 * 3_600_000

export interface Revocation {
  readonly issuer: ZoneKey
  /** The key that may do nothing any more. */
  readonly revoked: ZoneKey
  /** The time of the issuer, in milliseconds since 1970. */
  readonly number: number
}

const Statement = struct('BOX_REVOCATION', {
  version: u16,
  issuer: bytes(ZONE_SIZE),
  revoked: bytes(ZONE_SIZE),
  number: u64,
})

const Signed = struct('BOX_SIGNED_REVOCATION', {
  signature: bytes(SIGNATURE_SIZE),
  statement: rest,
})

export function signRevocation(own: ZoneSecret, revoked: ZoneKey, number: number): Uint8Array {
  const statement = Statement.encode({
    ...{ version: VERSION, issuer: own.zone, revoked, number: BigInt(number) },
  })
  return Signed.encode({ signature: own.sign(REVOCATION_SIGNATURE, statement), statement })
}

/** Throws SIGNATURE_INVALID, WIRE_MALFORMED. */
export function readRevocation(raw: Uint8Array): Revocation {
  try {
    const { signature, statement } = Signed.decode(raw)
    const { version, number, ...zones } = Statement.decode(statement)
    if (version !== VERSION) throw new TypeError('of another version')
    const issuer = zoneKey(zones.issuer.slice())
    if (!verifyZoneSignature(issuer, REVOCATION_SIGNATURE, statement, signature))
      throw new BoxError('SIGNATURE_INVALID')
    return { issuer, revoked: zoneKey(zones.revoked.slice()), number: Number(number) }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError)
      throw new BoxError('WIRE_MALFORMED', 'This is no revocation.', error)
    throw error
  }
}

/**
 * Takes away what the key was granted. False where that was nothing, or was granted after it: whoever brings an old
 * statement brings nothing new. Throws NOT_PERMITTED where the signer may not, CLOCK_WRONG where nobody can tell what
 * came first, STATE_UNWRITABLE.
 */
export function applyRevocation(book: GrantBook, revocation: Revocation, now: number): boolean {
  const { issuer, number } = revocation
  // A thief may have named another key meanwhile; so may its owner have, who then speaks with that one.
  const revoked = book.heirOf(revocation.revoked)
  const own = book.find(issuer, now)
  if (!own?.rights.includes('admin') || !isWhole(own.scope)) throw new BoxError('NOT_PERMITTED')
  if (equalBytes(issuer, revoked)) return false
  if (number > now + SKEW_MS) throw new BoxError('INPUT_INVALID', 'Your clock is wrong.')
  // Also what is over: by a clock that is ahead it would hold again once that is set.
  const grant = book.given(revoked)
  if (!grant || isBefore(number, grant, now)) return false
  if (!mayTakeFrom(own, grant))
    throw new BoxError(
      'NOT_PERMITTED',
      'Who may grant for a time puts out nobody who may for good.',
    )
  book.set({ ...grant, rights: [], number })
  return true
}

/**
 * Whether a revocation is older than the grant. A grant has the time of whoever signed it to compare with. Of a pairing
 * there is only what the clock of the device said, which may have been ahead: then a key that is lost rather ends once
 * more, and what was followed before the pairing is known by its number.
 */
function isBefore(number: number, { number: given, since, earlier = 0 }: Grant, now: number) {
  if (given !== 0) {
    if (number <= given && given > now + SKEW_MS) throw new BoxError('CLOCK_WRONG')
    return number <= given
  }
  if (number === earlier || number <= Math.min(earlier, since)) return true
  return since <= now && number <= since - SKEW_MS
}
