/**
 * All connections with one peer as one link: which of them is in use, whether the peer still hears
 * us, what waits to be sent. Payload is taken from whichever connection it comes over.
 */

import type { PeerId } from '../../../base/ids.ts'
import type { Log } from '../../../base/log.ts'
import type { Random } from '../../../base/random.ts'
import { encodeBase32 } from '../../../wire/base32.ts'
import type { Link, LinkEvents } from '../link.ts'
import { Handshake, type HandshakeSurroundings } from './handshake.ts'
import { QUOTA_NONE, SESSIONS_PER_PEER_MAX } from './limits.ts'
import { Liveness } from './liveness.ts'
import { Ack, Disconnect, Keepalive, KeepaliveResponse, SetQuota, Syn, SynAck } from './messages.ts'
import { SendQueue } from './send-queue.ts'
import type { Session } from './session.ts'

/** What a neighbour has from the transport. */
export interface Surroundings extends HandshakeSurroundings {
  readonly random: Random
  readonly log: Log
  /** Who is told of links. */
  links(): LinkEvents
  /** Our HELLO, or null where we have no address to tell. */
  hello(): Uint8Array | null
  /** The link is silent: there should be another connection soon. */
  doubted(neighbour: Neighbour): void
  linkedUp(neighbour: Neighbour): void
  /** The peer has proved its key to CORE. */
  proved(neighbour: Neighbour): void
  linkedDown(neighbour: Neighbour): void
}

type State =
  | { readonly is: 'apart' }
  | { readonly is: 'up'; readonly link: NeighbourLink; readonly primary: Session }

class NeighbourLink implements Link {
  readonly peer: PeerId
  isProven = false
  private readonly neighbour: Neighbour

  constructor(neighbour: Neighbour) {
    this.neighbour = neighbour
    this.peer = neighbour.peer
  }

  get address(): string {
    return this.neighbour.address
  }

  send(message: Uint8Array): boolean {
    return this.neighbour.sendOver(this, message)
  }

  proven(): void {
    this.neighbour.provenOver(this)
  }

  close(): void {
    this.neighbour.closeLink(this)
  }
}

export class Neighbour {
  readonly peer: PeerId
  readonly key: string
  /** As logs name it. */
  readonly name: string
  /** Links to wanted peers are watched closely, and dialled again by the transport. */
  isWanted = false
  readonly sessions = new Set<Session>()
  private readonly around: Surroundings
  private readonly handshake: Handshake
  private readonly liveness: Liveness
  private queue: SendQueue
  private state: State = { is: 'apart' }
  /** The connection whose payload is being delivered. */
  private delivering: Session | null = null
  /** A connection that could take the place of the one in use, should that be dead. */
  private challenger: Session | null = null
  /** Whether the peer may still believe in a link that we gave up without a word. */
  private leftBehind = false

  constructor(peer: PeerId, key: string, around: Surroundings) {
    this.peer = peer
    this.key = key
    this.name = encodeBase32(peer).slice(0, 4)
    this.around = around
    this.queue = this.freshQueue()
    this.handshake = new Handshake(peer, around, {
      agreed: session => this.agreed(session),
      parted: session => this.parted(session),
      isUp: () => this.isUp,
    })
    this.liveness = new Liveness(around.clock, around.random, {
      ask: nonce => this.write(Keepalive.encode({ nonce })),
      heardAt: () => (this.state.is === 'up' ? this.state.primary.heardAt : 0),
      doubt: () => this.onDoubt(),
      relief: () => {
        this.challenger = null
      },
      dead: () => this.onDead(),
    })
  }

  get isUp(): boolean {
    return this.state.is === 'up'
  }

  get isDoubtful(): boolean {
    return this.liveness.isDoubtful
  }

  /** The remote address in use, as people write it; empty where there is none. */
  get address(): string {
    if (this.state.is === 'up') return this.state.primary.address
    return this.sessions.values().next().value?.address ?? ''
  }

  /** Whether a connection is the one in use. */
  uses(session: Session): boolean {
    return this.state.is === 'up' && this.state.primary === session
  }

  setWanted(wanted: boolean): void {
    if (this.isWanted === wanted) return
    this.isWanted = wanted
    if (this.state.is === 'up') this.liveness.start({ eager: wanted })
  }

  /** Adds a connection: one we dialled as soon as it stands, any other once it is greeted. */
  join(session: Session): void {
    if (this.sessions.size >= SESSIONS_PER_PEER_MAX) this.oldestIdle()?.close()
    this.sessions.add(session)
    const hello = this.around.hello()
    if (hello) session.write(hello)
  }

  /** Asks for a link over a connection that we dialled. */
  ask(session: Session): void {
    if (this.isUp && !this.liveness.isDoubtful) return
    // We dialled since the old connection is silent, and here somebody answers: that settles it.
    this.onDead()
    this.handshake.ask(session, { clear: this.leftBehind })
  }

  /** A connection has ended. */
  leave(session: Session, ending: string): void {
    if (!this.sessions.delete(session)) return
    this.handshake.leave(session)
    if (this.challenger === session) this.challenger = null
    if (!this.uses(session)) return
    const other = this.freshest()
    if (other) this.switchTo(other)
    else this.down(ending)
  }

