/**
 * A new version proves itself: its mesh works, and it has reached a hub if it has any; one that came over the
 * mesh, by an owner who reaches it and says so (agent/upgrade-service.ts). Then it stays; until then, each start
 * counts (agent/launcher.ts), and where it takes too long it ends itself to be counted, or to give way at once.
 */

import type { Clock, Timer } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'

/** A link to a hub stands within seconds; a machine that starts has to find its network first. */
export const TRIAL_MS = 180_000
const LOOK_EVERY_MS = 3_000

export interface TrialOptions {
  readonly clock: Clock
  readonly log: Log
  /** Comes back when the agent is well; see supervise. */
  readonly check: () => Promise<void>
  /** Whether it can be reached by its owners, as far as it can tell. */
  readonly isReachable: () => boolean
  /** Whether somebody else has ended the trial. */
  readonly isOver: () => boolean
  readonly passed: () => void
  readonly failed: () => void
}

/** Looks until it is proven, or time is over; or until closed. */
export function watchTrial(options: TrialOptions): { close(): void } {
  const { clock, log, check, isReachable, isOver, passed, failed } = options
  const deadline = clock.elapsed() + TRIAL_MS
  let timer: Timer
  let over = false
  const end = (tell: () => void, message: string) => {
    if (over) return
    over = true
    timer.cancel()
    log.note('info', 'trial', message)
    tell()
  }
  const look = () => {
    timer = clock.after(LOOK_EVERY_MS, () => {
      if (isOver()) return end(passed, 'proven')
      if (clock.elapsed() >= deadline) return end(failed, 'not proven in time')
      look()
      if (isReachable())
        check().then(
          () => end(passed, 'proven'),
          () => {}, // Not yet: time will tell.
        )
    })
  }
  look()
  return {
    close: () => {
      over = true
      timer.cancel()
    },
  }
}
