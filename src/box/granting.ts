/**
 * Whether a signed statement about somebody's rights takes effect on a device. Nobody gives more than they
 * have, and a device always keeps somebody who may grant.
 */

import { equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { isApprovable } from './approval.ts'
import { type Grant, type GrantBook, mayTakeFrom } from './grant.ts'
import type { GrantStatement } from './grant-statement.ts'
import { isWhole, reachesAll } from './scope.ts'

/** A clock that is wrong by more than this would make numbers that nobody can follow. */
const AHEAD_MAX_MS = 24 * 3_600_000

/**
 * Puts it in the book; `isOurs`: it is about this device. Fails with NOT_PERMITTED, and with INPUT_INVALID where it says nothing new or leaves
 * the device to nobody; STATE_UNWRITABLE.
 */
export function applyGrant(
  book: GrantBook,
  statement: GrantStatement,
  { isOurs, caller, now }: { isOurs: boolean; caller: ZoneKey; now: number },
): void {
  const { issuer, holder, number, rights, until, scope, name } = statement
  if (!isOurs) throw new BoxError('NOT_PERMITTED', 'The grant is for another device.')
  // Otherwise an old statement of somebody else could be said again.
  if (!equalBytes(issuer, caller))
    throw new BoxError('NOT_PERMITTED', 'The grant is signed by somebody else.')
  if (scope.approved && !rights.every(isApprovable))
    throw new BoxError('INPUT_INVALID', 'Nobody can approve what is done by other rights.')
  const own = book.find(issuer, now)
  if (!own?.rights.includes('admin')) throw new BoxError('NOT_PERMITTED')
  if (!mayGive(own, statement))
    throw new BoxError('NOT_PERMITTED', 'Nobody can grant more than they have.')
  // All that they can give ends, and so narrows it.
  if (!mayTakeFrom(own, book.find(holder, now)))
    throw new BoxError('NOT_PERMITTED', 'Who may grant for a time narrows nobody who may for good.')
  if (number <= book.lastNumber(holder) || number > now + AHEAD_MAX_MS)
    throw new BoxError('INPUT_INVALID', 'The device has a later grant, or your clock is wrong.')
  const deviceName = own.deviceName
  const next = { zone: holder, holder: name, deviceName, rights, until, since: now, scope, number }
  const others = book.all().filter(grant => !equalBytes(grant.zone, holder))
  if (![...others, next].some(isForGood))
    throw new BoxError('INPUT_INVALID', 'Nobody would be left who may grant.')
  book.set(next)
}

/** An owner with all of its rights may take anything from anybody; others only give what they have. */
function mayGive(own: Grant, { rights, until, scope }: GrantStatement): boolean {
  // Whatever the scope of the new grant: it is within the whole.
  if (!reachesAll(own.scope)) return false
  // Whoever is recorded lets in nobody who is not, themselves under another key above all.
  if (own.scope.recorded && !scope.recorded && rights.length > 0) return false
  if (!rights.every(right => own.rights.includes(right))) return false
  return own.until === null || rights.length === 0 || (until !== null && until <= own.until)
}

const isForGood = ({ rights, until, scope }: Grant): boolean =>
  rights.includes('admin') && until === null && isWhole(scope)
