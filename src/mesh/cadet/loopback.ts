/** A channel of a peer to itself: two ends that hand messages to each other, with the promises of mesh.ts. */

import type { Clock } from '../../base/clock.ts'
import { BoxError } from '../../base/errors.ts'
import type { PeerId } from '../../base/ids.ts'
import { type Channel, type ChannelEvents, checkMessage } from '../mesh.ts'

/** Messages under way before the sender is held back. */
const UNDER_WAY_MAX = 16

class LoopbackEnd implements Channel {
  readonly peer: PeerId
  private readonly clock: Clock
  private other: LoopbackEnd | null = null
  private events: ChannelEvents | null = null
  private readonly arrived: Uint8Array[] = []
  private paused = false
  private heldBack = false
  private scheduled = false
  private over: BoxError | null = null
  private closed = false

  constructor(clock: Clock, self: PeerId) {
    this.clock = clock
    this.peer = self
  }

  join(other: LoopbackEnd): void {
    this.other = other
  }

  path(): readonly PeerId[] | null {
    return this.other ? [this.peer] : null
  }

  attach(events: ChannelEvents): void {
    if (this.events) throw new Error('the channel is attached already')
    this.events = events
    this.schedule()
  }

  send(message: Uint8Array): boolean {
    const { other } = this
    if (!other || this.closed) return false
    checkMessage(message)
    other.arrived.push(message.slice())
    other.schedule()
    this.heldBack = other.arrived.length >= UNDER_WAY_MAX
    return !this.heldBack
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.schedule()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.arrived.length = 0
    const { other } = this
    this.other = null
    other?.end(new BoxError('CHANNEL_CLOSED'))
  }

  /** The other end is gone; what has arrived is still delivered. */
  end(reason: BoxError): void {
    this.other = null
    this.over ??= reason
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled || !this.events) return
    this.scheduled = true
    this.clock.after(0, () => {
      this.scheduled = false
      this.deliver()
    })
  }

  private deliver(): void {
    while (!this.closed && !this.paused && this.arrived.length > 0)
      this.events?.message(this.arrived.shift()!)
    if (this.arrived.length < UNDER_WAY_MAX) this.other?.relieve()
    if (!this.over || this.closed || this.arrived.length > 0) return
    this.closed = true
    this.events?.closed(this.over)
  }

  private relieve(): void {
    if (!this.heldBack || this.closed) return
    this.heldBack = false
    this.events?.drained()
  }
}

/** Both ends of a new channel. */
export function loopbackPair(clock: Clock, self: PeerId): readonly [LoopbackEnd, LoopbackEnd] {
  const [near, far] = [new LoopbackEnd(clock, self), new LoopbackEnd(clock, self)]
  near.join(far)
  far.join(near)
  return [near, far]
}
