/**
 * Lets the service manager know how the agent is: ready, what it does, alive, ending.
 *
 * "Alive" is said from the main loop, and only after a health check has come back. A loop that is blocked
 * or a mesh that does not answer says nothing; then the service manager starts the agent again.
 */

import type { Clock, Timer } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'
import type { ServiceManager } from './service-manager.ts'

/** Twice may be missed before the time is over, as sd_watchdog_enabled(3) recommends at least once. */
const BEATS_PER_WATCHDOG = 3
/** Without a watchdog, the status is still kept up to date. */
const BEAT_MS = 30_000

export interface SuperviseOptions {
  readonly manager: ServiceManager
  readonly clock: Clock
  readonly log: Log
  /** Comes back when main loop and mesh do their work; fails, or never comes back, where they do not. */
  readonly check: () => Promise<void>
  /** One line for `systemctl status`. */
  readonly status: () => string
}

export interface Supervision {
  /** No beat comes after it. Says, where it is so, that the end has begun. */
  close(options: { readonly ending: boolean }): Promise<void>
}

/** Says that the agent is ready, and keeps on saying that it lives until it is closed. */
export function supervise(options: SuperviseOptions): Supervision {
  const { manager, clock, log, check, status } = options
  const beatMs = manager.watchdogMs ? manager.watchdogMs / BEATS_PER_WATCHDOG : BEAT_MS
  let said = status()
  let closed = false
  let checking = false
  let timer: Timer

  const beat = async () => {
    const now = status()
    if (now !== said) {
      said = now
      await manager.status(now)
    }
    await check()
    if (!closed && manager.watchdogMs !== null) await manager.alive()
  }
  const again = () => {
    timer = clock.after(beatMs, () => {
      again()
      // The last check has not come back: a second would say no more than it.
      if (checking) {
        log.note('error', 'service', 'health check does not come back')
        return
      }
      checking = true
      beat()
        .catch(error => log.note('error', 'service', 'health check failed', { why: `${error}` }))
        .finally(() => {
          checking = false
        })
    })
  }
  void manager.ready(said)
  again()
  return {
    close: async ({ ending }) => {
      if (closed) return
      closed = true
      timer.cancel()
      if (ending) await manager.stopping()
    },
  }
}
