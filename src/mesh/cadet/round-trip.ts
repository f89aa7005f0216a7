/** How long a connection takes there and back, and so how long to wait for an answer (RFC 6298). */

/** Never less, as GNUnet (MIN_RTT_DELAY): the other side may be busy with something else. */
const TIMEOUT_MIN_MS = 75
/** Before anything was measured (CADET_INITIAL_RETRANSMIT_TIME). */
const TIMEOUT_FIRST_MS = 250
/** Ours: what takes longer is as good as lost. */
const TIMEOUT_MAX_MS = 5_000
/** Ours: waits that are doubled end here, so that a way that is back is used soon. */
const DOUBLED_MAX_MS = 3_000

const SMOOTHING = 1 / 8
const VARIATION_SMOOTHING = 1 / 4
const VARIATIONS = 4
/** The shortest time is that of the last two spans of this length: ways change. */
const LEAST_SPAN_MS = 30_000

export class RoundTrip {
  /** The smoothed time; 0 before the first measurement. */
  ms = 0
  private variation = 0
  private least = Number.POSITIVE_INFINITY
  private leastBefore = Number.POSITIVE_INFINITY
  private spanBegan = 0
  /** How often the wait was doubled since the last measurement, and when. */
  private doublings = 0
  private doubledAt = Number.NEGATIVE_INFINITY

  /** The shortest of late, on a way with nothing else on it; Infinity before the first measurement. */
  get leastMs(): number {
    return Math.min(this.least, this.leastBefore)
  }

  observe(ms: number, now: number): void {
    this.doublings = 0
    this.doubledAt = Number.NEGATIVE_INFINITY
    if (now - this.spanBegan > LEAST_SPAN_MS) {
      this.leastBefore = this.least
      this.least = ms
      this.spanBegan = now
    } else {
      this.least = Math.min(this.least, ms)
    }
    if (this.ms === 0) {
      this.ms = ms
      this.variation = ms / 2
      return
    }
    this.variation += VARIATION_SMOOTHING * (Math.abs(this.ms - ms) - this.variation)
    this.ms += SMOOTHING * (ms - this.ms)
  }

  /**
   * An answer did not come in time. What is repeated says nothing about the time (Karn), so the wait stays doubled until
   * something that was sent once is answered: on a way that has become slow nothing else would ever be measured, and
   * everything be sent several times. Channels that wait for the same answers count once.
   */
  silent(now: number): void {
    if (now - this.doubledAt < this.timeoutMs()) return
    this.doublings++
    this.doubledAt = now
  }

  /** How long an answer may take before its question is repeated. */
  timeoutMs(): number {
    const wait = this.measuredMs()
    return Math.max(wait, Math.min(DOUBLED_MAX_MS, wait * 2 ** this.doublings))
  }

  private measuredMs(): number {
    if (this.ms === 0) return TIMEOUT_FIRST_MS
    const wait = this.ms + VARIATIONS * this.variation
    return Math.min(TIMEOUT_MAX_MS, Math.max(TIMEOUT_MIN_MS, wait))
  }
}
