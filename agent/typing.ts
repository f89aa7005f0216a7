/** Whether a person types in a terminal of a connection, or just did: what else goes over it minds that (channel-windows.ts). */

import type { Clock, Timer } from '../src/base/clock.ts'

/** So long after a key another one may come. */
const TYPING_MS = 3_000

export class Typing {
  private readonly clock: Clock
  private readonly listeners = new Set<(isOn: boolean) => void>()
  private timer: Timer | null = null
  private until = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  get isOn(): boolean {
    return this.timer !== null
  }

  /** A key was pressed, or a terminal opens, in which one will be. */
  typed(): void {
    this.until = this.clock.elapsed() + TYPING_MS
    if (this.timer) return
    this.wait()
    for (const told of this.listeners) told(true)
  }

  /** Calls `told` whenever it begins and ends, at once where it has begun. Returns how to leave. */
  join(told: (isOn: boolean) => void): () => void {
    this.listeners.add(told)
    if (this.isOn) told(true)
    return () => void this.listeners.delete(told)
  }

  /** The connection is gone: nobody is told. */
  close(): void {
    this.listeners.clear()
    this.timer?.cancel()
    this.timer = null
  }

  private wait(): void {
    const left = this.until - this.clock.elapsed()
    this.timer = left > 0 ? this.clock.after(left, () => this.wait()) : null
    if (!this.timer) for (const told of this.listeners) told(false)
  }
}
