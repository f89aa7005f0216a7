/**
 * All we have with one peer: connections to it, common keys, and the channels inside
 * (gnunet-service-cadet_tunnels.c). Channels outlive the connections they travel over, and keys are
 * made anew under them when one side has lost its own.
 */

import { compareBytes } from '../../base/bytes.ts'
import type { Counters } from '../../base/counters.ts'
import type { HashCode, PeerId, PortId } from '../../base/ids.ts'
import { PURPOSE, signPurpose, verifyPurpose } from '../../crypto/purposes.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import type { TunnelStatus } from '../mesh.ts'
import type { CadetChannel, Carrier, OpenEvents } from './channel.ts'
import { Channels, type Ports } from './channels.ts'
import type { Connection } from './connection.ts'
import { type ConnectionMeans, Connections, type ConnectionsEvents } from './connections.ts'
import { Departures, type Exit } from './departures.ts'
import { type ExchangeEvents, KeyExchange } from './key-exchange.ts'
import {
  ConnectionBroken,
  ConnectionCreate,
  ConnectionCreateAck,
  ConnectionDestroy,
  HAS_MONOTIME,
  KX_FORCE_REPLY,
  OPTIONS_RELIABLE,
  TunnelEncrypted,
  TunnelKx,
  TunnelKxAuth,
} from './messages.ts'
import type { Outlet } from './outlet.ts'
import type { Paths } from './paths.ts'
import type { Budget } from './receive-window.ts'
import type { TunnelCipher } from './tunnel-cipher.ts'

/** An idle connection says that it is still wanted (REFRESH_CONNECTION_TIME). */
const KEEPALIVE_MS = 300_000
/** A tunnel without channels (IDLE_DESTROY_DELAY). */
const IDLE_MS = 90_000

/** Ours: channels end when nothing was heard of the peer for so long though something was due. */
const LOST_MS = 120_000
/** Ours: a peer that is busy may be silent for so long while something is due. */
const DOUBT_MS = 400
/** Ours: messages sent so often, and silence for so long, make us doubt our keys. */
const UNANSWERED_TIMES = 3
const UNANSWERED_MS = 1_000

export interface TunnelMeans extends ConnectionMeans {
  readonly self: PeerId
  readonly key: SigningKey
  readonly cipher: TunnelCipher
  readonly counters: Counters
  readonly budget: Budget
  readonly ports: Ports
  /** Our persisted clock: microseconds that never go back. */
  monotime(): bigint
}

export class Tunnel implements ConnectionsEvents, Carrier, Exit, ExchangeEvents {
  readonly peer: PeerId
  readonly clock: ConnectionMeans['clock']
  private readonly means: TunnelMeans
  private readonly amAlice: boolean
  private readonly paths: Paths
  private readonly connections: Connections
  private readonly keys: KeyExchange
  private readonly departures: Departures
  private readonly channels: Channels
  private monotimeSeen = 0n
  private heardAt: number
  /** Since when something is due of the peer, as far as the reviews have seen; Infinity: nothing is. */
  private owedSince = Number.POSITIVE_INFINITY
  private idleSince: number

  constructor(means: TunnelMeans, peer: PeerId, paths: Paths) {
    this.means = means
    this.clock = means.clock
    this.peer = peer.slice() as PeerId
    this.paths = paths
    this.amAlice = compareBytes(means.self, peer) < 0
    this.heardAt = means.clock.elapsed()
    this.idleSince = this.heardAt
    this.connections = new Connections(means, this.peer, paths, this)
    const role = this.amAlice ? 'alice' : 'betty'
    this.keys = new KeyExchange(means, { role, key: means.key, peer: this.peer }, this)
    this.departures = new Departures(this)
    this.channels = new Channels(means, this, { numbersHigh: !this.amAlice })
  }

  /** Opens a channel; `events` tell what became of it. */
  open(port: PortId, via: readonly (readonly PeerId[])[], events: OpenEvents): CadetChannel {
    for (const hops of via) this.paths.add(hops, 'given')
    const channel = this.channels.create(port, events)
    this.connections.maintain()
    this.keys.need()
    return channel
  }

  /** Somebody listens on this port from now: gives the channels that waited for it. */
  waitingFor(hashedPort: HashCode): CadetChannel[] {
    return this.channels.waitingFor(hashedPort)
  }

  /** The peer asks for a connection over `hops` (nearest first). False: our own prevails. */
  requested(
    create: ReturnType<typeof ConnectionCreate.decode>,
    hops: readonly PeerId[],
    outlet: Outlet,
  ) {
    const invites = this.isInvitation(create)
    const id = create.connection.slice()
    const accepted = this.connections.accept(id, hops, outlet) !== null
    if (invites) this.keys.invited()
    return accepted
  }

