/**
 * From how many bytes of a channel under way nothing more is sent, so that what is said next does not wait behind
 * them for long: as many as the way carries in its shortest round trip, and a queue of some milliseconds (as BBR
 * does, where RFC 5681's window would fill every buffer on the way first). Who types while a file is copied notices
 * no more than that. The same holds for what has arrived and waits for a client that takes less than comes.
 */

import { WINDOW_BYTES } from './window-size.ts'

/** What may wait on the way, besides what the way itself holds. */
const QUEUE_MS = 20
/** Two messages of a stream go at any rate: one on its way, one behind it. */
const LIMIT_MIN = 64 * 1_024
/** Before anything was measured. */
const LIMIT_FIRST = 512 * 1_024
/** While nothing waits on the way, it is tried with so many times as much in each measurement. */
const GROWTH = 1.5
/** A rate is measured over so long at least: timers and other processes have their moods. */
const MEASURED_MS = 25
/** The best of so many measurements counts. */
const REMEMBERED = 10
/** After a silence of so many measurements it is measured anew. */
const SILENCE = 4

export class FlightLimit {
  /** Bytes. */
  current = LIMIT_FIRST
  private readonly rates: number[] = []
  private bytes = 0
  private begun = 0
  private latest = 0
  private wasReached = false
  /** The shortest round trip since `begun`. */
  private shortest = Number.POSITIVE_INFINITY

  /** There was more to send. */
  reached(): void {
    this.wasReached = true
  }

  /** The peer has `size` more bytes, that were sent `tripMs` ago; the shortest round trip of late took `leastMs`. */
  arrived(size: number, tripMs: number, leastMs: number, now: number): void {
    const span = Math.max(MEASURED_MS, leastMs)
    if (now - this.latest > SILENCE * span) this.beginAt(now)
    this.latest = now
    this.bytes += size
    this.shortest = Math.min(this.shortest, tripMs)
    const elapsed = now - this.begun
    if (elapsed < span) return
    const rate = this.bytes / elapsed
    // What was slow because there was nothing to send says nothing of the way.
    if (this.wasReached || rate > Math.max(...this.rates)) this.learn(rate, leastMs)
    this.beginAt(now)
  }

  private learn(rate: number, leastMs: number): void {
    this.rates.push(rate)
    if (this.rates.length > REMEMBERED) this.rates.shift()
    let bytes = Math.max(...this.rates) * (leastMs + QUEUE_MS)
    const waits = this.shortest - leastMs > QUEUE_MS / 2
    if (this.wasReached && !waits) bytes = Math.max(bytes, this.current * GROWTH)
    this.current = Math.round(Math.min(WINDOW_BYTES, Math.max(LIMIT_MIN, bytes)))
  }

  private beginAt(now: number): void {
    this.begun = now
    this.bytes = 0
    this.shortest = Number.POSITIVE_INFINITY
    this.wasReached = false
  }
}
