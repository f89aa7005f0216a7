/**
 * One end of a connection: a fixed way over named hops to another peer
 * (gnunet-service-cadet_connection.c; reference: cadet_protocol.h, section CONNECTION).
 */

import { keyOf } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { PeerId } from '../../base/ids.ts'
import { ConnectionCreateAck, ConnectionDestroy } from './messages.ts'
import type { Outlet } from './outlet.ts'
import { RoundTrip } from './round-trip.ts'

/** First repetition of CREATE and of its answer, for each hop; then doubled. */
const RETRY_MS = 200
/** Ours: then the way is given up: after some 6 s for a neighbour, 12 s over one hub. */
const TRIES_MAX = 5

export interface ConnectionOwner {
  /** The other end has accepted. */
  connectionReady(connection: Connection): void
  /** The other end never answered. */
  connectionFailed(connection: Connection): void
  /** A message for this connection, from the neighbour it goes over. */
  received(connection: Connection, type: number, message: Uint8Array): void
}

export interface ConnectionPlan {
  readonly id: Uint8Array
  /** Between us and the peer, nearest first. */
  readonly hops: readonly PeerId[]
  readonly outlet: Outlet
  /** The CREATE we send; null where the peer has sent it. */
  readonly create: Uint8Array | null
}

export class Connection {
  readonly id: Uint8Array
  readonly key: string
  readonly hops: readonly PeerId[]
  readonly outlet: Outlet
  readonly inbound: boolean
  readonly owner: ConnectionOwner
  readonly roundTrip = new RoundTrip()
  readonly startedAt: number
  state: 'creating' | 'ready' | 'closed' = 'creating'
  /** When we last sent anything over it. */
  usedAt: number
  /** Since when nothing proves that it works though something should; null where all is well. */
  doubtedAt: number | null = null
  private readonly clock: Clock
  private readonly create: Uint8Array | null
  private timer: Timer | null = null
  private tries = 0
  private answerAgainAt = 0

  constructor(clock: Clock, owner: ConnectionOwner, plan: ConnectionPlan) {
    this.clock = clock
    this.owner = owner
    this.id = plan.id
    this.key = keyOf(plan.id)
    this.hops = plan.hops
    this.outlet = plan.outlet
    this.create = plan.create
    this.inbound = plan.create === null
    this.startedAt = clock.elapsed()
    this.usedAt = this.startedAt
  }

  /** Asks for the connection, or answers the one who did. */
  start(): void {
    if (this.create) {
      this.request(this.create)
    } else {
      this.state = 'ready'
      this.requested()
      this.owner.connectionReady(this)
    }
  }

  /** The peer has asked for it, perhaps again: says yes, but not to each of a volley. */
  requested(): void {
    const now = this.clock.elapsed()
    if (now < this.answerAgainAt) return
    this.answerAgainAt = now + this.retryMs(this.tries++)
    this.send(ConnectionCreateAck.encode({ connection: this.id }))
  }

  /** The peer has said yes, or sends already. */
  accepted(): void {
    if (this.state !== 'creating') return
    this.state = 'ready'
    this.timer?.cancel()
    this.timer = null
    this.owner.connectionReady(this)
  }

  send(message: Uint8Array): void {
    this.usedAt = this.clock.elapsed()
    this.outlet.send(message)
  }

  /** Something came back that went out over it. */
  confirm(): void {
    this.doubtedAt = null
  }

  doubt(): void {
    this.doubtedAt = this.clock.elapsed()
  }

  /** Ends it; `tell` where the others do not know. */
  close({ tell }: { readonly tell: boolean }): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.timer?.cancel()
    this.timer = null
    if (tell) this.send(ConnectionDestroy.encode({ connection: this.id }))
  }

  private request(create: Uint8Array): void {
    if (this.tries === TRIES_MAX) {
      this.timer = null
      this.owner.connectionFailed(this)
      return
    }
    this.send(create)
    this.timer = this.clock.after(this.retryMs(this.tries++), () => this.request(create))
  }

  private retryMs(tries: number): number {
    return RETRY_MS * (this.hops.length + 1) * 2 ** Math.min(tries, TRIES_MAX)
  }
}
