/** What is new among the alerts of a device since it was last looked at: what somebody is to be told, once. */

import type { AlertRecord } from '../../src/box/alert/keeper.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Acks } from './ack-book.ts'
import type { AlertEvent, DeviceNotes, Standing } from './alert-book.ts'
import type { FleetAlert } from './fleet-alerts.ts'

const ID_SIZE = 16
const encoder = new TextEncoder()

export interface NewsParts {
  readonly zone: string
  readonly device: string
  /** Whether the device has ever said anything: else what is known of it is from before. */
  readonly isKnown: boolean
  readonly alerts: readonly FleetAlert[]
  /** Of our own rules. */
  readonly records: readonly AlertRecord[]
  readonly acks: Acks
  readonly now: number
}

/**
 * The notes as they are to be, and what is to be told. Of what was over before the device was seen for the first
 * time nothing is told; of what began and ended between two looks both are. Who was not told that something fires,
 * because somebody has taken note of it, is not told that it is over.
 */
export function newsOf(
  before: DeviceNotes | null,
  parts: NewsParts,
): { readonly notes: DeviceNotes; readonly events: readonly AlertEvent[] } {
  const { alerts, zone, acks, now } = parts
  const events: AlertEvent[] = []
  const tell = (is: AlertEvent['is'], { origin, record }: FleetAlert) =>
    events.push(eventOf(is, { origin, record }, parts))
  const firing = alerts.filter(({ record }) => record.until === null)
  const over = alerts.filter(({ record }) => record.until !== null)
  const known = before?.standing ?? []
  for (const one of known) {
    if (isAmong(firing, one) || isUnseen(one, parts) || !one.told) continue
    const ended = over.find(other => isSame(other, one))?.record
    tell('over', { ...one, record: { ...one.record, until: ended?.until ?? now } })
  }
  const isHeardBefore = Boolean(before?.over)
  const seen = new Set(before?.over ?? [])
  const passed = over.filter(({ origin }) => origin === 'device')
  for (const one of passed.toReversed()) {
    const isNews = isHeardBefore && !seen.has(markOf(one)) && !isAmong(known, one)
    if (!isNews || acks.has(zone, one.record)) continue
    tell('fires', { ...one, record: { ...one.record, until: null } })
    tell('over', one)
  }
  const standing = firing.map((one): Standing => {
    const told = known.find(other => isSame(other, one))?.told ?? false
    if (told || acks.has(zone, one.record)) return { ...one, told }
    tell('fires', one)
    return { ...one, told: true }
  })
  const unseen = known.filter(one => isUnseen(one, parts))
  const notes = {
    ...{ records: parts.records, standing: [...standing, ...unseen] },
    over: parts.isKnown ? passed.map(markOf) : (before?.over ?? null),
  }
  return { notes, events }
}

/** Of a device that has said nothing yet, what it said before is as it was. */
const isUnseen = ({ origin }: Standing, { isKnown }: NewsParts): boolean =>
  origin === 'device' && !isKnown

const markOf = ({ record }: FleetAlert): string => `${record.rule} ${record.since}`

const isSame = (a: FleetAlert, b: FleetAlert): boolean =>
  a.origin === b.origin && markOf(a) === markOf(b)

const isAmong = (all: readonly FleetAlert[], one: FleetAlert): boolean =>
  all.some(other => isSame(other, one))

function eventOf(
  is: AlertEvent['is'],
  { origin, record }: FleetAlert,
  { zone, device }: NewsParts,
): AlertEvent {
  const words = JSON.stringify([zone, origin, record.rule, record.since, is])
  const id = encodeBase32(sha256(encoder.encode(words)).slice(0, ID_SIZE))
  return { id, is, device, zone, origin, record }
}
