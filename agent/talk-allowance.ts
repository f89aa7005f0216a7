/**
 * How much each member of a room may do: so many at once, then so many a minute. Whoever has had enough waits
 * as long as it takes to get one back. Nothing is remembered of those whose measure is full again.
 */

import { keyOf } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import type { ZoneKey } from '../src/base/ids.ts'

export interface Measure {
  /** At once. */
  readonly burst: number
  /** One more comes back after so long. */
  readonly everyMs: number
}

interface Used {
  /** What was taken and has not come back, at this time. */
  readonly taken: number
  readonly at: number
}

/** More than a room has members; what is beyond is forgotten, the oldest first. */
const ZONES_MAX = 256

export class Allowance {
  private readonly measure: Measure
  private readonly clock: Clock
  private readonly used = new Map<string, Used>()

  constructor(measure: Measure, clock: Clock) {
    this.measure = measure
    this.clock = clock
  }

  /** Takes one; false where there is none left. */
  take(zone: ZoneKey): boolean {
    const key = keyOf(zone)
    const at = this.clock.elapsed()
    const taken = this.takenAt(key, at)
    if (taken + 1 > this.measure.burst) return false
    this.used.delete(key)
    this.used.set(key, { taken: taken + 1, at })
    if (this.used.size > ZONES_MAX) this.used.delete(this.used.keys().next().value!)
    return true
  }

  private takenAt(key: string, at: number): number {
    const before = this.used.get(key)
    if (!before) return 0
    return Math.max(0, before.taken - (at - before.at) / this.measure.everyMs)
  }
}
