/** An alert as it is shown: by which rule, whose, since when, and whether somebody has taken note of it. */

import type { AlertRecord } from '../../src/box/alert/keeper.ts'
import type { Acks } from './ack-book.ts'

/** Whose rule it is: that of the device, or ours about it. */
export type Origin = 'device' | 'controller'

/** As programs read it. */
export interface ShownAlert {
  readonly device: string
  readonly rule: string
  readonly origin: Origin
  /** `pending`: it holds, but not for long enough yet. */
  readonly state: 'firing' | 'over' | 'pending'
  readonly value: string
  readonly when: string
  /** ISO 8601. */
  readonly since: string
  readonly until: string | null
  readonly acknowledged: boolean
}

export interface Owned {
  readonly device: string
  readonly zone: string
  readonly origin: Origin
}

export function shownAlert(
  record: AlertRecord,
  { device, zone, origin }: Owned,
  acks: Acks,
): ShownAlert {
  const { rule, value, when, since, until } = record
  return {
    ...{ device, rule, origin, value, when },
    state: until === null ? 'firing' : 'over',
    since: new Date(since).toISOString(),
    until: until === null ? null : new Date(until).toISOString(),
    acknowledged: until === null && acks.has(zone, record),
  }
}

const NAMED_MAX = 2

/** In a cell of a table: the rules that fire; in parentheses those that somebody knows of. */
export function alertsCell(alerts: readonly ShownAlert[]): string {
  const firing = alerts.filter(({ state }) => state === 'firing')
  if (firing.length === 0) return '-'
  const names = firing
    .toSorted((a, b) => Number(a.acknowledged) - Number(b.acknowledged))
    .map(({ rule, acknowledged }) => (acknowledged ? `(${rule})` : rule))
  const more = names.length > NAMED_MAX ? ` +${names.length - NAMED_MAX}` : ''
  return `${names.slice(0, NAMED_MAX).join(', ')}${more}`
}
