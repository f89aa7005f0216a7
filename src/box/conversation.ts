/**
 * A channel as a dialogue: send, wait for the next message, until a deadline. When it has served, the
 * channel is handed on to whoever uses it next, with everything that has arrived meanwhile.
 */

import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { Channel, ChannelEvents } from '../mesh/mesh.ts'

/** Holds the other side back when so many wait; a dialogue needs one. */
const WAITING_MAX = 4
/** What may still arrive after we said wait; beyond it the other side ignores us. */
const OVERRUN_MAX = 64

export interface ConversationOptions {
  readonly clock: Clock
  /** For the whole dialogue. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

interface Waiter {
  resolve(message: Uint8Array): void
  reject(reason: unknown): void
}

export class Conversation {
  private readonly channel: Channel
  private readonly waiting: Uint8Array[] = []
  private waiter: Waiter | null = null
  private ended: { readonly reason: unknown } | null = null
  private successor: Relay | null = null
  private readonly timer: Timer
  private readonly signal: AbortSignal | undefined
  private readonly abort = () => this.fail(this.signal!.reason)

  constructor(channel: Channel, { clock, timeoutMs, signal }: ConversationOptions) {
    this.channel = channel
    this.signal = signal
    this.timer = clock.after(timeoutMs, () => this.fail(new BoxError('PEER_TIMEOUT')))
    signal?.addEventListener('abort', this.abort, { once: true })
    channel.attach({
      message: message => this.take(message),
      drained: () => this.successor?.drained(),
      closed: reason => this.closed(reason),
    })
    if (signal?.aborted) this.abort()
  }

  send(message: Uint8Array): void {
    if (!this.ended) this.channel.send(message)
  }

  /** The next message. Fails with PEER_TIMEOUT, the end of the channel, or the reason of the signal. */
  next(): Promise<Uint8Array> {
    const message = this.waiting.shift()
    if (message) {
      if (this.waiting.length < WAITING_MAX) this.channel.resume()
      return Promise.resolve(message)
    }
    if (this.ended) return Promise.reject(this.ended.reason)
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject }
    })
  }

  /** Ends the dialogue and hands the channel on; nothing that arrived is lost. */
  release(): Channel {
    this.stopWaiting()
    this.channel.pause()
    this.successor = new Relay(this.channel, this.waiting, this.ended?.reason)
    return this.successor
  }

  /** Ends dialogue and channel. */
  close(): void {
    this.fail(new BoxError('CHANNEL_CLOSED'))
  }

  private take(message: Uint8Array): void {
    const { waiter, successor } = this
    if (successor) {
      successor.take(message)
      return
    }
    if (waiter) {
      this.waiter = null
      waiter.resolve(message.slice())
      return
    }
    this.waiting.push(message.slice())
    if (this.waiting.length === WAITING_MAX) this.channel.pause()
    if (this.waiting.length > OVERRUN_MAX) this.fail(new BoxError('LIMIT_EXCEEDED'))
  }

  private closed(reason: BoxError): void {
    if (this.successor) this.successor.closed(reason)
    else this.settle(reason)
  }

  private fail(reason: unknown): void {
    if (this.ended) return
    this.channel.close()
    this.settle(reason)
  }

  private settle(reason: unknown): void {
    this.ended = { reason }
    this.stopWaiting()
    this.waiter?.reject(reason)
    this.waiter = null
  }

  private stopWaiting(): void {
    this.timer.cancel()
    this.signal?.removeEventListener('abort', this.abort)
  }
}

/** The same channel for its next user: what has arrived comes first. */
class Relay implements Channel {
  readonly peer: Channel['peer']
  private readonly channel: Channel
  private readonly waiting: Uint8Array[]
  private reason: unknown
  private events: ChannelEvents | null = null
  private paused = false
  private open = true

  constructor(channel: Channel, waiting: readonly Uint8Array[], reason: unknown) {
    this.channel = channel
    this.peer = channel.peer
    this.waiting = [...waiting]
    this.reason = reason
  }

  path(): ReturnType<Channel['path']> {
    return this.channel.path()
  }

  attach(events: ChannelEvents): void {
    this.events = events
    // Not at once: whoever attaches is seldom ready before the call returns.
    queueMicrotask(() => this.deliver())
  }

  send(message: Uint8Array): boolean {
    return this.channel.send(message)
  }

  pause(): void {
    this.paused = true
    this.channel.pause()
  }

  resume(): void {
    this.paused = false
    if (this.events) this.deliver()
  }

  hurry(isOn: boolean): void {
    this.channel.hurry?.(isOn)
  }

  close(): void {
    this.open = false
    this.waiting.length = 0
    this.channel.close()
  }

  take(message: Uint8Array): void {
    if (this.events && this.waiting.length === 0 && !this.paused) this.events.message(message)
    else if (this.waiting.length < OVERRUN_MAX) this.waiting.push(message.slice())
    else this.lose()
  }

  drained(): void {
    this.events?.drained()
  }

  closed(reason: unknown): void {
    this.reason = reason
    if (this.events && this.waiting.length === 0) this.finish()
  }

  private deliver(): void {
    while (this.open && !this.paused && this.waiting.length > 0)
      this.events!.message(this.waiting.shift()!)
    if (!this.open || this.paused) return
    if (this.reason) this.finish()
    else this.channel.resume()
  }

  private lose(): void {
    this.channel.close()
    this.closed(new BoxError('LIMIT_EXCEEDED'))
  }

  private finish(): void {
    if (!this.open) return
    this.open = false
    this.events!.closed(
      this.reason instanceof BoxError ? this.reason : new BoxError('CHANNEL_LOST'),
    )
  }
}
