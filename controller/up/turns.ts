/**
 * Whose turn it is: of many who want to begin, a few do at once, and the next when one is through or has taken too
 * long. So work that both sides have to do in time (handshakes, searches) is not begun for all in the same moment, each
 * of which would then come too late and be begun again.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'

export interface TurnsOptions {
  readonly clock: Clock
  /** So many at once. */
  readonly limit: number
  /** Whoever has begun and is not through makes room after so long. */
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
    const { clock, longestMs } = this.options
    let isOver = false
    let timer: Timer | null = null
    const end = () => {
      if (isOver) return
      isOver = true
      timer?.cancel()
      this.running--
      this.waiting.shift()?.()
    }
    this.running++
    timer = clock.after(longestMs, end)
    return { end }
  }
}
