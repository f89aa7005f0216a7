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

/** Resolves after `ms`, or as soon as the signal is aborted. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      timer.cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
