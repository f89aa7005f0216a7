/** Real time, of which the waits of minutes can be skipped. */

import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/sys/clock.ts'

/** What is shorter is waited for. */
const LONG_MS = 60_000

export class SkippingClock implements Clock {
  private readonly long = new Set<() => void>()
  now = () => systemClock.now()
  elapsed = () => systemClock.elapsed()
  after(ms: number, run: () => void) {
    if (ms < LONG_MS) return systemClock.after(ms, run)
    const entry = () => {
      this.long.delete(entry)
      run()
    }
    this.long.add(entry)
    return { cancel: () => void this.long.delete(entry) }
  }
  skip(): void {
    for (const run of [...this.long]) run()
  }
}
