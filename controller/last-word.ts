/**
 * Our last word about a command, that we have heard of its end: nobody waits for it, and alone it costs as much as the
 * command did. So it leaves with what is said next over the connection, or a little later.
 */

import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../src/base/clock.ts'

/** The device keeps a few hundred bytes until it hears it. */
const HELD_MS = 1_000

export class LastWord {
  private readonly stream: Duplex
  private readonly clock: Clock
  private timer: Timer | null = null

  constructor(stream: Duplex, clock: Clock) {
    this.stream = stream
    this.clock = clock
  }

  /** What is said from now on leaves with `release`, or in a while. Where something is to come that may be the end. */
  hold(): void {
    if (this.timer) return
    this.stream.cork()
    this.timer = this.clock.after(HELD_MS, () => this.release())
  }

  /** Harmless where nothing is held. */
  release(): void {
    if (!this.timer) return
    this.timer.cancel()
    this.timer = null
    this.stream.uncork()
  }
}