  neighbourUp(): void {
    this.connections.maintain()
  }

  neighbourDown(outlet: Outlet): void {
    outlet.leave(this.departures)
    this.connections.cut(outlet)
  }

  /** Does what is due from time to time. Returns whether the tunnel is still of use. */
  review(): boolean {
    const now = this.clock.elapsed()
    this.connections.review()
    this.channels.review({ reached: this.keys.usable })
    for (const connection of this.connections.all())
      if (connection.state === 'ready' && now - connection.usedAt >= KEEPALIVE_MS)
        this.departures.keepAlive(connection, this.channels.open())
    if (!this.isOwedAnything()) this.owedSince = Number.POSITIVE_INFINITY
    else this.owedSince = Math.min(this.owedSince, now)
    if (now - Math.max(this.heardAt, this.owedSince) >= LOST_MS)
      this.channels.endAll('CHANNEL_LOST')
    return this.channels.size > 0 || now - this.idleSince < IDLE_MS
  }

  /** Since when there have been no channels; Infinity where there are. */
  get uselessSince(): number {
    return this.channels.size > 0 ? Number.POSITIVE_INFINITY : this.idleSince
  }

  status(): TunnelStatus {
    const ready = this.connections.all().filter(({ state }) => state === 'ready')
    const keyed = this.keys.usable ? 'up' : 'keying'
    const connecting = this.connections.all().length > 0 ? 'connecting' : 'searching'
    return {
      peer: this.peer,
      state: ready.length > 0 ? keyed : connecting,
      channels: this.channels.size,
      paths: ready.map(({ hops }) => [this.means.self, ...hops, this.peer]),
    }
  }

  /** Ends everything; the peer is told. */
  close(): void {
    this.channels.endAll('ENGINE_CLOSED')
    this.departures.close()
    this.keys.close()
    this.connections.close()
  }

  // What connections report.

  create(id: Uint8Array, hops: readonly PeerId[], { prevails }: { readonly prevails: boolean }) {
    const invites = !this.amAlice && (prevails || !this.keys.proved)
    const monotime = invites ? this.means.monotime() : 0n
    const path = [this.means.self, ...hops, this.peer]
    const pids = new Uint8Array(path.length * 32)
    for (const [at, pid] of path.entries()) pids.set(pid, at * 32)
    return ConnectionCreate.encode({
      options: OPTIONS_RELIABLE,
      hasMonotime: invites ? HAS_MONOTIME : 0,
      monotime,
      signature: invites
        ? signPurpose(this.means.key, PURPOSE.CADET_CONNECTION_INITIATOR, signedTime(monotime))
        : new Uint8Array(64),
      connection: id,
      path: pids,
    })
  }

  connectionReady(connection: Connection): void {
    const again = this.connections.all().every(one => one === connection || one.state !== 'ready')
    this.connections.ready(connection)
    this.keys.connected()
    if (!this.keys.usable) return
    this.resume()
    if (again) this.ask()
  }

  connectionFailed(connection: Connection): void {
    this.connections.failed(connection)
  }

  connectionLost(connection: Connection): void {
    connection.outlet.leave(this.departures)
    for (const channel of this.channels.all()) channel.lost(connection)
    if (this.departures.canSend()) this.resume()
  }

  received(connection: Connection, type: number, message: Uint8Array): void {
    switch (type) {
      case TunnelEncrypted.type:
        this.receivedEncrypted(connection, TunnelEncrypted.decode(message))
        break
      case TunnelKx.type:
      case TunnelKxAuth.type:
        this.receivedExchange(connection, type, message)
        break
      case ConnectionCreateAck.type:
        connection.accepted()
        break
      case ConnectionBroken.type:
        this.connections.failed(connection)
        break
      case ConnectionDestroy.type:
        this.connections.gone(connection)
    }
  }

  // What the key exchange asks for.

  transmit(make: (connection: Uint8Array) => Uint8Array): boolean {
    const connection = this.connections.forExchange()
    connection?.send(make(connection.id))
    return connection !== null
  }

  established(): void {
    this.heardAt = this.clock.elapsed()
    for (const channel of this.channels.all()) channel.lost(null)
    this.resume()
    this.ask()
  }

  invite(): void {
    this.connections.invite()
  }

