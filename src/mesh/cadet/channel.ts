/**
 * One channel of a tunnel: whole messages, reliable and in order, to a port of the peer
 * (gnunet-service-cadet_channel.c; the promises are those of mesh.ts).
 */

import type { Clock, Timer } from '../../base/clock.ts'
import { BoxError, type ErrorCode } from '../../base/errors.ts'
import type { HashCode, PeerId, PortId } from '../../base/ids.ts'
import { type Channel, type ChannelEvents, checkMessage, isMessage } from '../mesh.ts'
import type { Connection } from './connection.ts'
import { ChannelData, ChannelDataAck, ChannelOpen, ChannelOpenAck } from './messages.ts'
import { type Budget, type Received, ReceiveWindow } from './receive-window.ts'
import { SendWindow } from './send-window.ts'
import {
  OPEN_OPTIONS,
  UNACKNOWLEDGED_BYTES_MAX,
  UNACKNOWLEDGED_MAX,
  WINDOW_OURS,
  windowOf,
} from './window-size.ts'

/** First repetition of CHANNEL_OPEN, then doubled (CADET_INITIAL_RETRANSMIT_TIME). */
const OPEN_RETRY_MS = 250
/** Ours: it is never repeated less often, so that a peer that comes back is met soon. */
const OPEN_RETRY_MAX_MS = 2_000
/** Ours: a window that stays closed is asked about so often, in case its opening was lost. */
const PROBE_MS = 250
const PROBE_MAX_MS = 3_000
/** Ours: whoever was late himself, because he was busy, waits as long for the other side, up to this. */
const LATE_MAX_MS = 250
/** Ours: messages and bytes taken from a client that does not wait for `drained`. */
const UNSENT_MAX = 4_096
const UNSENT_BYTES_MAX = 16 * 1_024 * 1_024

const NOTHING = new Uint8Array(0)

/** What a channel needs of its tunnel. */
export interface Carrier {
  readonly peer: PeerId
  path(): readonly PeerId[] | null
  /** Whether data can be sent now. */
  canSend(): boolean
  /** Sends data, in parts, with whatever else waits; returns over which connection. Only where `canSend`. */
  sendData(...wire: readonly Uint8Array[]): Connection
  /** Sends a small message at once; false where there are no keys or no connection. */
  say(wire: Uint8Array): boolean
  /** Calls `channel.pump` when data can be sent again. */
  wait(channel: CadetChannel): void
  /** Sends an acknowledgement with the next data, or at the end of this turn; 'soon': a little later. */
  acknowledge(channel: CadetChannel, when: 'now' | 'soon'): void
  /** Nothing came back for a while that went over this connection. */
  doubt(connection: Connection | null, times: number): void
  /** The channel has ended; `tell` where the peer does not know. */
  ended(channel: CadetChannel, how: { readonly tell: boolean }): void
}

/** What became of a channel that we open. */
export interface OpenEvents {
  opened(channel: Channel): void
  failed(reason: BoxError): void
}

export interface ChannelPlan {
  readonly clock: Clock
  readonly carrier: Carrier
  readonly budget: Budget
  readonly number: number
  /** The hash of port and listener. */
  readonly hashedPort: HashCode
  /** The options of the peer's OPEN; 0 where we open. */
  readonly options: number
}

type State =
  | { readonly is: 'opening'; readonly port: PortId; readonly events: OpenEvents }
  /** Nobody listens yet. */
  | { readonly is: 'loose' }
  | { readonly is: 'open' }
  /** The peer or the tunnel is gone; what was received may still be delivered. */
  | { readonly is: 'over'; readonly reason: BoxError }
  | { readonly is: 'closed' }

export class CadetChannel implements Channel {
  readonly number: number
  readonly hashedPort: HashCode
  readonly startedAt: number
  /** The tunnel's key generation when the channel was made. */
  generation = 0
  /** Whether the peer has said anything that only the owner of an open channel says. */
  used = false
  private readonly clock: Clock
  private readonly carrier: Carrier
  private readonly incoming: ReceiveWindow
  private readonly outgoing = new SendWindow()
  private state: State = { is: 'loose' }
  private port: PortId | null = null
  private events: ChannelEvents | null = null
  private paused = false
  private delivering = false
  private heldBack = false
  /** What the client took since the last acknowledgement. */
  private readonly unacknowledged = { messages: 0, bytes: 0 }
  private timer: { readonly at: number; readonly handle: Timer } | null = null
  private openTries = 0
  private probes = 0

