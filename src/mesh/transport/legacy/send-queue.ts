/**
 * Messages on their way out to one peer: at once where the connection takes them, else in order and
 * within a bound; slowed down only where the peer announced a quota that we would really exceed.
 */

import type { Clock, Timer } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import { BACKLOG_BYTES_MAX, QUOTA_BYTES_MIN, QUOTA_BYTES_OBEYED, QUOTA_NONE } from './limits.ts'

/** What takes the messages; false: it wants to be asked to go on. */
type Write = (message: Uint8Array) => boolean

export class SendQueue {
  private readonly clock: Clock
  private readonly counters: Counters
  private readonly onDrained: () => void
  private write: Write | null = null
  private waiting: Uint8Array[] = []
  private waitingBytes = 0
  private blocked = false
  /** Whether somebody was told to wait for `drained`. */
  private owesDrained = false
  /** Bytes a second; Infinity where we need not care. */
  private rate = Infinity
  private tokens = 0
  private tokensAt = 0
  private refill: Timer | null = null

  constructor(clock: Clock, counters: Counters, onDrained: () => void) {
    this.clock = clock
    this.counters = counters
    this.onDrained = onDrained
  }

  /** Takes a message. False: wait for `drained`. Beyond BACKLOG_BYTES_MAX messages are thrown away. */
  send(message: Uint8Array): boolean {
    if (this.waiting.length === 0 && this.pass(message)) return this.isFree()
    if (this.waitingBytes + message.length > BACKLOG_BYTES_MAX) {
      this.counters.add('transport.dropped_backlog')
      return this.isFree()
    }
    this.waiting.push(message)
    this.waitingBytes += message.length
    return this.isFree()
  }

  /** Uses another connection from now on, or none for the time being. */
  use(write: Write | null): void {
    this.write = write
    this.blocked = false
    this.pump()
  }

  /** The connection takes messages again. */
  proceed(): void {
    this.blocked = false
    this.pump()
  }

  /** Obeys a quota of so many bytes a second, where it is one we would notice. */
  setQuota(bytesPerSecond: number): void {
    const obeyed = bytesPerSecond !== QUOTA_NONE && bytesPerSecond < QUOTA_BYTES_OBEYED
    this.rate = obeyed ? Math.max(bytesPerSecond, QUOTA_BYTES_MIN) : Infinity
    this.tokens = this.rate
    this.tokensAt = this.clock.elapsed()
    this.pump()
  }

  close(): void {
    this.refill?.cancel()
    this.refill = null
    this.write = null
    this.waiting = []
    this.waitingBytes = 0
  }

  private isFree(): boolean {
    const free = !this.blocked && this.waiting.length === 0
    if (!free) this.owesDrained = true
    return free
  }

  private pump(): void {
    let sent = 0
    while (sent < this.waiting.length && this.pass(this.waiting[sent]!))
      this.waitingBytes -= this.waiting[sent++]!.length
    if (sent > 0) this.waiting = this.waiting.slice(sent)
    if (!this.owesDrained || this.blocked || this.waiting.length > 0 || !this.write) return
    this.owesDrained = false
    this.onDrained()
  }

  /** Hands one message to the connection, if it may go now. */
  private pass(message: Uint8Array): boolean {
    if (!this.write || this.blocked || !this.takeTokens(message.length)) return false
    this.blocked = !this.write(message)
    return true
  }

  /** A bucket that holds a second's worth; a message may overdraw it, then the next one waits. */
  private takeTokens(bytes: number): boolean {
    if (this.rate === Infinity) return true
    const now = this.clock.elapsed()
    this.tokens = Math.min(this.rate, this.tokens + ((now - this.tokensAt) * this.rate) / 1_000)
    this.tokensAt = now
    if (this.tokens > 0) {
      this.tokens -= bytes
      return true
    }
    this.refill ??= this.clock.after(Math.ceil(((1 - this.tokens) * 1_000) / this.rate), () => {
      this.refill = null
      this.pump()
    })
    return false
  }
}
