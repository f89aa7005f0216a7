/**
 * GNUnet's legacy transport over TCP, wire class A (0.19.3 and 0.20.0): dials and is dialled, keeps
 * links to the peers that are wanted, learns and tells addresses. Nothing here is encrypted and
 * nobody is believed: CORE does both, above the links.
 */

import { equalBytes, keyOf } from '../../../base/bytes.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import { type PeerId, peerId } from '../../../base/ids.ts'
import type { Log } from '../../../base/log.ts'
import type { Random } from '../../../base/random.ts'
import type { Store } from '../../../base/store.ts'
import type { Address, Listener, Network, Stream, StreamEvents } from '../../../base/stream.ts'
import type { SigningKey } from '../../../crypto/signing.ts'
import { WireError } from '../../../wire/layout.ts'
import type { LinkEvents } from '../link.ts'
import { Admission } from './admission.ts'
import { Dialler } from './dialler.ts'
import { decodeHello, encodeHello, type Hello, HelloMessage } from './hello.ts'
import { formatHelloUrl, parseHelloUrl } from './hello-url.ts'
import { hostOf, isLoopback, isUnspecified } from './ip.ts'
import {
  ADDRESS_LIFETIME_MS,
  HELLO_PERIOD_MS,
  IDLE_TIMEOUT_MS,
  LINKLESS_TIMEOUT_MS,
  LINKS_WISHED,
  SWEEP_PERIOD_MS,
} from './limits.ts'
import { Ping, Pong } from './messages.ts'
import { Neighbour, type Surroundings } from './neighbour.ts'
import { PeerStore } from './peer-store.ts'
import { type Ending, Session, type SessionEvents } from './session.ts'
import { Validation } from './validation.ts'

export interface LegacyTransportOptions {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly store: Store
  readonly log: Log
  readonly counters: Counters
  readonly key: SigningKey
  /** Where to accept connections; nowhere where empty. */
  readonly listen: readonly Address[]
  /** The addresses to tell others; where empty, those we listen at, as far as they can be dialled. */
  readonly advertise: readonly Address[]
  /** With fewer links than this, peers nobody asked for are dialled too. */
  readonly linksWished?: number
}

export interface LegacyNeighbour {
  readonly peer: PeerId
  readonly key: string
  /** As people write it; empty where there is no connection yet. */
  readonly address: string
}

export class LegacyTransport {
  readonly self: PeerId
  private readonly options: LegacyTransportOptions
  private readonly peers: PeerStore
  private readonly dialler: Dialler
  private readonly validation: Validation
  private readonly admission: Admission
  private readonly around: Surroundings
  private readonly sessions = new Set<Session>()
  private readonly neighbours = new Map<string, Neighbour>()
  private readonly listeners: Listener[] = []
  private advertised: readonly Address[]
  private links: LinkEvents | null = null
  private sweeping: Timer | null = null
  private lastStamp = 0n
  private isClosed = false

  constructor(options: LegacyTransportOptions) {
    const { clock, random, store, counters, key } = options
    this.options = options
    this.self = peerId(key.publicKey)
    this.advertised = options.advertise
    this.peers = new PeerStore(clock, store)
    this.admission = new Admission(counters)
    this.dialler = new Dialler({
      clock,
      random,
      store: this.peers,
      linksWished: options.linksWished ?? LINKS_WISHED,
      dial: (peer, address) => this.dial(peer, address),
      isLinked: peerKey => this.isLinked(peerKey),
      linkCount: () => this.linkCount(),
    })
    this.validation = new Validation({
      clock,
      random,
      counters,
      key,
      self: this.self,
      store: this.peers,
      own: () => this.addresses(),
      dial: (peer, address) => this.dial(peer, address),
      isConnected: peerKey => (this.neighbours.get(peerKey)?.sessions.size ?? 0) > 0,
    })
    this.around = this.surroundings()
    counters.gauge('transport.sessions', () => this.sessions.size)
    counters.gauge('transport.peers_known', () => this.peers.size)
  }

  /** Begins to listen and to dial. Fails with ADDRESS_IN_USE. */
  async start(links: LinkEvents): Promise<void> {
    this.links = links
    const { clock, listen, network } = this.options
    this.sweeping = clock.after(SWEEP_PERIOD_MS, () => this.sweep())
    this.dialler.start()
    const starting = listen.map(at => network.listen(at, stream => this.accept(stream)))
    for (const listener of await Promise.all(starting)) {
      if (this.isClosed) listener.close()
      else this.listeners.push(listener)
    }
  }

  /** Keeps a link to the peer from now on, dialling whatever addresses are known. */
  want(peer: PeerId): void {
    if (equalBytes(peer, this.self)) return
    this.neighbourOf(peer).setWanted(true)
    this.dialler.want(peer)
  }

