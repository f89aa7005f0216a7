/**
 * Puts the messages of a channel back in order and knows what to acknowledge
 * (gnunet-service-cadet_channel.c: GCCH_handle_channel_plaintext_data). What the client has not taken
 * is not acknowledged as taken: so the sender is held back from end to end.
 */

import { WINDOW_BYTES, WINDOW_OURS } from './window-size.ts'

/** Bytes that all channels together may keep for their clients. */
export class Budget {
  private left: number

  constructor(bytes: number) {
    this.left = bytes
  }

  /** Takes room; false where there is none. */
  take(bytes: number): boolean {
    if (bytes > this.left) return false
    this.left -= bytes
    return true
  }

  /** Takes room, there or not. */
  seize(bytes: number): void {
    this.left -= bytes
  }

  give(bytes: number): void {
    this.left += bytes
  }
}

/** The fields of CHANNEL_DATA_ACK. */
export interface Received {
  readonly expected: number
  readonly futuresHigh: number
  readonly futuresLow: number
}

const HEAD_BIT = 0x8000_0000

export class ReceiveWindow {
  private readonly budget: Budget
  /** The first message has number 1: the opening counts as message 0. */
  private expected = 1
  private readonly here = new Map<number, Uint8Array>()
  private bytes = 0

  constructor(budget: Budget) {
    this.budget = budget
  }

  /** Whether all that came was in order, and the client has it: then there is nothing that the sender must know now. */
  get isEmpty(): boolean {
    return this.here.size === 0
  }

  /** Takes message `sequence`; false where it was here before or there is no room: the sender repeats it. */
  accept(sequence: number, payload: Uint8Array): boolean {
    const ahead = (sequence - this.expected) >>> 0
    if (ahead >= WINDOW_OURS || this.here.has(sequence)) return false
    if (ahead === 0) {
      // The next one in order always has room: it is what all others wait for.
      this.budget.seize(payload.length)
    } else if (this.bytes + payload.length > WINDOW_BYTES || !this.budget.take(payload.length)) {
      return false
    }
    this.here.set(sequence, payload)
    this.bytes += payload.length
    return true
  }

  /** The next message in order, for the client; null where it is not here yet. */
  take(): Uint8Array | null {
    const payload = this.here.get(this.expected)
    if (!payload) return null
    this.here.delete(this.expected)
    this.expected = (this.expected + 1) >>> 0
    this.giveBack(Math.min(payload.length, this.bytes))
    return payload
  }

  received(): Received {
    let futuresHigh = this.here.has(this.expected) ? HEAD_BIT : 0
    let futuresLow = 0
    if (this.here.size > 0)
      for (let bit = 0; bit < WINDOW_OURS - 1; bit++) {
        if (!this.here.has((this.expected + 1 + bit) >>> 0)) continue
        if (bit < 32) futuresLow |= 1 << bit
        else futuresHigh |= 1 << (bit - 32)
      }
    return {
      expected: this.expected,
      futuresHigh: futuresHigh >>> 0,
      futuresLow: futuresLow >>> 0,
    }
  }

  /** Gives the room back to other channels; what is here can still be taken. */
  release(): void {
    this.giveBack(this.bytes)
  }

  private giveBack(bytes: number): void {
    this.bytes -= bytes
    this.budget.give(bytes)
  }
}