  constructor({ clock, carrier, budget, number, hashedPort, options }: ChannelPlan) {
    this.clock = clock
    this.carrier = carrier
    this.number = number
    this.hashedPort = hashedPort
    this.incoming = new ReceiveWindow(budget)
    this.outgoing.widen(windowOf(options))
    this.startedAt = clock.elapsed()
  }

  get peer(): PeerId {
    return this.carrier.peer
  }

  get is(): State['is'] {
    return this.state.is
  }

  /** Whether the peer owes us an answer. */
  get waits(): boolean {
    return this.state.is === 'opening' || !this.outgoing.settled
  }

  path(): readonly PeerId[] | null {
    return this.state.is === 'open' ? this.carrier.path() : null
  }

  attach(events: ChannelEvents): void {
    if (this.events) throw new Error('the channel is attached already')
    this.events = events
    this.deliver()
  }

  send(message: Uint8Array): boolean {
    if (this.state.is !== 'open') return false
    checkMessage(message)
    if (
      this.outgoing.unsent >= UNSENT_MAX ||
      this.outgoing.waitingBytes + message.length > UNSENT_BYTES_MAX
    )
      throw new BoxError('LIMIT_EXCEEDED', 'The channel is held back; wait for `drained`.')
    this.outgoing.push(message)
    this.sendAll()
    this.heldBack = this.outgoing.mustWait()
    return !this.heldBack
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.deliver()
  }

  hurry(isOn: boolean): void {
    this.outgoing.hurry(isOn)
    this.sendAll()
    this.tellDrained()
  }

  close(): void {
    if (this.state.is === 'closed') return
    const tell = this.state.is !== 'over'
    this.state = { is: 'closed' }
    this.stop()
    if (tell) this.carrier.ended(this, { tell })
  }

  /** Asks the peer for the port. */
  open(port: PortId, events: OpenEvents): void {
    this.state = { is: 'opening', port, events }
    this.pump()
  }

  /** Somebody listens: tells the peer. */
  bind(port: PortId): void {
    this.port = port
    this.state = { is: 'open' }
    this.accepted()
  }

  /** The peer asks, perhaps again. */
  accepted(): void {
    if (this.state.is !== 'open' || !this.port) return
    this.carrier.say(
      ChannelOpenAck.encode({ window: WINDOW_OURS, channel: this.number, port: this.port }),
    )
  }

  receivedOpenAck(port: Uint8Array, window: number): void {
    if (this.state.is !== 'opening') return
    const { events, port: asked } = this.state
    if (!asked.every((byte, at) => byte === port[at])) return
    this.state = { is: 'open' }
    this.cancelTimer()
    this.outgoing.widen(windowOf(window))
    events.opened(this)
  }

  receivedData(sequence: number, payload: Uint8Array): void {
    if (this.state.is !== 'open' && this.state.is !== 'opening') return
    if (payload.length > 0 && !isMessage(payload)) {
      this.end('CHANNEL_LOST', { tell: true, detail: 'The peer sent no whole message.' })
      return
    }
    this.used = true
    const isNew = payload.length > 0 && this.incoming.accept(sequence, payload)
    this.deliver()
    // What is repeated, asked for, out of order or not taken is told at once; for the rest see `taken`.
    const isTold = isNew && this.incoming.isEmpty
    if (!isTold && (this.is === 'open' || this.is === 'opening'))
      this.carrier.acknowledge(this, 'now')
  }

  receivedDataAck(received: Received): void {
    if (this.state.is !== 'open') return
    this.used = true
    if (this.outgoing.acknowledged(received, this.clock.elapsed())) {
      this.probes = 0
      this.pump()
    }
  }

  /** What the peer must know now of what it has sent. */
  acknowledgement(): Uint8Array {
    this.unacknowledged.messages = 0
    this.unacknowledged.bytes = 0
    return ChannelDataAck.encode({ channel: this.number, ...this.incoming.received() })
  }

  /** Ends the channel from below. */
  end(
    code: ErrorCode,
    { tell, detail }: { readonly tell: boolean; readonly detail?: string },
  ): void {
    const before = this.state
    if (before.is === 'over' || before.is === 'closed') return
    const reason = new BoxError(code, detail)
    this.state = before.is === 'open' ? { is: 'over', reason } : { is: 'closed' }
    this.stop()
    this.carrier.ended(this, { tell })
    if (before.is === 'opening') before.events.failed(reason)
    this.deliver()
  }

  /** What went over `connection` (or at all, where null) may never have arrived. */
  lost(connection: Connection | null): void {
    this.outgoing.lost(connection)
  }

  /** Sends what can be sent: the opening, repetitions, then new messages. */
  pump(): void {
    if (this.state.is === 'opening') {
      this.sendOpen()
    } else {
      this.sendAll()
      this.tellDrained()
    }
  }

