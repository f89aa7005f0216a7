/**
 * What this agent writes into its audit journal, with the name that a zone has here. A full disk keeps nobody
 * out: whoever comes may come to make room. The log says that something is missing.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { AuditEntry, AuditEvent, AuditLog } from '../src/box/audit.ts'
import type { GrantBook } from '../src/box/grant.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { DeviceKeys } from './device-keys.ts'
import type { Caller } from './ssh-server.ts'

/** How the device calls itself where nobody asked it to do what it did. */
const ITSELF = 'the device itself'

export interface AuditNotesOptions {
  readonly audit: AuditLog
  readonly grants: GrantBook
  readonly device: Pick<DeviceKeys, 'zone'>
  readonly clock: Clock
  readonly log: Log
}

/** One entry, but for the name of who did it; `at` where that was not now. */
export type AuditNote = Pick<AuditEvent, 'what' | 'detail' | 'result'> & {
  /** Null: the device itself. */
  readonly zone: ZoneKey | null
  /** Of an SSH key, where one was used. */
  readonly key?: string
  readonly at?: number
}

export class AuditNotes {
  private readonly options: AuditNotesOptions

  constructor(options: AuditNotesOptions) {
    this.options = options
  }

  note({ zone, key = '', what, detail, result, at }: AuditNote): void {
    const { audit, device, clock, log } = this.options
    const event = { who: this.nameOf(zone), zone: zoneToText(zone ?? device.zone), key }
    try {
      audit.note({ ...event, what, detail, result }, at ?? clock.now())
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('error', 'audit', 'not audited', { what, code: error.code })
    }
  }

  /** For what somebody does who came with this SSH key, as the user that was asked for, if any. */
  by(zone: ZoneKey, key: string, user: string | null): Caller['note'] {
    return (what, detail, result, at) =>
      this.note({ zone, key, what, detail: asUser(user, detail), result, ...(at && { at }) })
  }

  all(): readonly AuditEntry[] {
    return this.options.audit.all()
  }

  private nameOf(zone: ZoneKey | null): string {
    if (zone === null) return ITSELF
    return this.options.grants.all().find(grant => equalBytes(grant.zone, zone))?.holder ?? ''
  }
}

/** What was done, and as whom where that is not whoever the agent runs as. */
export const asUser = (user: string | null, detail: string): string => {
  if (user === null) return detail
  return detail === '' ? `as ${user}` : `as ${user}: ${detail}`
}
