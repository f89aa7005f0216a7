/** Time as the protocol code sees it: an argument, so that a simulation can own it. */

export interface Timer {
  /** Prevents the call, if it has not happened. Harmless afterwards. */
  cancel(): void
}

export interface Clock {
  /** Milliseconds since 1970. Set by people and by NTP: it may jump. */
  now(): number
  /** Milliseconds from an arbitrary beginning; never goes back. For durations. */
  elapsed(): number
  after(ms: number, run: () => void): Timer
}
