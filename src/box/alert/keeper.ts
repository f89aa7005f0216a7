/**
 * The alerts of one device: what its rules say, over time. A rule fires when it has held for as long as it says, and
 * is over when it has not held for as long; one that comes and goes has to be quiet for longer each time, so that
 * nobody is told of it more than a few times an hour. What fires, and what did, survives a restart.
 */

import type { Clock } from '../../base/clock.ts'
import type { Verdict } from './judgement.ts'
import type { AlertRule } from './rule.ts'

/** A rule that fired: still, where `until` is null. */
export interface AlertRecord {
  readonly rule: string
  /** The rule as it was written. */
  readonly when: string
  /** By what it is so; of one that is over, by what it was last. */
  readonly value: string
  /** Milliseconds since 1970. */
  readonly since: number
  readonly until: number | null
}

/** Also of a rule that has no `for`: shorter silence is none. */
const REST_MIN_MS = 60_000
const REST_MAX_MS = 3_600_000
/** How often it fired in the time before says for how long it has to rest. */
const FLAPS_WITHIN_MS = 3_600_000
/** What became unknown is as it was, for so long: a probe may fail once. */
const UNKNOWN_MS = 15 * 60_000
/** What it is by is told anew so often: it changes all the time. */
const VALUE_EVERY_MS = 5 * 60_000
const DAY_MS = 86_400_000
/** Those that are over are kept so long, and so many. */
export const OVER_MAX = 8

/** How one rule stands; times are of clock.elapsed. */
interface Standing {
  /** Since when it holds, while it does not fire; since when it does not, while it does. */
  turnedAt: number | null
  knownAt: number
  firing: AlertRecord | null
  valueAt: number
  /** When it fired lately; the last ones. */
  readonly fired: number[]
}

export interface AlertKeeperOptions {
  readonly clock: Clock
  /** What was kept of it; none the first time. */
  readonly kept: readonly AlertRecord[]
}

/** What happened to a rule. */
export interface AlertChange {
  readonly is: 'fires' | 'over'
  readonly record: AlertRecord
}

export class AlertKeeper {
  private readonly clock: Clock
  private readonly standings = new Map<string, Standing>()
  private past: readonly AlertRecord[]

  constructor({ clock, kept }: AlertKeeperOptions) {
    this.clock = clock
    this.past = kept.filter(({ until }) => until !== null)
    for (const record of kept) if (record.until === null) this.of(record.rule).firing = record
  }

  /** Those that fire, by their names; then those that are over, the latest first. */
  records(): readonly AlertRecord[] {
    const firing = [...this.standings.values()].flatMap(({ firing: one }) => one ?? [])
    return [...firing.toSorted((a, b) => (a.rule < b.rule ? -1 : 1)), ...this.past]
  }

  firing(rule: string): AlertRecord | null {
    return this.standings.get(rule)?.firing ?? null
  }

  /** How long it holds already without firing yet, in milliseconds; null where it does not, or fires. */
  holdsFor(rule: string): number | null {
    const { firing = null, turnedAt = null } = this.standings.get(rule) ?? {}
    return firing || turnedAt === null ? null : this.clock.elapsed() - turnedAt
  }

  /**
   * What is so now; `rests` is the verdict on `until`, where the rule has one. With `isAway` nothing new is
   * known: what is not known then changes nothing, however long.
   */
  look(
    rule: AlertRule,
    verdict: Verdict,
    { rests, isAway = false }: { readonly rests?: Verdict; readonly isAway?: boolean } = {},
  ): AlertChange | null {
    const standing = this.of(rule.name)
    const now = this.clock.elapsed()
    const { firing } = standing
    const wanted = firing && rests ? not(rests.holds) : verdict.holds
    if (wanted !== null) standing.knownAt = now
    if (wanted === null && (isAway || now - standing.knownAt < UNKNOWN_MS)) return null
    const holds = wanted ?? false
    if (!firing) return holds ? this.hold(rule, standing, verdict) : this.turn(standing, null)
    if (holds) {
      this.renew(standing, firing, verdict)
      return this.turn(standing, null)
    }
    standing.turnedAt ??= now
    return now - standing.turnedAt >= this.restOf(rule, standing) ? this.end(rule.name) : null
  }

  /** Of rules that are no more; what fires by them is over. */
  forget(isKept: (rule: string) => boolean): AlertChange[] {
    const gone = [...this.standings.keys()].filter(rule => !isKept(rule))
    return gone.flatMap(rule => {
      const change = this.end(rule)
      this.standings.delete(rule)
      return change ?? []
    })
  }

  /** Takes out what was over long ago. Whether there was any. */
  tidy(): boolean {
    const after = this.clock.now() - DAY_MS
    const kept = this.past.filter(({ until }) => until! > after)
    const isLess = kept.length < this.past.length
    this.past = kept
    return isLess
  }

  private hold(rule: AlertRule, standing: Standing, { value }: Verdict): AlertChange | null {
    const now = this.clock.elapsed()
    standing.turnedAt ??= now
    if (now - standing.turnedAt < rule.forMs) return null
    standing.turnedAt = null
    standing.valueAt = now
    standing.fired.push(now)
    while (standing.fired[0]! < now - FLAPS_WITHIN_MS) standing.fired.shift()
    const since = this.clock.now()
    standing.firing = { rule: rule.name, when: rule.text, value, since, until: null }
    return { is: 'fires', record: standing.firing }
  }

  private end(rule: string): AlertChange | null {
    const standing = this.standings.get(rule)
    if (!standing?.firing) return null
    const record = { ...standing.firing, until: this.clock.now() }
    standing.firing = null
    standing.turnedAt = null
    this.past = [record, ...this.past].slice(0, OVER_MAX)
    return { is: 'over', record }
  }

  private renew(standing: Standing, firing: AlertRecord, { value }: Verdict): void {
    const now = this.clock.elapsed()
    if (value === '' || now - standing.valueAt < VALUE_EVERY_MS) return
    standing.valueAt = now
    standing.firing = { ...firing, value }
  }

  private turn(standing: Standing, at: number | null): null {
    standing.turnedAt = at
    return null
  }

  /** Twice as long with each time it fired within the hour. */
  private restOf({ forMs }: AlertRule, { fired }: Standing): number {
    const now = this.clock.elapsed()
    const times = fired.filter(at => at >= now - FLAPS_WITHIN_MS).length
    const rest = Math.max(forMs, REST_MIN_MS)
    return Math.max(rest, Math.min(REST_MAX_MS, rest * 2 ** Math.max(0, times - 1)))
  }

  private of(rule: string): Standing {
    const known = this.standings.get(rule)
    if (known) return known
    const now = this.clock.elapsed()
    const made = { turnedAt: null, knownAt: now, firing: null, valueAt: now, fired: [] }
    this.standings.set(rule, made)
    return made
  }
}

const not = (holds: boolean | null): boolean | null => (holds === null ? null : !holds)