  /** Takes a message of the transport's own; anything else, being payload, goes up. Throws WireError. */
  received(session: Session, type: number, message: Uint8Array): void {
    switch (type) {
      case Syn.type:
        this.handshake.onSyn(session, message)
        break
      case SynAck.type:
        this.handshake.onSynAck(session, message)
        break
      case Ack.type:
        this.handshake.onAck(session, message)
        break
      case Disconnect.type:
        this.handshake.onDisconnect(session, message)
        break
      case SetQuota.type:
        this.queue.setQuota(SetQuota.decode(message).bytesPerSecond)
        break
      case Keepalive.type:
        session.write(KeepaliveResponse.encode(Keepalive.decode(message)))
        break
      case KeepaliveResponse.type:
        this.liveness.answered(KeepaliveResponse.decode(message).nonce)
        break
      default:
        this.onPayload(session, message)
    }
  }

  /** The connection takes messages again. */
  drained(session: Session): void {
    if (this.uses(session)) this.queue.proceed()
  }

  /** The network has changed: asks at once whether the peer still hears us. */
  probe(): void {
    if (this.isUp) this.liveness.hurry()
  }

  sendOver(link: NeighbourLink, message: Uint8Array): boolean {
    return this.state.is !== 'up' || this.state.link !== link || this.queue.send(message)
  }

  provenOver(link: NeighbourLink): void {
    if (this.state.is !== 'up' || this.state.link !== link) return
    if (this.challenger && this.challenger === this.delivering) this.switchTo(this.challenger)
    if (link.isProven) return
    link.isProven = true
    this.around.proved(this)
  }

  closeLink(link: NeighbourLink): void {
    if (this.state.is === 'up' && this.state.link === link) this.close()
  }

  /** Says goodbye where there is a link, and ends every connection. */
  close(): void {
    if (this.state.is === 'up') this.handshake.sayGoodbye(this.state.primary)
    this.handshake.stop()
    this.down('closed by us')
    this.leftBehind = false
    for (const session of [...this.sessions]) session.close()
  }

  /** A handshake has been completed over `session`. */
  private agreed(session: Session): void {
    const { state } = this
    if (state.is !== 'up') this.up(session)
    else if (state.primary === session) return
    // Anybody can claim to be this peer. What CORE has proved is displaced only if it is dead, or
    // if CORE recognises the peer in what comes over the new connection.
    else if (!state.link.isProven || this.liveness.isDoubtful) this.switchTo(session)
    else {
      this.challenger = session
      this.liveness.hurry()
    }
  }

  /** The peer said goodbye. If he dialled, it may be about an older connection, and a SYN follows. */
  private parted(session: Session): void {
    this.down('goodbye')
    for (const each of [...this.sessions]) if (each !== session || each.dialled) this.drop(each)
  }

  private onPayload(session: Session, message: Uint8Array): void {
    this.handshake.onPayload(session)
    if (this.state.is !== 'up') {
      this.around.counters.add('transport.payload_without_link')
      return
    }
    this.delivering = session
    this.around.links().received(this.state.link, message)
    this.delivering = null
  }

  private up(session: Session): void {
    this.leftBehind = false
    const link = new NeighbourLink(this)
    this.state = { is: 'up', link, primary: session }
    this.use(session)
    const { log } = this.around
    log.note('debug', 'transport', 'link up', { peer: this.name, address: session.address })
    this.around.linkedUp(this)
    this.around.links().up(link)
  }

  private switchTo(session: Session): void {
    if (this.state.is !== 'up') return
    this.state = { ...this.state, primary: session }
    this.around.counters.add('transport.switched')
    this.use(session)
  }

  private use(session: Session): void {
    this.challenger = null
    session.write(SetQuota.encode({ bytesPerSecond: QUOTA_NONE }))
    this.queue.use(message => session.write(message))
    this.liveness.start({ eager: this.isWanted })
  }

  private down(reason: string): void {
    const { state } = this
    if (state.is !== 'up') return
    this.state = { is: 'apart' }
    this.liveness.stop()
    this.challenger = null
    this.queue.close()
    this.queue = this.freshQueue()
    const { log } = this.around
    log.note('debug', 'transport', 'link down', { peer: this.name, reason })
    this.around.links().down(state.link)
    this.around.linkedDown(this)
  }

  private onDoubt(): void {
    if (this.challenger) this.switchTo(this.challenger)
    else this.around.doubted(this)
  }

  private onDead(): void {
    if (this.state.is !== 'up') return
    const { primary } = this.state
    this.around.counters.add('transport.silent')
    this.leftBehind = true
    this.down('silence')
    this.drop(primary)
  }

  /** Ends a connection that has no part in the link any more. */
  private drop(session: Session): void {
    this.sessions.delete(session)
    this.handshake.leave(session)
    session.close()
  }

  private write(message: Uint8Array): void {
    if (this.state.is === 'up') this.state.primary.write(message)
  }

  /** The greeted connection over which something came last. */
  private freshest(): Session | null {
    let best: Session | null = null
    for (const session of this.sessions)
      if (session.isGreeted && (!best || session.heardAt > best.heardAt)) best = session
    return best
  }

  private oldestIdle(): Session | null {
    for (const session of this.sessions) if (!this.uses(session)) return session
    return null
  }

  private freshQueue(): SendQueue {
    return new SendQueue(this.around.clock, this.around.counters, () => {
      if (this.state.is === 'up') this.around.links().drained(this.state.link)
    })
  }
}
