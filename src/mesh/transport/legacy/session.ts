/**
 * One TCP connection to a peer, from its WELCOME on. It knows who the other side says it is, cuts
 * the stream into messages, and notes when something was heard; what messages mean is decided above.
 */

import { equalBytes, keyOf } from '../../../base/bytes.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import { BoxError } from '../../../base/errors.ts'
import { type PeerId, peerId } from '../../../base/ids.ts'
import {
  type Address,
  formatAddress,
  type Stream,
  type StreamEvents,
} from '../../../base/stream.ts'
import { messageType } from '../../../wire/dispatch.ts'
import { MessageSplitter } from '../../../wire/framing.ts'
import { WireError } from '../../../wire/layout.ts'
import { DIAL_TIMEOUT_MS, GREETING_TIMEOUT_MS } from './limits.ts'
import { NatProbe, Welcome } from './messages.ts'

export type Ending =
  | 'closed by us'
  | 'closed by the peer'
  | 'connection failed'
  | 'no greeting in time'
  | 'another peer'
  | 'ourselves'
  | 'malformed'

export interface SessionEvents {
  /** A dialled connection stands and has said WELCOME; the other side has not yet. */
  opened(session: Session): void
  /** The other side has said who it is; `session.peer` is there from now on. */
  greeted(session: Session): void
  /** Any message but WELCOME and NAT_PROBE. A view: copy what you keep. */
  received(session: Session, type: number, message: Uint8Array): void
  drained(session: Session): void
  /** Once, the last call; also after `close`. */
  ended(session: Session, ending: Ending): void
  /** Whether somebody who could not be dialled, and says he is `peer`, may come in. */
  admitsProbe(peer: PeerId): boolean
}

interface SessionOptions {
  readonly clock: Clock
  readonly self: PeerId
  readonly events: SessionEvents
  /** Whom we dialled; null where somebody dialled us. */
  readonly wanted: PeerId | null
  readonly remote: Address
}

export class Session {
  /** Where the other side is. */
  readonly remote: Address
  readonly address: string
  readonly dialled: boolean
  /** Who the other side says it is (and whom we wanted); null before its WELCOME. */
  peer: PeerId | null
  key = ''
  isGreeted = false
  isOver = false
  /** By the monotonic clock: when bytes last arrived. */
  heardAt: number
  readonly begunAt: number
  private readonly clock: Clock
  private readonly self: PeerId
  private readonly events: SessionEvents
  private readonly splitter = new MessageSplitter()
  private stream: Stream | null = null
  private saidWelcome = false
  private timer: Timer | null

  constructor({ clock, self, events, wanted, remote }: SessionOptions) {
    this.clock = clock
    this.self = self
    this.events = events
    this.remote = remote
    this.address = formatAddress(remote)
    this.dialled = wanted !== null
    this.peer = wanted
    if (wanted) this.key = keyOf(wanted)
    this.begunAt = clock.elapsed()
    this.heardAt = this.begunAt
    this.timer = clock.after(wanted ? DIAL_TIMEOUT_MS : GREETING_TIMEOUT_MS, () =>
      this.end('no greeting in time'),
    )
  }

  /** What to give to the network, which gives back the stream for `attach`. */
  readonly streamEvents: StreamEvents = {
    opened: () => this.onOpened(),
    received: chunk => this.onReceived(chunk),
    drained: () => {
      if (!this.isOver) this.events.drained(this)
    },
    closed: error => {
      this.stream = null
      this.end(error && !this.isGreeted ? 'connection failed' : 'closed by the peer')
    },
  }

  attach(stream: Stream): void {
    if (this.isOver) stream.close()
    else this.stream = stream
  }

  /** Hands a whole message to the network. False: it would rather wait. */
  write(message: Uint8Array): boolean {
    return this.isOver || !this.stream || this.stream.write(message)
  }

  close(): void {
    this.end('closed by us')
  }

  private onOpened(): void {
    if (this.isOver) return
    this.sayWelcome()
    this.events.opened(this)
  }

  private onReceived(chunk: Uint8Array): void {
    if (this.isOver) return
    this.heardAt = this.clock.elapsed()
    try {
      for (const message of this.splitter.push(chunk)) {
        if (this.isOver) return
        this.onMessage(messageType(message), message)
      }
    } catch (error) {
      if (!(error instanceof WireError || error instanceof BoxError)) throw error
      this.end('malformed')
    }
  }

  private onMessage(type: number, message: Uint8Array): void {
    if (this.isGreeted) {
      // Daemons ignore a second WELCOME too.
      if (type !== Welcome.type && type !== NatProbe.type) this.events.received(this, type, message)
    } else if (type === NatProbe.type && !this.dialled && !this.saidWelcome) this.onProbe(message)
    else this.onWelcome(message)
  }

  private onWelcome(message: Uint8Array): void {
    const { peer } = Welcome.decode(message)
    if (equalBytes(peer, this.self)) {
      this.end('ourselves')
      return
    }
    if (this.peer && !equalBytes(peer, this.peer)) {
      this.end('another peer')
      return
    }
    this.timer?.cancel()
    this.timer = null
    this.peer ??= peerId(peer.slice())
    this.key = keyOf(this.peer)
    this.isGreeted = true
    this.sayWelcome()
    this.events.greeted(this)
  }

  /** Connection reversal: he dialled since we were to dial him, and leaves the first word to us. */
  private onProbe(message: Uint8Array): void {
    const { peer } = NatProbe.decode(message)
    const claimed = peerId(peer.slice())
    if (!this.events.admitsProbe(claimed)) {
      this.end('closed by us')
      return
    }
    this.peer = claimed
    this.sayWelcome()
  }

  private sayWelcome(): void {
    if (this.saidWelcome) return
    this.saidWelcome = true
    this.write(Welcome.encode({ peer: this.self }))
  }

  private end(ending: Ending): void {
    if (this.isOver) return
    this.isOver = true
    this.timer?.cancel()
    this.timer = null
    this.stream?.close()
    this.stream = null
    this.events.ended(this, ending)
  }
}
