/** Which sequence numbers were seen: a duplicate, or one too far behind the newest, is refused. */

import { REPLAY_WINDOW } from './limits.ts'

export class ReplayWindow {
  private newest = 0
  /** Bit i: whether `newest - 1 - i` was seen. */
  private seen = 0

  /** Whether a number is new; it is not any more afterwards. Numbers begin with 1. */
  accept(sequence: number): boolean {
    const ahead = sequence - this.newest
    if (ahead > 0) {
      // The former newest becomes bit `ahead - 1`.
      const kept = ahead >= REPLAY_WINDOW ? 0 : this.seen << ahead
      const former = ahead <= REPLAY_WINDOW && this.newest > 0 ? 1 << (ahead - 1) : 0
      this.seen = kept | former
      this.newest = sequence
      return true
    }
    if (ahead === 0 || -ahead > REPLAY_WINDOW) return false
    const bit = 1 << (-ahead - 1)
    if (this.seen & bit) return false
    this.seen |= bit
    return true
  }
}
