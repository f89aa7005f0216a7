/**
 * Who is told of what: compares the alerts of the fleet with what is written down, writes down what is to be told
 * before anybody is, and takes it off the list when it has been. What it could not write, it tells nobody.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import type { Acks } from './ack-book.ts'
import {
  type AlertBook,
  type AlertEvent,
  BOOK_FILE,
  type Delivery,
  type DeviceNotes,
  formatBook,
  recallBook,
} from './alert-book.ts'
import { isAbout, type Target } from './alert-config.ts'
import { newsOf } from './alert-news.ts'
import type { FleetAlerts, Observed } from './fleet-alerts.ts'

/** More is a flood: the oldest are no news any more. */
const DELIVERIES_MAX = 1_000
/** Nor is what could not be told for so long. */
const STALE_MS = 86_400_000

export class AlertDesk {
  private readonly context: Context
  private book: AlertBook
  private text: string
  private saving: Promise<boolean> = Promise.resolve(true)

  constructor(context: Context) {
    this.context = context
    this.book = recallBook(context.state)
    this.text = formatBook(this.book)
  }

  get devices(): AlertBook['devices'] {
    return this.book.devices
  }

  get waiting(): readonly Delivery[] {
    return this.book.deliveries
  }

  /** Looks what is new, and lists it for those who are to be told; what happened. */
  compare(
    devices: readonly Observed[],
    alerts: FleetAlerts,
    { acks, targets }: { readonly acks: Acks; readonly targets: readonly Target[] },
  ): readonly AlertEvent[] {
    const now = this.context.clock.now()
    const notes = new Map<string, DeviceNotes>()
    const happened: AlertEvent[] = []
    const added: Delivery[] = []
    for (const device of devices) {
      const { zone, name, tags } = device
      const news = newsOf(this.book.devices.get(zone) ?? null, {
        ...{ zone, device: name, isKnown: device.values !== null, acks, now },
        ...{ alerts: alerts.alertsOf(zone), records: alerts.records(zone) },
      })
      notes.set(zone, news.notes)
      for (const event of news.events) {
        happened.push(event)
        for (const target of targets)
          if (isFor(target, event, { name, tags })) added.push(deliveryOf(target, event, now))
      }
    }
    const keys = new Set(targets.map(({ key }) => key))
    const kept = this.book.deliveries.filter(
      ({ target, at }) => keys.has(target) && at > now - STALE_MS,
    )
    this.book = { devices: notes, deliveries: [...kept, ...added].slice(-DELIVERIES_MAX) }
    return happened
  }

  /** Changes some that wait; null takes one off the list. */
  change(which: readonly Delivery[], edit: (delivery: Delivery) => Delivery | null): void {
    const ids = new Set(which.map(idOf))
    const deliveries = this.book.deliveries.flatMap(one =>
      ids.has(idOf(one)) ? (edit(one) ?? []) : one,
    )
    this.book = { ...this.book, deliveries }
  }

  /** Whether all of it is on the disk. */
  save(): Promise<boolean> {
    this.saving = this.saving.then(() => this.write())
    return this.saving
  }

  private async write(): Promise<boolean> {
    const { state, log } = this.context
    const text = formatBook(this.book)
    if (text === this.text) return true
    try {
      await state.exclusively(() => state.writeText(BOOK_FILE, text))
      this.text = text
      return true
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'alerts', 'not kept', { code: error.code })
      return false
    }
  }
}

export const idOf = ({ target, event }: Delivery): string => `${event.id} ${target}`

const isFor = (
  { rules, devices }: Target,
  { record }: AlertEvent,
  device: Parameters<typeof isAbout>[1],
): boolean => isAbout(devices, device) && (rules === null || rules.includes(record.rule))

const deliveryOf = ({ key: target }: Target, event: AlertEvent, at: number): Delivery => ({
  ...{ target, event, at, notBefore: at, tries: 0, batch: null },
})
