/**
 * The way out to one neighbour, shared fairly by our own tunnels and those we carry for others: while
 * its link is busy they stand in line, and each sends one message in turn.
 */

import type { Clock } from '../../base/clock.ts'
import type { Neighbour } from '../core/core.ts'

/**
 * Ours: connections and key exchanges a neighbour may ask for, for itself and those behind it. An exchange
 * costs about a millisecond; a hub that comes back brings everybody behind it at once.
 */
const REQUESTS_PER_SECOND = 100
const REQUESTS_MAX = 1_000

/** Somebody with messages for this neighbour. */
export interface Claimant {
  /** Sends one message. Returns whether it has more. */
  serve(): boolean
}

export class Outlet {
  readonly neighbour: Neighbour
  /** Whether the link is busy: what need not be sent now should wait. */
  busy = false
  private readonly clock: Clock
  private readonly waiting = new Set<Claimant>()
  private requests = REQUESTS_MAX
  private filledAt: number

  constructor(neighbour: Neighbour, clock: Clock) {
    this.neighbour = neighbour
    this.clock = clock
    this.filledAt = clock.elapsed()
  }

  /** Sends at once, busy or not: for what is small or has waited its turn. */
  send(message: Uint8Array): void {
    if (!this.neighbour.send(message)) this.busy = true
  }

  /** Calls `run` at the end of this turn, before CORE seals what was sent in it. */
  atTurnsEnd(run: () => void): void {
    this.neighbour.atTurnsEnd(run)
  }

  /** Stands in line until the link has room. */
  claim(claimant: Claimant): void {
    this.waiting.add(claimant)
  }

  leave(claimant: Claimant): void {
    this.waiting.delete(claimant)
  }

  /** The link has room: everybody in turn, until it is busy again. */
  drained(): void {
    this.busy = false
    for (const claimant of this.waiting) {
      this.waiting.delete(claimant)
      // A set is walked in the order of insertion, so who has more comes after all others.
      if (claimant.serve()) this.waiting.add(claimant)
      if (this.busy) return
    }
  }

  /** Takes one of the requests the neighbour may make; false where it made too many. */
  allows(): boolean {
    const now = this.clock.elapsed()
    const filled = this.requests + ((now - this.filledAt) / 1_000) * REQUESTS_PER_SECOND
    this.requests = Math.min(REQUESTS_MAX, filled)
    this.filledAt = now
    if (this.requests < 1) return false
    this.requests--
    return true
  }
}