  /** Sends one message in its turn; whether there may be more. */
  serve(): boolean {
    const sent = this.sendNext()
    this.setTimer()
    this.tellDrained()
    return sent
  }

  private sendNext(): boolean {
    if (this.state.is !== 'open') return false
    const message = this.outgoing.ready()
    if (!message) return false
    if (!this.carrier.canSend()) {
      this.carrier.wait(this)
      return false
    }
    const { sequence } = message
    const payload = message.payload!
    const data = { sequence, channel: this.number, payload: NOTHING }
    const via = this.carrier.sendData(ChannelData.encodeHead(data, payload.length), payload)
    this.outgoing.transmitted(message, via, this.clock.elapsed())
    return true
  }

  private sendAll(): void {
    while (this.sendNext());
    this.setTimer()
  }

  private sendOpen(): void {
    const options = OPEN_OPTIONS
    const channel = this.number
    const said = this.carrier.say(ChannelOpen.encode({ options, port: this.hashedPort, channel }))
    if (!said) return
    const wait = OPEN_RETRY_MS * 2 ** Math.min(this.openTries, 8)
    this.arm(this.clock.elapsed() + Math.min(wait, OPEN_RETRY_MAX_MS))
  }

  private tellDrained(): void {
    if (!this.heldBack || this.state.is !== 'open' || this.outgoing.mustWait()) return
    this.heldBack = false
    this.events?.drained()
  }

  private deliver(): void {
    if (this.delivering) return
    this.delivering = true
    try {
      while (
        this.events &&
        !this.paused &&
        (this.state.is === 'open' || this.state.is === 'over')
      ) {
        const payload = this.incoming.take()
        if (payload) {
          if (this.state.is === 'open') this.taken(payload.length)
          this.events.message(payload)
        } else if (this.state.is === 'over') {
          const { reason } = this.state
          this.state = { is: 'closed' }
          this.events.closed(reason)
        } else {
          return
        }
      }
    } finally {
      this.delivering = false
    }
  }

  /** The client takes a message: the sender is to know, at once where it waits for that. */
  private taken(size: number): void {
    const { unacknowledged } = this
    const messages = ++unacknowledged.messages
    unacknowledged.bytes += size
    const isMuch =
      messages >= UNACKNOWLEDGED_MAX || unacknowledged.bytes >= UNACKNOWLEDGED_BYTES_MAX
    this.carrier.acknowledge(this, isMuch || !this.outgoing.isPatient ? 'now' : 'soon')
  }

  /** Sets the timer to what is due next. A timer that comes too early only looks again. */
  private setTimer(): void {
    if (this.state.is !== 'open') return
    if (this.outgoing.blocked) {
      this.arm(this.clock.elapsed() + Math.min(PROBE_MS * 2 ** this.probes, PROBE_MAX_MS))
      return
    }
    const silentAt = this.outgoing.silentAt()
    if (silentAt !== Number.POSITIVE_INFINITY) this.arm(silentAt)
  }

  private arm(at: number): void {
    if (this.timer && this.timer.at <= at) return
    this.timer?.handle.cancel()
    const wait = Math.max(1, at - this.clock.elapsed())
    this.timer = { at, handle: this.clock.after(wait, () => this.timeIsUp(at)) }
  }

  /** What came while this process did something else is read first: our being late is no silence of the peer. */
  private timeIsUp(at: number): void {
    const wait = Math.min(Math.max(0, this.clock.elapsed() - at), LATE_MAX_MS)
    this.timer = { at, handle: this.clock.after(wait, () => this.onTimer()) }
  }

  private onTimer(): void {
    this.timer = null
    if (this.state.is === 'opening') this.carrier.doubt(null, ++this.openTries)
    if (this.outgoing.silentAt() <= this.clock.elapsed()) {
      const silence = this.outgoing.silence(this.clock.elapsed())
      if (silence) this.carrier.doubt(silence.via, silence.times)
    } else if (this.outgoing.blocked) {
      this.probe()
    }
    this.pump()
  }

  /** Repeats the number of a message that was taken long ago: the peer answers with what it has. */
  private probe(): void {
    this.probes++
    const sequence = (this.outgoing.base - 1) >>> 0
    this.carrier.say(ChannelData.encode({ sequence, channel: this.number, payload: NOTHING }))
  }

  private cancelTimer(): void {
    this.timer?.handle.cancel()
    this.timer = null
  }

  private stop(): void {
    this.cancelTimer()
    this.incoming.release()
  }
}
