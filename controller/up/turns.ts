/**
 * Whose turn it is: of many who want to begin, a few do at once, and the next when one is through, only waits, or has taken
 * too long. So work that both sides have to do in time (handshakes, searches) is not begun for all in the same moment, each
 * of which would then come too late and be begun again.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'

/** So often it is looked whether this process has time. */
const LOOK_EVERY_MS = 100
/** It has, where it looks no later than so. */
const LATE_MS = 25

export interface TurnsOptions {
  readonly clock: Clock
  /** So many at once. */
  readonly limit: number
  /** Whoever has begun and is not through makes room once this process had nothing to do for so long meanwhile: it waits for others. */
  readonly idleMs: number
  /** ...and after so long in any case. */
  readonly longestMs: number
}

export interface Turn {
  /** Lets the next one begin; harmless when called again. */
  end(): void
}

export class Turns {
  private readonly options: TurnsOptions
  private readonly waiting: (() => void)[] = []
  private running = 0

  constructor(options: TurnsOptions) {
    this.options = options
  }

  /** Resolves when it is our turn, in the order of the calls; at once where the signal is or will be aborted. */
  take(signal: AbortSignal): Promise<Turn> {
    return new Promise(resolve => {
      const begin = () => {
        signal.removeEventListener('abort', leave)
        resolve(this.begin())
      }
      const leave = () => {
        const at = this.waiting.indexOf(begin)
        if (at >= 0) this.waiting.splice(at, 1)
        resolve({ end: () => {} })
      }
      if (signal.aborted) {
        leave()
        return
      }
      signal.addEventListener('abort', leave, { once: true })
      if (this.running < this.options.limit) begin()
      else this.waiting.push(begin)
    })
  }

  private begin(): Turn {
    let stopWatching = () => {}
    let isOver = false
    const end = () => {
      if (isOver) return
      isOver = true
      stopWatching()
      this.running--
      this.waiting.shift()?.()
    }
    this.running++
    stopWatching = this.watch(end)
    return { end }
  }

  /** Calls `over` when a turn has lasted long enough. Returns what prevents it. */
  private watch(over: () => void): () => void {
    const { clock, idleMs, longestMs } = this.options
    const begunAt = clock.elapsed()
    let leftMs = idleMs
    let timer: Timer
    const look = () => {
      const dueAt = clock.elapsed() + LOOK_EVERY_MS
      timer = clock.after(LOOK_EVERY_MS, () => {
        const now = clock.elapsed()
        if (now - dueAt < LATE_MS) leftMs -= LOOK_EVERY_MS
        if (leftMs <= 0 || now - begunAt >= longestMs) over()
        else look()
      })
    }
    look()
    return () => timer.cancel()
  }
}
