/**
 * One channel of the daemon's CADET, with the promises of mesh.ts. Each ACK of the service is a licence for
 * one message, and it waits for an ACK of ours before it delivers the next: the receiver's slowness reaches
 * the sender by that alone (cadet_api.c).
 */

import { BoxError } from '../../base/errors.ts'
import type { PeerId, PortId } from '../../base/ids.ts'
import { type Channel, type ChannelEvents, checkMessage } from '../mesh.ts'
import { ChannelAck, ChannelData, ChannelDestroy } from './messages.ts'

/** Messages that wait for a licence before the sender is held back: a window of the service (4) is always ready. */
const QUEUE_MAX = 8
/** And when so few are left, it may go on. */
const QUEUE_LOW = 4
/** Only a channel to ourselves is delivered without being asked; with more waiting the socket is not read. */
const BACKLOG_MAX = 64
const HEADER_SIZE = 4

/** What a channel stands on. */
export interface ChannelCarrier {
  say(raw: Uint8Array): void
  /** The way to a peer, as far as it is known. */
  wayTo(peer: PeerId): readonly PeerId[] | null
  /** Too much has arrived that nobody has taken; or no longer. */
  hold(channel: DaemonChannel, isFull: boolean): void
  /** The channel is over, its number free again. */
  gone(channel: DaemonChannel): void
  /** A message had no size of its own. */
  malformed(): void
}

export type ChannelState =
  | { readonly is: 'opening' }
  | { readonly is: 'open' }
  | { readonly is: 'over'; readonly reason: BoxError }
  | { readonly is: 'closed' }

export class DaemonChannel implements Channel {
  readonly peer: PeerId
  readonly port: PortId
  number: number
  private readonly carrier: ChannelCarrier
  private state: ChannelState
  private events: ChannelEvents | null = null
  private credit = 0
  private readonly outgoing: Uint8Array[] = []
  private heldBack = false
  private readonly incoming: Uint8Array[] = []
  private isFull = false
  private paused = false
  private delivering = false

  constructor(
    carrier: ChannelCarrier,
    number: number,
    to: { readonly peer: PeerId; readonly port: PortId; readonly isOpen: boolean },
  ) {
    this.carrier = carrier
    this.number = number
    this.peer = to.peer
    this.port = to.port
    this.state = { is: to.isOpen ? 'open' : 'opening' }
  }

  get is(): ChannelState['is'] {
    return this.state.is
  }

  path(): readonly PeerId[] | null {
    return this.state.is === 'open' ? this.carrier.wayTo(this.peer) : null
  }

  attach(events: ChannelEvents): void {
    if (this.events) throw new Error('the channel is attached already')
    this.events = events
    this.deliver()
  }

  send(message: Uint8Array): boolean {
    if (this.state.is !== 'open') return false
    checkMessage(message)
    this.outgoing.push(ChannelData.encode({ channel: this.number, payload: message }))
    this.pump()
    this.heldBack = this.outgoing.length >= QUEUE_MAX
    return !this.heldBack
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.deliver()
  }

  close(): void {
    if (this.state.is === 'closed') return
    const isThere = this.state.is !== 'over'
    this.state = { is: 'closed' }
    this.empty()
    if (isThere) this.carrier.say(ChannelDestroy.encode({ channel: this.number }))
    this.carrier.gone(this)
  }

  /** The service has a licence for us; the first tells that the channel stands. True: it does since now. */
  acknowledged(): boolean {
    this.credit++
    if (this.state.is !== 'opening') {
      this.pump()
      return false
    }
    this.state = { is: 'open' }
    return true
  }

  /** A message has come; `payload` is a view. */
  received(payload: Uint8Array): void {
    if (this.state.is !== 'open') return
    if (payload.length < HEADER_SIZE || ((payload[0]! << 8) | payload[1]!) !== payload.length) {
      // Something is missing from now on: what is left would look complete.
      this.carrier.malformed()
      this.giveUp(new BoxError('CHANNEL_LOST', 'The peer sent what is no message.'))
      return
    }
    this.incoming.push(this.isReady() ? payload : payload.slice())
    this.deliver()
    this.weigh()
  }

  /** The peer is gone, though nobody says so. */
  giveUp(reason: BoxError): void {
    if (this.state.is !== 'open') return
    this.carrier.say(ChannelDestroy.encode({ channel: this.number }))
    this.end(reason)
  }

  /** It is over without our doing; what has arrived is still delivered. */
  end(reason: BoxError): void {
    if (this.state.is === 'over' || this.state.is === 'closed') return
    this.state = { is: 'over', reason }
    this.outgoing.length = 0
    this.carrier.gone(this)
    this.deliver()
  }

  private isReady(): boolean {
    return this.events !== null && !this.paused && !this.delivering && this.incoming.length === 0
  }

  private pump(): void {
    while (this.credit > 0 && this.outgoing.length > 0) {
      this.credit--
      this.carrier.say(this.outgoing.shift()!)
    }
    if (!this.heldBack || this.outgoing.length > QUEUE_LOW || this.state.is !== 'open') return
    this.heldBack = false
    this.events?.drained()
  }

  /** Hands out what has arrived, and lets the service deliver as much more. */
  private deliver(): void {
    if (!this.events || this.delivering) return
    this.delivering = true
    try {
      while (!this.paused && this.incoming.length > 0) {
        const message = this.incoming.shift()!
        if (this.state.is === 'open') this.carrier.say(ChannelAck.encode({ channel: this.number }))
        this.events.message(message)
      }
    } finally {
      this.delivering = false
    }
    this.weigh()
    if (this.state.is !== 'over' || this.incoming.length > 0) return
    const { reason } = this.state
    this.state = { is: 'closed' }
    this.empty()
    this.events.closed(reason)
  }

  private weigh(): void {
    const isFull = this.incoming.length > BACKLOG_MAX
    if (isFull === this.isFull) return
    this.isFull = isFull
    this.carrier.hold(this, isFull)
  }

  private empty(): void {
    this.outgoing.length = 0
    this.incoming.length = 0
    this.weigh()
  }
}
