/**
 * From how many bytes under way nothing more is sent, so that what is said next does not wait behind
 * them for long: as many as the way carries in its shortest round trip, and a queue of some milliseconds (as BBR
 * does, where RFC 5681's window would fill every buffer on the way first). Who types while a file is copied notices
 * no more than that. The same holds for what has arrived and waits for a client that takes less than comes.
 *
 * A way that is never empty does not show its shortest round trip any more: now and then it is let run empty, for
 * else the queue would be taken for the way after a while, and another one allowed on top of it.
 */

import { WINDOW_BYTES } from './window-size.ts'

/** What may wait on the way, besides what the way itself holds. */
const QUEUE_MS = { usual: 25, hurried: 4 }
/** Two messages of a stream go at any rate: one on its way, one behind it. */
const LIMIT_MIN = { usual: 128 * 1_024, hurried: 32 * 1_024 }
/** Before anything was measured. */
const LIMIT_FIRST = 512 * 1_024
/** While nothing waits on the way, it is tried with so many times as much in each measurement. */
const GROWTH = 1.5
/**
 * ...but, where the rate has not risen by so much, no more than so many times what it asks for: what comes in bursts
 * finds the way empty now and then.
 */
const RISING = 1.1
const AHEAD = 1.3
/** A rate is measured over so long at least: timers and other processes have their moods. */
const MEASURED_MS = 50
/** The best of so many measurements counts. */
const REMEMBERED = 10
/** Where nothing was under way for so many measurements, it is measured anew. */
const SILENCE = 4
/** So long after the last time the way was empty it is let run empty; RoundTrip remembers for three times as long. */
const EMPTIED_EVERY_MS = 10_000
/** While it runs empty, this part of what the way itself holds is under way. */
const EBB = 0.75
/** A way on which no more than this part of the queue waits counts as empty. */
const EMPTY = 1 / 4

export class FlightLimit {
  private bytes = LIMIT_FIRST
  private readonly rates: number[] = []
  private arrivedBytes = 0
  private begun = 0
  private latest = 0
  private wasReached = false
  /** The shortest round trip since `begun`. */
  private shortest = Number.POSITIVE_INFINITY
  /** When a message last found the way empty; null before the first. */
  private emptyAt: number | null = null
  /** What may be under way while it runs empty, and until when; 0: it does not. */
  private readonly ebb = { bytes: 0, until: 0 }
  /** It has run empty: until it is full again, that nothing waits says nothing. */
  private isFilling = false
  /** Whether somebody waits for what is small among all this. */
  private haste: 'usual' | 'hurried' = 'usual'
  private leastMs = Number.POSITIVE_INFINITY

  /** Bytes. */
  get current(): number {
    return this.ebb.bytes > 0 ? this.ebb.bytes : this.bytes
  }

  get isHurried(): boolean {
    return this.haste === 'hurried'
  }

  /** From now on less may wait on the way, or as much as usual. */
  hurry(isOn: boolean): void {
    this.haste = isOn ? 'hurried' : 'usual'
    if (this.rates.length > 0) this.limitTo(this.wanted())
  }

  /** There was more to send. */
  reached(): void {
    this.wasReached = true
  }

  /** The peer has `size` more bytes, that were sent `tripMs` ago; the shortest round trip of late took `leastMs`. */
  arrived(size: number, tripMs: number, leastMs: number, now: number): void {
    this.leastMs = leastMs
    const span = Math.max(MEASURED_MS, leastMs)
    // What has come first shows when something came, but not at what rate.
    const isFirst = this.latest === 0 || now - tripMs - this.latest > SILENCE * span
    if (isFirst) this.beginAt(now)
    else this.arrivedBytes += size
    this.latest = now
    this.shortest = Math.min(this.shortest, tripMs)
    if (tripMs <= leastMs + QUEUE_MS[this.haste] * EMPTY) this.emptyAt = now
    this.emptyAt ??= now
    this.empty(tripMs, leastMs, now)
    const elapsed = now - this.begun
    if (elapsed < span || this.ebb.bytes > 0) return
    const rate = this.arrivedBytes / elapsed
    // What was slow because there was nothing to send says nothing of the way.
    if (this.wasReached || rate > Math.max(...this.rates)) this.learn(rate)
    this.beginAt(now)
  }

  private learn(rate: number): void {
    const isRising = rate > Math.max(...this.rates) * RISING
    this.rates.push(rate)
    if (this.rates.length > REMEMBERED) this.rates.shift()
    const wanted = this.wanted()
    const waits = this.shortest - this.leastMs > QUEUE_MS[this.haste] / 2
    const isTried = this.wasReached && !waits && !this.isFilling
    const ahead = isRising ? WINDOW_BYTES : wanted * AHEAD
    this.isFilling = false
    this.limitTo(isTried ? Math.max(wanted, Math.min(this.bytes * GROWTH, ahead)) : wanted)
  }

  /** What the way holds, and what may wait on it. */
  private wanted(): number {
    return Math.max(...this.rates) * (this.leastMs + QUEUE_MS[this.haste])
  }

  private limitTo(bytes: number): void {
    this.bytes = Math.round(Math.min(WINDOW_BYTES, Math.max(LIMIT_MIN[this.haste], bytes)))
  }

  /** Begins to let the way run empty, or ends it: as soon as something was sent and has come while it was. */
  private empty(tripMs: number, leastMs: number, now: number): void {
    const { ebb, emptyAt } = this
    if (ebb.bytes > 0) {
      if (now < ebb.until && emptyAt !== now) return
      ebb.bytes = 0
      this.emptyAt = now
      this.isFilling = true
      this.beginAt(now)
    } else if (this.wasReached && now - (emptyAt ?? now) > EMPTIED_EVERY_MS) {
      ebb.bytes = Math.max(1, Math.max(...this.rates) * leastMs * EBB)
      ebb.until = now + 2 * tripMs + leastMs
    }
  }

  private beginAt(now: number): void {
    this.begun = now
    this.arrivedBytes = 0
    this.shortest = Number.POSITIVE_INFINITY
    this.wasReached = false
  }
}
