/** Keys that owners and guests of this device have given up for others (src/box/succession.ts). */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { GrantBook } from '../src/box/grant.ts'
import { readSuccessionChain } from '../src/box/succession.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { MailShelf } from './mail-shelf.ts'
import type { Rooms } from './rooms.ts'

export interface SuccessionsOptions {
  readonly grants: GrantBook
  /** Null where this device hosts none. */
  readonly rooms: Pick<Rooms, 'succeed'> | null
  /** Null where this device keeps no letters. */
  readonly mail: Pick<MailShelf, 'succeed'> | null
  readonly audit: AuditNotes
  readonly clock: Clock
  readonly log: Log
  /** Told which key may do nothing any more, for what is open to end. */
  readonly ended: (zone: ZoneKey) => void
}

export class Successions {
  private readonly options: SuccessionsOptions

  constructor(options: SuccessionsOptions) {
    this.options = options
  }

  /** Follows what leads to the key `last`, where that is known, as far as it means anything here. Never fails for what was said. */
  take(chain: Uint8Array, last: ZoneKey | null): void {
    try {
      for (const link of readSuccessionChain(chain, last)) this.follow(link)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      // Whoever knows the device's key may say such things: the journal is not for them to fill.
      this.options.log.note('info', 'successions', 'not followed', { why: error.detail })
    }
  }

  private follow(link: ReturnType<typeof readSuccessionChain>[number]): void {
    const { grants, rooms, mail, clock, audit, ended } = this.options
    const { before, after } = link
    if (!grants.mayRetire(link, clock.now())) return
    const isInRooms = rooms?.succeed(before, after) ?? false
    if (!grants.succeed(link, clock.now()) && !isInRooms) return
    mail?.succeed(before, after)
    ended(before)
    const detail = `in place of ${zoneToText(before)}`
    audit.note({ zone: after, what: 'rotate', detail, result: 'done' })
  }
}
