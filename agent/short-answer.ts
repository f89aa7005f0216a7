/**
 * The answer to a short command, said at once: that it has begun, what it prints, its exit, the end. One by one these are three
 * messages of the mesh, and each costs both ends, and every hub between them, about what the command costs. So what is
 * said when a command begins is held back for a moment, and only where nobody else uses the connection.
 */

import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../src/base/clock.ts'

/** Nobody notices so much, and what a fleet is asked for is usually over by then. */
export const HELD_MS = 10

export class ShortAnswer {
  private readonly carrier: Duplex
  private readonly clock: Clock
  private timer: Timer | null = null

  constructor(carrier: Duplex, clock: Clock) {
    this.carrier = carrier
    this.clock = clock
  }

  /** What is written from now on leaves with `release`, or in a moment. */
  hold(): void {
    if (this.timer) return
    this.carrier.cork()
    this.wait()
  }

  /** The command runs: to start it took as long as that takes here, and the moment begins. Nothing, where none is held any more. */
  begun(): void {
    if (!this.timer) return
    this.timer.cancel()
    this.wait()
  }

  private wait(): void {
    // The end of the command that came while this process did something else is read first.
    this.timer = this.clock.after(HELD_MS, () => {
      this.timer = this.clock.after(0, () => this.release())
    })
  }

  /** Harmless where nothing is held. */
  release(): void {
    if (!this.timer) return
    this.timer.cancel()
    this.timer = null
    this.carrier.uncork()
  }
}
