/** What is written to a stream, held back for a while, so that it leaves as one piece. */

import type { Clock, Timer } from './clock.ts'

/** What a stream of Node does. */
interface Corked {
  cork(): void
  uncork(): void
}

export class HeldWords {
  private readonly stream: Corked
  private readonly clock: Clock
  private readonly heldMs: number
  private timer: Timer | null = null

  constructor(stream: Corked, clock: Clock, heldMs: number) {
    this.stream = stream
    this.clock = clock
    this.heldMs = heldMs
  }

  /** What is written from now on leaves with `release`, or in a while. */
  hold(): void {
    if (this.timer) return
    this.stream.cork()
    this.wait()
  }

  /** Begins that while anew. Nothing, where none is held. */
  holdOn(): void {
    if (!this.timer) return
    this.timer.cancel()
    this.wait()
  }

  /** Harmless where nothing is held. */
  release(): void {
    if (!this.timer) return
    this.timer.cancel()
    this.timer = null
    this.stream.uncork()
  }

  private wait(): void {
    // What came while this process did something else is read first.
    this.timer = this.clock.after(this.heldMs, () => {
      this.timer = this.clock.after(0, () => this.release())
    })
  }
}
