/** Who may have a device do what as a job, and when: looked at when it is taken, and again when its turn comes. */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Grant, GrantBook, Right } from '../src/box/grant.ts'
import { JOB_LASTS_MS_MAX, type JobStatement, type Work } from '../src/box/job-statement.ts'
import { nextTime, parseSchedule } from '../src/box/schedule.ts'
import { allowsCommand, allowsUser } from '../src/box/scope.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Accounts } from './accounts.ts'
import type { DeviceKeys } from './device-keys.ts'
import type { JobNote } from './job-memory.ts'
import { refusalOf } from './session-account.ts'

/** The clocks of a signer and of a device are not further apart, or one of them is wrong. */
const AHEAD_MAX_MS = 24 * 3_600_000
/** Later than so, a time of day is missed, and the next one is meant. */
const LATE_MAX_MS = 10 * 60_000
/** A clock that is put back by no more was set right: what has run by it is not run again. */
const BACK_MAX_MS = 10 * 60_000

export interface JobRuleOptions {
  readonly clock: Clock
  readonly device: Pick<DeviceKeys, 'isOwn'>
  readonly grants: GrantBook
  /** As which user of the machine commands run that name none. */
  readonly user: string
  /** Those of this machine. */
  readonly accounts: Pick<Accounts, 'find'>
}

export class JobRules {
  private readonly options: JobRuleOptions

  constructor(options: JobRuleOptions) {
    this.options = options
  }

  /** Whether it is for this device and of these days; the time. */
  mustHold({ device, number, expiresAt }: JobStatement): number {
    const now = this.options.clock.now()
    if (!this.options.device.isOwn(device))
      throw new BoxError('JOB_REFUSED', 'It is for another device.')
    if (number > now + AHEAD_MAX_MS)
      throw new BoxError('CLOCK_WRONG', 'The job is from a later day than the device has.')
    if (expiresAt <= now) throw new BoxError('JOB_REFUSED', 'Its time is over.')
    if (expiresAt > now + JOB_LASTS_MS_MAX)
      throw new BoxError('JOB_REFUSED', 'It lasts longer than a device remembers.')
    return now
  }

  /** Only whoever signed a job, or administrates the device, ends it. */
  mustReach(by: ZoneKey, signer: string): void {
    const grant = this.grantOf(by)
    const isOwn = zoneToText(by) === signer
    if (!grant || !(isOwn || grant.rights.includes('admin'))) throw new BoxError('NOT_PERMITTED')
  }

  grantOf(zone: ZoneKey): Grant | null {
    return this.options.grants.find(zone, this.options.clock.now())
  }

  /** Why this person may not have it run; null where they may. */
  faultOf(signer: ZoneKey, { line, user }: Pick<Work, 'line' | 'user'>): string | null {
    const grant = this.grantOf(signer)
    if (!grant?.rights.includes('exec')) return 'Its signer may run no commands here.'
    if (grant.scope.approved)
      return 'The grant of its signer demands another person, who must be asked when it runs.'
    const tooFar = 'The grant of its signer does not reach so far.'
    if (!allowsCommand(grant.scope, line)) return tooFar
    if (user === undefined) return allowsUser(grant.scope, this.options.user) ? null : tooFar
    const { rights, scope } = grant
    const rightsOf = { allows: (right: Right) => rights.includes(right), scope: () => scope }
    const refusal = refusalOf(rightsOf, user, this.options.accounts)
    return refusal && new BoxError(refusal).message
  }
}

/** When a schedule runs next; null where it is none, or has no further time. Missed runs do not pile up: of
 * intervals one is made up for, of times of day none. */
export function dueAt(note: JobNote, now: number): number | null {
  const { work, is } = note
  if (is !== 'scheduled' || work.every === null) return null
  const schedule = parseSchedule(work.every)
  const last = anchorOf(note, now) ?? lastOf(note)
  return nextTime(schedule, schedule.is === 'interval' ? last : Math.max(last, now - LATE_MAX_MS))
}

/** From when a schedule counts whose last time was told by a clock that ran ahead; null where that is not so. */
export function anchorOf(note: JobNote, now: number): number | null {
  const isAhead = (at: number) => at > now + BACK_MAX_MS
  if (note.is !== 'scheduled' || !isAhead(lastOf(note))) return null
  return note.anchor === null || isAhead(note.anchor) ? now : note.anchor
}

const lastOf = ({ takenAt, runs }: JobNote): number => runs.at(-1)?.began ?? takenAt