  /** No longer dials the peer; a link that stands may stay. */
  unwant(peer: PeerId): void {
    this.neighbours.get(keyOf(peer))?.setWanted(false)
    this.dialler.unwant(peer)
  }

  /**
   * Takes a HELLO message from somebody at `from` (as people write addresses; empty where unknown).
   * False: it does not fit its layout.
   */
  learn(raw: Uint8Array, from: string): boolean {
    try {
      this.learnHello(decodeHello(raw), from)
      return true
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.options.counters.add('transport.hello_malformed')
      return false
    }
  }

  /** Takes a HELLO URL from a person; returns the peer. Throws BoxError INPUT_INVALID. */
  introduce(url: string): PeerId {
    const hello = parseHelloUrl(url)
    if (equalBytes(hello.peer, this.self)) return this.self
    this.peers.introduce(hello)
    this.dialler.learned(hello.peer)
    return hello.peer
  }

  /** Our HELLO message; perhaps without any address. */
  hello(): Uint8Array {
    return encodeHello(this.ownHello())
  }

  /** Our HELLO as people pass it on. */
  helloUrl(): string {
    return formatHelloUrl(this.ownHello())
  }

  /** Peers of whom some address is known. */
  known(): readonly PeerId[] {
    return this.peers.all()
  }

  /** What we would tell others of a peer: addresses that it has signed for. Null where there are none. */
  helloOf(peer: PeerId): Uint8Array | null {
    return this.peers.helloOf(peer)
  }

  /** Replaces the addresses to tell others, and tells our neighbours. */
  advertise(addresses: readonly Address[]): void {
    this.advertised = addresses
    const hello = this.helloToSay()
    for (const session of this.sessions)
      if (hello && this.neighbours.get(session.key)?.uses(session)) session.write(hello)
  }

  /** The machine has other addresses or routes than before: sees at once which links still work. */
  networkChanged(): void {
    for (const neighbour of this.neighbours.values()) neighbour.probe()
    this.dialler.hurryAll()
  }

  /** Peers with a link or a connection, and those being dialled. */
  status(): LegacyNeighbour[] {
    const known = [...this.neighbours.values()].map(({ peer, key, address }) => ({
      peer,
      key,
      address,
    }))
    const others = this.dialler.dialling().map(peer => ({ peer, key: keyOf(peer), address: '' }))
    return [...known, ...others.filter(({ key }) => !this.neighbours.has(key))]
  }

