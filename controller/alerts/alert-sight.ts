/**
 * The alerts of the devices that a command shows: the devices' own, and those of our rules, which go on from what a
 * `box up` has written down. Every command that shows devices has one; only `box up` tells others (alert-watch.ts).
 */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Listening } from '../../src/mesh/mesh.ts'
import type { Context } from '../context.ts'
import type { StatusView } from '../status-view.ts'
import { type Acks, acksNow } from './ack-book.ts'
import { recallBook } from './alert-book.ts'
import { ALERTS_FILE, type AlertConfig, alertConfig } from './alert-config.ts'
import { FleetAlerts, type Observed } from './fleet-alerts.ts'
import { type ShownAlert, shownAlert } from './shown-alert.ts'

export const LOOK_EVERY_MS = 5_000

export class AlertSight {
  readonly fleet: FleetAlerts
  /** The rules that hold; of a file that is wrong, those before. */
  config: AlertConfig = { rules: [], targets: [] }
  /** What is wrong with alerts.json; null: nothing. */
  fault: string | null = null
  acks: Acks
  private readonly context: Context
  private text: string | null | undefined = undefined

  /** With `isOnce`, how it was counts as how it is: see FleetAlerts. */
  constructor(context: Context, { isOnce = false } = {}) {
    const { state, clock } = context
    this.context = context
    this.acks = acksNow(state, clock.now())
    const devices = recallBook(state).devices
    const kept = new Map([...devices].map(([zone, { records }]) => [zone, records]))
    this.fleet = new FleetAlerts({ clock, kept, isOnce })
    this.readRules()
  }

  /** How it is now. */
  look(devices: readonly Observed[], isListening: boolean): void {
    this.acks = acksNow(this.context.state, this.context.clock.now())
    this.readRules()
    this.fleet.look(this.config.rules, devices, isListening)
  }

  /** All of a device: those that fire, and the last that did. */
  alertsOf(device: Observed): readonly ShownAlert[] {
    this.fleet.hear(device)
    return this.fleet
      .alertsOf(device.zone)
      .map(({ origin, record }) =>
        shownAlert(record, { device: device.name, zone: device.zone, origin }, this.acks),
      )
  }

  /** Those of our rules that hold, and not for long enough yet. */
  pendingOf({ zone, name }: Observed): readonly ShownAlert[] {
    const now = this.context.clock.now()
    return this.fleet.pending(zone, this.config.rules).map(([rule, ms]) => ({
      ...{ device: name, rule: rule.name, origin: 'controller', state: 'pending', value: '' },
      ...{ when: rule.text, since: new Date(now - ms).toISOString(), until: null },
      acknowledged: false,
    }))
  }

  /** Looks now and then, and tells of devices whose alerts are others than before. */
  follow(views: readonly StatusView[], changed: (view: StatusView) => void): Listening {
    const { clock } = this.context
    const before = new Map<StatusView, string>()
    let timer: Timer
    const look = async () => {
      this.look(
        views.map(view => view.observed()),
        await isListening(this.context),
      )
      for (const view of views) {
        const now = markOf(view.alerts())
        if ((before.get(view) ?? '') !== now) changed(view)
        before.set(view, now)
      }
      if (!isClosed) timer = clock.after(LOOK_EVERY_MS, () => this.context.meanwhile(look()))
    }
    let isClosed = false
    timer = clock.after(LOOK_EVERY_MS, () => this.context.meanwhile(look()))
    return {
      close: () => {
        isClosed = true
        timer.cancel()
      },
    }
  }

  private readRules(): void {
    const { state } = this.context
    try {
      const text = state.readText(ALERTS_FILE)
      if (text === this.text) return
      this.text = text
      this.config = alertConfig(state)
      this.fault = null
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.fault = error.detail
    }
  }
}

/** What tells whether the alerts of a device are others than before. */
export const markOf = (alerts: readonly ShownAlert[]): string =>
  alerts.map(one => `${one.origin} ${one.rule} ${one.since} ${one.acknowledged}`).join(',')

/** Whether devices could be heard: without a neighbour it is us who are silent. */
export async function isListening(context: Context): Promise<boolean> {
  const { neighbours } = (await context.mesh()).status()
  return neighbours.some(({ state }) => state === 'up')
}
