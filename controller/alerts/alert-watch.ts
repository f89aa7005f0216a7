/** The alerts of the fleet for as long as `box up` stays: looks, writes down, tells commands and rooms. */

import { pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import type { StatusView } from '../status-view.ts'
import { AlertCourier, type CourierParts } from './alert-courier.ts'
import { AlertDesk } from './alert-desk.ts'
import { type AlertSight, isListening, LOOK_EVERY_MS, markOf } from './alert-sight.ts'
import { type ShownAlert, shownAlert } from './shown-alert.ts'

export interface AlertWatchParts extends Pick<CourierParts, 'tell' | 'say'> {
  readonly sight: AlertSight
  readonly views: () => readonly StatusView[]
  /** The alerts of a device are others than before. */
  readonly changed: (view: StatusView) => void
  /** One fires, or is over; once each. */
  readonly happened: (alert: ShownAlert) => void
}

/** What the API tells of them. */
export interface AlertParts {
  readonly sight: AlertSight
  readonly deliveries: () => { readonly waiting: number; readonly failed: number }
}

export class AlertWatch {
  private readonly context: Context
  private readonly parts: AlertWatchParts
  private readonly desk: AlertDesk
  private readonly courier: AlertCourier
  private readonly marks = new WeakMap<StatusView, string>()

  constructor(context: Context, parts: AlertWatchParts) {
    this.context = context
    this.parts = parts
    this.desk = new AlertDesk(context)
    this.courier = new AlertCourier({ ...parts, context, desk: this.desk })
  }

  /** What waits to be told, and what was given up. */
  get deliveries(): { readonly waiting: number; readonly failed: number } {
    return { waiting: this.desk.waiting.length, failed: this.courier.failed }
  }

  /** Until the signal, and until what goes on then has ended. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.look()
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
        this.context.log.note('warn', 'alerts', 'not looked', { code: error.code })
      }
      await pause(this.context.clock, LOOK_EVERY_MS, signal)
    }
    await this.courier.close()
    await this.desk.save()
  }

  private async look(): Promise<void> {
    const { sight, views, changed, happened } = this.parts
    const all = views()
    const devices = all.map(view => view.observed())
    sight.look(devices, await isListening(this.context))
    const { acks, fleet, config } = sight
    const events = this.desk.compare(devices, fleet, { acks, targets: config.targets })
    for (const view of all) {
      const mark = markOf(view.alerts())
      if (mark !== (this.marks.get(view) ?? '')) changed(view)
      this.marks.set(view, mark)
    }
    for (const { record, ...owned } of events) happened(shownAlert(record, owned, acks))
    if (await this.desk.save()) this.courier.deliver(config.targets)
  }
}
