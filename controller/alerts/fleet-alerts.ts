/**
 * The alerts of a fleet, as a controller sees them: those that devices tell of, and those of its own rules about
 * them. Silence is one: a device is silent for as long as we could have heard it and did not.
 */

import type { Clock } from '../../src/base/clock.ts'
import { variablesIn } from '../../src/box/alert/condition.ts'
import { Facts, factsOf, tellTime } from '../../src/box/alert/facts.ts'
import { judge } from '../../src/box/alert/judgement.ts'
import { AlertKeeper, type AlertRecord } from '../../src/box/alert/keeper.ts'
import { NO_ALERTS, readAlerts } from '../../src/box/alert/report.ts'
import type { Values } from '../status-watch.ts'
import { type FleetRule, isAbout } from './alert-config.ts'
import type { Origin } from './shown-alert.ts'

/** What is known of a device at the moment. */
export interface Observed {
  readonly zone: string
  readonly name: string
  readonly tags: readonly string[]
  readonly values: Values | null
  /** When it was so, in milliseconds since 1970; null: it is so now. */
  readonly knownAt: number | null
  /** It answers, and does not let us see its status. */
  readonly refuses: boolean
}

/** Longer between two looks is no time in which we listened: the machine slept. */
const LISTENED_MAX_MS = 15_000

interface Watched {
  readonly keeper: AlertKeeper
  silentMs: number
  values: Values | null
  facts: Facts | null
  told: typeof NO_ALERTS
}

/** One alert of one device. */
export interface FleetAlert {
  readonly origin: Origin
  readonly record: AlertRecord
}

export interface FleetAlertsOptions {
  readonly clock: Clock
  /** What is kept of our own rules, by the zone of the device. */
  readonly kept: ReadonlyMap<string, readonly AlertRecord[]>
  /** Nothing is waited for: how it was counts as how it is. For whoever looks only once. */
  readonly isOnce?: boolean
}

export class FleetAlerts {
  private readonly options: FleetAlertsOptions
  private readonly watched = new Map<string, Watched>()
  private lookedAt: number

  constructor(options: FleetAlertsOptions) {
    this.options = options
    this.lookedAt = options.clock.elapsed()
  }

  /** How it is now; `isListening`: whether we would hear devices, for without a hub it is us who are silent. */
  look(rules: readonly FleetRule[], devices: readonly Observed[], isListening: boolean): void {
    const now = this.options.clock.elapsed()
    const passed = isListening ? Math.min(LISTENED_MAX_MS, now - this.lookedAt) : 0
    this.lookedAt = now
    const there = new Set(devices.map(({ zone }) => zone))
    for (const zone of this.watched.keys()) if (!there.has(zone)) this.watched.delete(zone)
    for (const device of devices) {
      const one = this.watchedOf(device.zone)
      const isHeard = device.knownAt === null || device.refuses
      one.silentMs = isHeard ? 0 : one.silentMs + passed
      this.hear(device)
      const own = rules.filter(({ devices: meant }) => isAbout(meant, device))
      one.keeper.forget(name => own.some(rule => rule.name === name))
      for (const rule of own) this.judge(rule, device, one)
      one.keeper.tidy()
    }
  }

  /** All of a device: those that fire, and the last that did. */
  alertsOf(zone: string): readonly FleetAlert[] {
    const one = this.watched.get(zone)
    if (!one) return []
    const mark = (origin: Origin) => (record: AlertRecord) => ({ origin, record })
    return [
      ...one.told.records.map(mark('device')),
      ...one.keeper.records().map(mark('controller')),
    ]
  }

  /** What is wrong with the rules that a device has; null: nothing. */
  faultOf(zone: string): string | null {
    return this.watched.get(zone)?.told.fault ?? null
  }

  /** Those of our rules that hold on a device without firing yet, and for how long in milliseconds. */
  pending(zone: string, rules: readonly FleetRule[]): readonly [FleetRule, number][] {
    const keeper = this.watched.get(zone)?.keeper
    return rules.flatMap((rule): [FleetRule, number][] => {
      const ms = keeper?.holdsFor(rule.name) ?? null
      return ms === null ? [] : [[rule, ms]]
    })
  }

  /** What is to be kept of our own rules on a device. */
  records(zone: string): readonly AlertRecord[] {
    return this.watched.get(zone)?.keeper.records() ?? []
  }

  private judge(rule: FleetRule, device: Observed, one: Watched): void {
    const isAway = device.knownAt !== null
    // How it was is not how it is: of a device that is away we know only that.
    const needsFacts = !this.isOnSilenceAlone(rule)
    const facts = needsFacts && !(isAway && !this.options.isOnce) ? this.factsOf(one) : new Facts()
    const firing = one.keeper.firing(rule.name)
    facts.number('_silent', this.silenceOf(device, one, firing))
    const rests = rule.until ? { rests: judge(rule.until, facts) } : {}
    const verdict = judge(rule.when, facts)
    // Where we began anew we do not know yet for how long it has been silent.
    const isOpen = isAway && firing !== null && verdict.holds === false
    one.keeper.look(rule, isOpen ? { holds: null, value: '' } : verdict, { ...rests, isAway })
  }

  /**
   * Seconds. What fires already is not over because we began anew and have not heard it since; and who looks once
   * goes by when it was heard the last time.
   */
  private silenceOf(
    { knownAt, refuses }: Observed,
    { silentMs }: Watched,
    firing: AlertRecord | null,
  ): number | null {
    if (refuses) return null
    if (knownAt === null) return 0
    const { clock, isOnce } = this.options
    const now = clock.now()
    const knownMs = firing || isOnce ? now - knownAt : 0
    return Math.max(silentMs, knownMs, firing ? now - firing.since : 0) / 1_000
  }

  private isOnSilenceAlone({ when, until }: FleetRule): boolean {
    const all = [...variablesIn(when), ...(until ? variablesIn(until) : [])]
    return all.every(({ name, isFamily }) => name === '_silent' && !isFamily)
  }

  private factsOf(one: Watched): Facts {
    one.facts ??= factsOf(one.values ?? new Map(), this.options.clock.now())
    tellTime(one.facts, this.options.clock.now())
    return one.facts
  }

  /** What a device says itself counts at once. */
  hear({ zone, values }: Pick<Observed, 'zone' | 'values'>): void {
    const one = this.watchedOf(zone)
    if (one.values === values) return
    one.values = values
    one.facts = null
    one.told = values ? readAlerts(values) : NO_ALERTS
  }

  private watchedOf(zone: string): Watched {
    const known = this.watched.get(zone)
    if (known) return known
    const { clock, kept } = this.options
    const keeper = new AlertKeeper({ clock, kept: kept.get(zone) ?? [] })
    const made = { keeper, silentMs: 0, values: null, facts: null, told: NO_ALERTS }
    this.watched.set(zone, made)
    return made
  }
}
