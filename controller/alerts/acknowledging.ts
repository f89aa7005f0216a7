/** Taking note of an alert: of the one that fires, until it is over; or of all of a rule on a device, for a time. */

import { BoxError } from '../../src/base/errors.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { acknowledge } from './ack-book.ts'
import type { ShownAlert } from './shown-alert.ts'

export interface Acknowledgement {
  readonly rule: string
  /** Null: until what fires is over; 0: no longer. */
  readonly forMs: number | null
  /** Those of the device that fire. */
  readonly alerts: readonly ShownAlert[]
}

/** Fails with ALERT_UNKNOWN where nothing fires that could be meant, STATE_LOCKED, STATE_UNWRITABLE. */
export async function acknowledgeAlert(
  { state, clock }: Pick<Context, 'state' | 'clock'>,
  device: Device,
  { rule, forMs, alerts }: Acknowledgement,
): Promise<void> {
  const sinces = alerts.filter(one => one.rule === rule).map(({ since }) => Date.parse(since))
  if (forMs === null && sinces.length === 0)
    throw new BoxError('ALERT_UNKNOWN', `"${rule}" does not fire on ${device.name}.`)
  const at = clock.now()
  const until = forMs === null ? null : at + forMs
  await acknowledge(state, { zone: zoneToText(device.zone), rule, sinces, until, at })
}
