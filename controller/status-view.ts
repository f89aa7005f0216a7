/** One device as it is shown: how it is, or how it was and since when; kept for the next time. */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError, ERRORS, type ErrorCode } from '../src/base/errors.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { AlertSight } from './alerts/alert-sight.ts'
import type { Observed } from './alerts/fleet-alerts.ts'
import { alertsCell, type ShownAlert } from './alerts/shown-alert.ts'
import type { Context } from './context.ts'
import type { Device } from './fleet.ts'
import { recallStatus, rememberStatus } from './status-memory.ts'
import { cellsOf, reportOf, type StatusReport } from './status-report.ts'
import { followStatus, type StatusOptions, type Values } from './status-watch.ts'

/** While watching, what is known is written down so often. */
const REMEMBER_EVERY_MS = 60_000

type Failure = { readonly code: ErrorCode; readonly message: string } | null

/** As programs read it. */
export interface ShownStatus {
  readonly name: string
  /** Whether it is how the device was, not how it is. */
  readonly stale: boolean
  /** Null where it was never heard of. */
  readonly age_ms: number | null
  readonly error: Failure
  readonly status: StatusReport | null
  /** Those that fire. */
  readonly alerts: readonly ShownAlert[]
}

/** What is known of one device. */
export class StatusView {
  /** May be called otherwise later. */
  device: Device
  failure: Failure = null
  private readonly context: Context
  private values: Values | null = null
  /** What they say, once it was asked for. */
  private report: StatusReport | null = null
  /** When the values were known to be so; null: they are so now. */
  private knownAt: number | null
  private isChanged = false
  private writtenAt: number
  private readonly sight: AlertSight | null

  /** With `sight`, what our own rules say of it is among its alerts. */
  constructor(context: Context, device: Device, sight: AlertSight | null = null) {
    this.context = context
    this.device = device
    this.sight = sight
    const remembered = recallStatus(context.state, device)
    this.values = remembered?.values ?? null
    this.knownAt = remembered?.at ?? context.clock.now()
    // Those of a whole fleet that is followed from one moment on are not all written in another.
    this.writtenAt = context.clock.elapsed() - context.random.below(REMEMBER_EVERY_MS)
  }

  /** Says whether there is something to show. */
  fresh(values: Values): boolean {
    const isNews = this.knownAt !== null || !sameValues(this.values, values)
    if (isNews) this.report = null
    this.values = values
    this.knownAt = null
    this.failure = null
    this.isChanged = true
    if (this.context.clock.elapsed() - this.writtenAt > REMEMBER_EVERY_MS)
      this.context.meanwhile(this.remember())
    return isNews
  }

  stale(why: BoxError | null): boolean {
    const wasFresh = this.knownAt === null
    if (wasFresh) this.knownAt = this.context.clock.now()
    const isNews = wasFresh || (why !== null && why.code !== this.failure?.code)
    if (why) this.failure = { code: why.code, message: why.message }
    return isNews
  }

  /** Writes down what was heard. A state that cannot be written is no reason to fail. */
  async remember(): Promise<void> {
    const { state, clock, log } = this.context
    if (!this.values || !this.isChanged) return
    this.isChanged = false
    this.writtenAt = clock.elapsed()
    try {
      await rememberStatus(state, this.device, {
        at: this.knownAt ?? clock.now(),
        values: this.values,
      })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'controller', 'status not remembered', { code: error.code })
    }
  }

  cells(): string[] {
    const now = this.context.clock.now()
    const [seen, ...cells] = cellsOf(this.device.name, this.said(), this.ageMs(now), now).reverse()
    return [...cells.reverse(), alertsCell(this.alerts()), seen!]
  }

  /** When it was last heard of; of one that never was, when it was paired. */
  get seenAt(): number {
    if (!this.values) return this.device.pairedAt
    return this.knownAt ?? this.context.clock.now()
  }

  /** What is known of it, for rules. */
  observed(): Observed {
    const { zone, name, tags } = this.device
    const refuses = this.failure !== null && ERRORS[this.failure.code][0] === 'refused'
    return {
      zone: zoneToText(zone),
      name,
      tags,
      values: this.values,
      knownAt: this.knownAt,
      refuses,
    }
  }

  alerts(): readonly ShownAlert[] {
    const all = this.sight?.alertsOf(this.observed()) ?? []
    return all.filter(({ state }) => state === 'firing')
  }

  json(): ShownStatus {
    const now = this.context.clock.now()
    const ageMs = this.ageMs(now)
    return {
      name: this.device.name,
      stale: ageMs !== null,
      age_ms: this.values ? (ageMs ?? 0) : null,
      error: this.failure,
      status: this.said(),
      alerts: this.alerts(),
    }
  }

  /** Read once: with many devices it is asked for far more often than it changes. */
  private said(): StatusReport | null {
    this.report ??= this.values && reportOf(this.values)
    return this.report
  }

  private ageMs(now: number): number | null {
    return this.knownAt === null ? null : Math.max(0, now - this.knownAt)
  }
}

/** Has a view follow its device, until the signal of the context or its first state; told of each change. */
export async function followView(
  context: Context,
  view: StatusView,
  options: StatusOptions,
  changed: () => void,
): Promise<void> {
  try {
    await followStatus(context, view.device, options, {
      fresh: values => view.fresh(values) && changed(),
      stale: why => view.stale(why) && changed(),
    })
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    view.stale(error)
    changed()
  }
}

function sameValues(a: Values | null, b: Values): boolean {
  if (a?.size !== b.size) return false
  for (const [name, value] of b) {
    const before = a.get(name)
    if (!before || !equalBytes(before, value)) return false
  }
  return true
}
