/**
 * How two peers agree on a link: SYN, SYN_ACK, ACK, in both directions at once if need be, and the
 * signed DISCONNECT that ends it (gnunet-service-transport_neighbours.c, v0.20.0).
 *
 * A daemon answers a SYN over the connection it uses already, not over the one that carried the SYN.
 * After we moved to another network that one is dead, so an unanswered SYN is followed by a
 * DISCONNECT, which has the daemon forget it, and by another SYN.
 */

import type { Clock } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import type { PeerId } from '../../../base/ids.ts'
import { PURPOSE, signPurpose, verifyPurpose } from '../../../crypto/purposes.ts'
import type { SigningKey } from '../../../crypto/signing.ts'
import { Deadlines } from '../deadlines.ts'
import { AFTER_DISCONNECT_MS, SETUP_TIMEOUT_MS, SYN_REPEAT_MS } from './limits.ts'
import { Ack, Disconnect, DisconnectBody, Syn, SynAck } from './messages.ts'
import type { Session } from './session.ts'

export interface HandshakeSurroundings {
  readonly clock: Clock
  readonly counters: Counters
  readonly key: SigningKey
  readonly self: PeerId
  /** Microseconds since 1970, more each time. */
  stamp(): bigint
}

export interface HandshakeEvents {
  /** Both sides want a link, and have said so; `session` carried the last word. */
  agreed(session: Session): void
  /** The peer said goodbye, and proved that it was him. */
  parted(session: Session): void
  isUp(): boolean
}

/** A SYN_ACK to any of our SYNs since `since` is an answer. */
interface Asking {
  readonly since: bigint
  readonly session: Session
  /** Whether the peer has been told to forget an earlier link. */
  readonly cleared: boolean
}

export class Handshake {
  private readonly peer: PeerId
  private readonly around: HandshakeSurroundings
  private readonly events: HandshakeEvents
  private readonly deadlines: Deadlines<'repeat' | 'setup'>
  private asking: Asking | null = null
  /** The connection over which we answered a SYN and wait for the ACK. */
  private answered: Session | null = null
  /** Timestamp of the newest SYN of the peer: a DISCONNECT must be newer. */
  private synSeen = 0n

  constructor(peer: PeerId, around: HandshakeSurroundings, events: HandshakeEvents) {
    this.peer = peer
    this.around = around
    this.events = events
    this.deadlines = new Deadlines(around.clock, {
      /** Our SYN was not answered, or the peer has had time to forget an earlier link. */
      repeat: () => this.repeat(),
      /** It has taken too long. */
      setup: () => this.giveUp(),
    })
  }

  get isAsking(): boolean {
    return this.asking !== null
  }

  /** Asks for a link. `clear`: the peer may still believe in an earlier one, over a dead connection. */
  ask(session: Session, { clear }: { readonly clear: boolean }): void {
    if (clear) this.clearAway(session)
    else this.sendSyn(session, this.asking?.cleared ?? false)
    this.deadlines.set('setup', SETUP_TIMEOUT_MS)
  }

  onSyn(session: Session, message: Uint8Array): void {
    const { timestamp } = Syn.decode(message)
    if (timestamp > this.synSeen) this.synSeen = timestamp
    this.answered = session
    session.write(SynAck.encode({ timestamp }))
  }

  onSynAck(session: Session, message: Uint8Array): void {
    const { timestamp } = SynAck.decode(message)
    if (this.asking && timestamp >= this.asking.since) {
      this.finish()
      session.write(Ack.encode({}))
      this.events.agreed(session)
    } else if (this.events.isUp()) session.write(Ack.encode({}))
    else this.around.counters.add('transport.syn_ack_unexpected')
  }

  onAck(session: Session, message: Uint8Array): void {
    Ack.decode(message)
    this.acknowledged(session)
  }

  /** Who speaks after our SYN_ACK has had it; his ACK is on another connection, or under way. */
  onPayload(session: Session): void {
    if (this.answered === session && !this.events.isUp()) this.acknowledged(session)
  }

  onDisconnect(session: Session, message: Uint8Array): void {
    const { timestamp, peer, signature } = Disconnect.decode(message)
    const body = DisconnectBody.encode({ timestamp, peer })
    const genuine = verifyPurpose(this.peer, PURPOSE.TRANSPORT_DISCONNECT, body, signature)
    if (timestamp <= this.synSeen || !genuine) {
      this.around.counters.add('transport.disconnect_ignored')
      return
    }
    this.answered = null
    this.finish()
    this.events.parted(session)
  }

  sayGoodbye(session: Session): void {
    const { key, self } = this.around
    const timestamp = this.around.stamp()
    const body = DisconnectBody.encode({ timestamp, peer: self })
    const signature = signPurpose(key, PURPOSE.TRANSPORT_DISCONNECT, body)
    session.write(Disconnect.encode({ timestamp, peer: self, signature }))
  }

  /** A connection has ended. */
  leave(session: Session): void {
    if (this.answered === session) this.answered = null
    if (this.asking?.session === session) this.finish()
  }

  stop(): void {
    this.answered = null
    this.finish()
  }

  private acknowledged(session: Session): void {
    if (!this.answered) return
    this.answered = null
    this.finish()
    this.events.agreed(session)
  }

  private sendSyn(session: Session, cleared: boolean): void {
    const timestamp = this.around.stamp()
    this.asking = { since: this.asking?.since ?? timestamp, session, cleared }
    session.write(Syn.encode({ timestamp }))
    this.deadlines.set('repeat', SYN_REPEAT_MS)
  }

  private clearAway(session: Session): void {
    this.sayGoodbye(session)
    this.asking = { since: this.around.stamp(), session, cleared: true }
    this.deadlines.set('repeat', AFTER_DISCONNECT_MS)
  }

  private repeat(): void {
    if (!this.asking) return
    const { session, cleared } = this.asking
    if (!session.isGreeted) this.deadlines.set('repeat', SYN_REPEAT_MS)
    else if (cleared) this.sendSyn(session, true)
    else this.clearAway(session)
  }

  private giveUp(): void {
    if (!this.asking) return
    const { session } = this.asking
    this.around.counters.add('transport.setup_timeout')
    this.finish()
    session.close()
  }

  private finish(): void {
    this.asking = null
    this.deadlines.clear()
  }
}
