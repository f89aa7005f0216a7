/** How much work a neighbour may make us do: tokens that fill up over time (a token bucket). */

import type { Clock } from '../../base/clock.ts'

/** Ours: a unit is some 0.15 ms of work, so that a neighbour gets at most some 6 % of a core for long. */
const UNITS_PER_SECOND = 400
/** Ours: a zone of a few hundred names that is published at once. */
const UNITS_MAX = 4_000

export class Allowance {
  private readonly clock: Clock
  private units = UNITS_MAX
  private filledAt: number

  constructor(clock: Clock) {
    this.clock = clock
    this.filledAt = clock.elapsed()
  }

  /** Takes the units, or nothing where there are not enough. */
  take(units: number): boolean {
    const now = this.clock.elapsed()
    this.units = Math.min(
      UNITS_MAX,
      this.units + ((now - this.filledAt) / 1_000) * UNITS_PER_SECOND,
    )
    this.filledAt = now
    if (this.units < units) return false
    this.units -= units
    return true
  }
}