  provoke(): void {
    const best = this.connections.best()
    if (!best) return
    const noise = this.means.random.bytes(32 + 40 + 8)
    best.send(
      TunnelEncrypted.encode({
        connection: best.id,
        mac: noise.subarray(0, 32),
        header: noise.subarray(32, 72),
        body: noise.subarray(72),
      }),
    )
  }

  wanted(): boolean {
    return this.channels.size > 0
  }

  // What departures ask for.

  best(): Connection | null {
    return this.connections.best()
  }

  usable(): boolean {
    return this.keys.usable
  }

  seal(body: Uint8Array) {
    return this.keys.seal(body)
  }

  rest(): void {
    this.keys.prepare()
  }

  // What channels ask for.

  path(): readonly PeerId[] | null {
    const best = this.connections.best()
    return best && [this.means.self, ...best.hops, this.peer]
  }

  canSend(): boolean {
    return this.departures.canSend()
  }

  sendData(...wire: readonly Uint8Array[]): Connection {
    return this.departures.sendData(...wire)
  }

  say(wire: Uint8Array): boolean {
    return this.departures.say(wire)
  }

  wait(channel: CadetChannel): void {
    this.departures.wait(channel)
  }

  acknowledge(channel: CadetChannel, when: 'now' | 'soon'): void {
    this.departures.acknowledge(channel, when)
  }

  started(): void {
    this.connections.want(true)
  }

  unknown(number: number): void {
    this.departures.farewell(number)
  }

  doubt(connection: Connection | null, times: number): void {
    const silentMs = this.clock.elapsed() - this.heardAt
    const doubted = connection ?? this.connections.best()
    if (doubted && silentMs >= DOUBT_MS && this.connections.doubt(doubted))
      for (const channel of this.channels.all()) channel.lost(doubted)
    if (times >= UNANSWERED_TIMES && silentMs >= UNANSWERED_MS) this.keys.unanswered()
  }

  ended(channel: CadetChannel, { tell }: { readonly tell: boolean }): void {
    this.departures.forget(channel)
    this.channels.remove(channel)
    if (tell) this.departures.farewell(channel.number)
    if (this.channels.size > 0) return
    this.idleSince = this.clock.elapsed()
    this.connections.want(false)
  }

  /** Finds out whether the peer still has our channels: it says so where not, and takes no harm where it has. */
  private ask(): void {
    for (const channel of this.channels.open()) this.departures.acknowledge(channel, 'now')
  }

  private resume(): void {
    for (const channel of this.channels.all()) channel.pump()
    this.departures.resume()
  }

  private receivedEncrypted(
    connection: Connection,
    message: ReturnType<typeof TunnelEncrypted.decode>,
  ): void {
    connection.accepted()
    const opened = this.keys.open(message)
    if (opened.is === 'plain') {
      this.heardAt = this.clock.elapsed()
      this.connections.heard(connection)
      if (!this.channels.receive(opened.plain, this.keys.generation)) this.keys.renew()
      this.departures.endTurn()
    } else {
      this.means.counters.add(`cadet.${opened.is}`)
      if (opened.is === 'foreign') this.keys.renew()
    }
  }

  private receivedExchange(connection: Connection, type: number, message: Uint8Array): void {
    if (!connection.outlet.allows()) {
      this.means.counters.add('cadet.exchanges_refused')
      return
    }
    connection.accepted()
    if (type === TunnelKx.type) {
      this.keys.receivedKx(TunnelKx.decode(message))
    } else {
      const said = TunnelKxAuth.decode(message)
      this.keys.receivedKxAuth(said, (said.flags & KX_FORCE_REPLY) !== 0)
    }
  }

  /** Whether Betty asks us, signed and not replayed, to begin a key exchange. */
  private isInvitation(create: ReturnType<typeof ConnectionCreate.decode>): boolean {
    const { hasMonotime, monotime, signature } = create
    if (!this.amAlice || hasMonotime === 0 || monotime <= this.monotimeSeen) return false
    const purpose = PURPOSE.CADET_CONNECTION_INITIATOR
    if (!verifyPurpose(this.peer, purpose, signedTime(monotime), signature)) return false
    this.monotimeSeen = monotime
    return true
  }

  private isOwedAnything(): boolean {
    if (this.channels.size === 0) return false
    if (!this.connections.best()) return true
    for (const channel of this.channels.all()) if (channel.waits) return true
    return false
  }
}

/** The signed part of a CREATE: eight bytes of time (struct CadetConnectionCreatePS). */
function signedTime(monotime: bigint): Uint8Array {
  const raw = new Uint8Array(8)
  new DataView(raw.buffer).setBigUint64(0, monotime)
  return raw
}