  /** Says goodbye to everybody and ends everything. Idempotent. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.sweeping?.cancel()
    this.dialler.close()
    this.validation.close()
    for (const listener of this.listeners) listener.close()
    for (const neighbour of [...this.neighbours.values()]) neighbour.close()
    for (const session of [...this.sessions]) session.close()
    this.neighbours.clear()
    this.peers.save()
  }

  private surroundings(): Surroundings {
    const { clock, random, counters, log, key } = this.options
    return {
      clock,
      random,
      counters,
      log,
      key,
      self: this.self,
      links: () => this.links!,
      stamp: () => this.stamp(),
      hello: () => this.helloToSay(),
      doubted: neighbour => this.dialler.hurry(neighbour.key),
      linkedUp: neighbour =>
        this.dialler.linkedUp(neighbour.key, session => neighbour.uses(session)),
      proved: neighbour => this.proved(neighbour),
      linkedDown: neighbour => this.dialler.linkedDown(neighbour.key),
    }
  }

  private readonly sessionEvents: SessionEvents = {
    opened: session => {
      const neighbour = this.neighbourOf(session.peer!)
      if (this.validation.isAsking(session)) return
      neighbour.join(session)
      neighbour.ask(session)
    },
    greeted: session => this.greeted(session),
    received: (session, type, message) => this.received(session, type, message),
    drained: session => this.neighbours.get(session.key)?.drained(session),
    ended: (session, ending) => this.ended(session, ending),
    admitsProbe: peer => this.dialler.isWanted(keyOf(peer)),
  }

  private dial(peer: PeerId, address: Address): Session {
    const { clock, network } = this.options
    const session = new Session({
      clock,
      self: this.self,
      events: this.sessionEvents,
      wanted: peer,
      remote: address,
    })
    this.sessions.add(session)
    session.attach(network.dial(address, session.streamEvents))
    return session
  }

  private accept(stream: Stream): StreamEvents {
    const { clock } = this.options
    const session = new Session({
      clock,
      self: this.self,
      events: this.sessionEvents,
      wanted: null,
      remote: stream.remote,
    })
    session.attach(stream)
    if (this.isClosed || !this.admission.admits(stream.remote.host)) session.close()
    else {
      this.sessions.add(session)
      this.admission.entered(session)
    }
    return session.streamEvents
  }

  private greeted(session: Session): void {
    this.admission.greeted(session)
    const isAsking = this.validation.isAsking(session)
    if (!session.dialled || isAsking) this.neighbourOf(session.peer!).join(session)
    // Only here: a daemon ends the connection where the address is not one it knows to be its own,
    // as behind a router that forwards a port. For links it is CORE that tells the right from the wrong.
    if (isAsking) this.validation.question(session)
  }

  private received(session: Session, type: number, message: Uint8Array): void {
    switch (type) {
      case HelloMessage.type:
        this.learn(message, session.address)
        break
      case Ping.type:
        this.validation.onPing(session, message)
        break
      case Pong.type:
        this.validation.onPong(session, message)
        break
      default:
        this.neighbours.get(session.key)?.received(session, type, message)
    }
  }

  private ended(session: Session, ending: Ending): void {
    if (!this.sessions.delete(session)) return
    const { counters, log } = this.options
    counters.add(`transport.ended ${ending}`)
    log.note('debug', 'transport', 'connection ended', { address: session.address, ending })
    this.admission.left(session)
    this.validation.ended(session)
    this.neighbours.get(session.key)?.leave(session, ending)
    if (session.dialled) this.dialler.ended(session)
    this.dropIdle(session.key)
  }

  private neighbourOf(peer: PeerId): Neighbour {
    const key = keyOf(peer)
    const known = this.neighbours.get(key)
    if (known) return known
    const neighbour = new Neighbour(peer, key, this.around)
    this.neighbours.set(key, neighbour)
    return neighbour
  }

  private proved(neighbour: Neighbour): void {
    this.dialler.proved(neighbour.key)
    for (const session of neighbour.sessions)
      if (session.dialled && neighbour.uses(session))
        this.peers.worked(neighbour.peer, session.remote)
  }

  private learnHello(hello: Hello, from: string): void {
    if (equalBytes(hello.peer, this.self)) return
    // Somebody elsewhere who speaks of a loopback address means his own machine, or harm.
    const isLocal = isLoopback(hostOf(from))
    const addresses = hello.addresses.filter(({ address }) => isLocal || !isLoopback(address.host))
    const fresh = this.peers.learn({ ...hello, addresses })
    if (fresh.length > 0) this.dialler.learned(hello.peer)
    // Only who can be dialled himself is asked for addresses; devices have better to do than to check.
    if (this.listeners.length > 0)
      for (const address of fresh) this.validation.wish(hello.peer, address)
  }

  private ownHello(): Hello {
    const periods = Math.ceil(this.options.clock.now() / HELLO_PERIOD_MS)
    const expiresAt = periods * HELLO_PERIOD_MS + ADDRESS_LIFETIME_MS
    const addresses = this.addresses().map(address => ({ address, expiresAt }))
    return { peer: this.self, friendsOnly: false, addresses }
  }

  private helloToSay(): Uint8Array | null {
    return this.addresses().length > 0 ? this.hello() : null
  }

  private addresses(): readonly Address[] {
    if (this.advertised.length > 0) return this.advertised
    return this.listeners.map(({ local }) => local).filter(({ host }) => !isUnspecified(host))
  }

  private isLinked(key: string): boolean {
    const neighbour = this.neighbours.get(key)
    return neighbour?.isUp === true && !neighbour.isDoubtful
  }

  private linkCount(): number {
    let count = 0
    for (const { isUp } of this.neighbours.values()) if (isUp) count++
    return count
  }

  private stamp(): bigint {
    const now = BigInt(Math.round(this.options.clock.now() * 1_000))
    this.lastStamp = now > this.lastStamp ? now : this.lastStamp + 1n
    return this.lastStamp
  }

  /** Ends connections that serve no link and have been quiet. */
  private sweep(): void {
    const { clock } = this.options
    this.sweeping = clock.after(SWEEP_PERIOD_MS, () => this.sweep())
    for (const session of [...this.sessions]) {
      const neighbour = this.neighbours.get(session.key)
      if (!session.isGreeted || neighbour?.uses(session)) continue
      const limitMs = neighbour?.isUp ? IDLE_TIMEOUT_MS : LINKLESS_TIMEOUT_MS
      if (clock.elapsed() - session.heardAt > limitMs) session.close()
    }
    this.validation.proceed()
    this.peers.saveSometimes()
  }

  private dropIdle(key: string): void {
    const neighbour = this.neighbours.get(key)
    if (neighbour && !neighbour.isWanted && !neighbour.isUp && neighbour.sessions.size === 0)
      this.neighbours.delete(key)
  }
}
