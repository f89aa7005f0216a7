/**
 * A deadline for each purpose, and what happens at it. One reads a protocol's behaviour over time
 * from the table; whoever owns it ends every timer with one call.
 */

import type { Clock, Timer } from '../../base/clock.ts'

export class Deadlines<Purpose extends string> {
  private readonly clock: Clock
  private readonly table: Readonly<Record<Purpose, () => void>>
  private readonly timers = new Map<Purpose, Timer>()

  constructor(clock: Clock, table: Readonly<Record<Purpose, () => void>>) {
    this.clock = clock
    this.table = table
  }

  /** Sets the deadline of a purpose, in place of one that was set before. */
  set(purpose: Purpose, ms: number): void {
    this.timers.get(purpose)?.cancel()
    const timer = this.clock.after(ms, () => {
      this.timers.delete(purpose)
      this.table[purpose]()
    })
    this.timers.set(purpose, timer)
  }

  isSet(purpose: Purpose): boolean {
    return this.timers.has(purpose)
  }

  cancel(purpose: Purpose): void {
    this.timers.get(purpose)?.cancel()
    this.timers.delete(purpose)
  }

  clear(): void {
    for (const timer of this.timers.values()) timer.cancel()
    this.timers.clear()
  }
}
