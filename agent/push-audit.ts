/**
 * What the audit journal says of pushes: that one was begun, staged, waits for its confirmation, was confirmed,
 * put back or refused, and why; by whom, or by the device itself.
 *
 * How a change ended is found in the history of the applier as well: an end that could not be written down here,
 * as the agent was ended then or another process put it back, is written down at the next start.
 */

import type { ZoneKey } from '../src/base/ids.ts'
import { openRelease } from '../src/box/bundle/release.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import type { PushEvent } from './apply/applier.ts'
import type { Act, Outcome } from './apply/push-state.ts'
import type { AuditNotes } from './audit-notes.ts'

/** Where a change begins: what is asked for, by whom. */
export interface PushRequested {
  readonly zone: ZoneKey
  readonly act: Act
  /** Which release, or which generation. */
  readonly about: string
}

export class PushAudit {
  private readonly notes: AuditNotes
  /** A controller that asks again and again is refused once here. */
  private refusedLast = ''
  /** The change whose end is written down. */
  private endedLast = ''

  constructor(notes: AuditNotes) {
    this.notes = notes
  }

  begun({ zone, act, about }: PushRequested): void {
    this.refusedLast = ''
    this.notes.note({ zone, what: act, detail: about, result: 'begun' })
  }

  refused({ zone, act, about }: PushRequested, why: string): void {
    const detail = [about, why].filter(part => part !== '').join(': ')
    const said = `${zoneToText(zone)} ${act} ${detail}`
    if (said === this.refusedLast) return
    this.refusedLast = said
    this.notes.note({ zone, what: act, detail, result: 'refused' })
  }

  /** There was nothing to change. */
  unchanged({ zone, act, about }: PushRequested): void {
    this.notes.note({ zone, what: act, detail: about, result: 'unchanged' })
  }

  /** Something has drifted and could not be put right. */
  notRepaired(why: string): void {
    this.notes.note({ zone: null, what: 'repair', detail: why, result: 'refused' })
  }

  happened(event: PushEvent): void {
    if (event.is === 'ended') {
      this.ended(event.outcome)
      return
    }
    const { act, name, sequence, id } = event
    const detail = `${bundleText(name, sequence)}, change ${id}`
    this.notes.note({ zone: null, what: act, detail, result: event.is })
  }

  /** Writes down how the last change ended where that is missing. */
  catchUp(last: Outcome | null): void {
    if (!last) return
    const entries = this.notes.all()
    const isThere = entries.some(
      ({ detail, result }) => result === last.is && detail.includes(last.id),
    )
    // The older half of a full journal goes: what lies before its beginning was there.
    const isBefore = entries.length > 0 && entries[0]!.number > 1 && last.at < entries[0]!.at
    if (isThere || isBefore) this.endedLast = last.id
    else this.ended(last)
  }

  private ended(outcome: Outcome): void {
    const { act, is, id, name, sequence, generation, reason, by, complaints, at } = outcome
    // A crash may have come between the history and the end of the change: then it ends twice.
    if (id === this.endedLast) return
    this.endedLast = id
    const change = `${bundleText(name, sequence)}, change ${id}, generation ${generation} holds`
    const detail = [change, ...(reason ? [reason] : []), ...complaints].join('; ')
    this.notes.note({ zone: by === null ? null : zoneOf(by), what: act, detail, result: is, at })
  }
}

/** The release that is asked for, as far as it can be read: what is signed by nobody has no name. */
export function aboutRelease(signed: Uint8Array): string {
  try {
    const { name, sequence, signer } = openRelease(signed)
    return `${bundleText(name, sequence)} signed by ${zoneToText(signer)}`
  } catch {
    return '' // Why it is refused says what is wrong with it.
  }
}

/** Number 0 is what was there before the first push, and what was never tried. */
const bundleText = (name: string, sequence: number): string =>
  [name === '' ? 'what was there first' : `"${name}"`, ...(sequence > 0 ? [sequence] : [])].join(
    ' ',
  )

function zoneOf(text: string): ZoneKey | null {
  try {
    return zoneFromText(text)
  } catch {
    return null // Of a damaged history.
  }
}
