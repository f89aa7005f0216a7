/**
 * How many bytes a client may have under way on a channel while somebody types: few, and on a long way as many more as it
 * holds. How long it is shows once it has run empty.
 */

/** Over a short way, and before anything is known. */
const SHORT_BYTES = 64 * 1_024
/** A packet of stock ssh. */
const LEAST_BYTES = 32 * 1_024
const MOST_BYTES = 2 * 1_024 * 1_024
/** What takes no longer is a short way: these are the computers on it. */
const SHORT_MS = 20
/** It is measured so often, and the least counts: one may meet a computer that does something else just then. */
const PROBES = 2
/** More than a long way holds, so that one that becomes wider is found. */
const MORE = 1.1
/** A rate is measured over so long at least, and the best of so many counts. */
const MEASURED_MS = 40
const REMEMBERED = 8

export class UploadPace {
  private bytes = SHORT_BYTES
  private lengthMs = Number.POSITIVE_INFINITY
  private probes = 0
  private emptyAt: number | null = null
  private since = 0
  private count = 0
  private readonly rates: number[] = []

  get current(): number {
    return this.bytes
  }

  /** Whether the way must run empty to show how long it is. */
  get isUnknown(): boolean {
    return this.probes < PROBES
  }

  /** Nothing is under way, and the client has just been told that it may send. */
  empty(now: number): void {
    this.emptyAt = now
  }

  arrived(bytes: number, now: number): void {
    if (this.emptyAt !== null) {
      this.lengthMs = Math.min(this.lengthMs, now - this.emptyAt)
      this.emptyAt = null
      this.probes++
      this.since = now
      this.count = 0
      return
    }
    this.count += bytes
    const span = now - this.since
    if (span < Math.max(MEASURED_MS, this.lengthMs)) return
    this.learn(this.count / span, this.lengthMs)
    this.since = now
    this.count = 0
  }

  /** Nobody types any more: by the next time the way may be another one. */
  forget(): void {
    this.bytes = SHORT_BYTES
    this.lengthMs = Number.POSITIVE_INFINITY
    this.probes = 0
    this.emptyAt = null
    this.rates.length = 0
  }

  private learn(rate: number, lengthMs: number): void {
    this.rates.push(rate)
    if (this.rates.length > REMEMBERED) this.rates.shift()
    const best = Math.max(...this.rates)
    const held = best * Math.max(0, lengthMs - SHORT_MS) * MORE
    const wanted = held + Math.min(SHORT_BYTES, best * SHORT_MS)
    this.bytes = Math.round(Math.min(MOST_BYTES, Math.max(LEAST_BYTES, wanted)))
  }
}
