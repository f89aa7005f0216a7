/**
 * CADET: channels to any peer, over however many hops (gnunet-service-cadet*.c; class A of GNUnet 0.19.3
 * and 0.20.0, and with another cipher 0.27.0). It ends connections, carries those of others, and keeps
 * one tunnel with each peer that matters. Synchronous; promises are made of it in embedded.ts.
 */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { Counters } from '../../base/counters.ts'
import { BoxError } from '../../base/errors.ts'
import { type PeerId, type PortId, peerId } from '../../base/ids.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import { WireError } from '../../wire/layout.ts'
import type { Core, Neighbour } from '../core/core.ts'
import type { Channel, Dht, Listening, TunnelStatus } from '../mesh.ts'
import { Announcement, hopsOf, searchFor } from './announcement.ts'
import type { OpenEvents } from './channel.ts'
import { hashPort, type Port } from './channels.ts'
import type { Connection } from './connection.ts'
import { loopbackPair } from './loopback.ts'
import {
  CONNECTION_ID_AT,
  CONNECTION_ID_SIZE,
  ConnectionBroken,
  ConnectionCreate,
  ConnectionDestroy,
  NEIGHBOUR_MESSAGES,
} from './messages.ts'
import { Outlet } from './outlet.ts'
import { HOPS_MAX, PathDirectory } from './paths.ts'
import { Budget } from './receive-window.ts'
import { Routes } from './route.ts'
import { Tunnel, type TunnelMeans } from './tunnel.ts'
import type { TunnelCipher } from './tunnel-cipher.ts'

/** Ours: how often what is too old is looked for. */
const REVIEW_MS = 5_000
/** Ours: tunnels, each some 10 KB; those without channels make room for new ones. */
const TUNNELS_MAX = 2_000
/** Ours: bytes all channels together keep for clients that do not take them. */
const KEPT_BYTES_MAX = 48 * 1_024 * 1_024

const PID_SIZE = 32
const NOBODY = new Uint8Array(PID_SIZE)

export interface CadetMeans {
  readonly clock: Clock
  readonly random: Random
  readonly core: Core
  readonly dht: Dht
  readonly key: SigningKey
  readonly cipher: TunnelCipher
  readonly log: Log
  readonly counters: Counters
  /** Microseconds that never go back, not even over a restart. */
  monotime(): bigint
  /** Our HELLO message as it is now. */
  hello(): Uint8Array
}

export class Cadet {
  private readonly means: CadetMeans
  private readonly self: PeerId
  private readonly shared: TunnelMeans
  private readonly outlets = new Map<string, Outlet>()
  private readonly ends = new Map<string, Connection>()
  private readonly ports = new Map<string, Port>()
  private readonly tunnels = new Map<string, Tunnel>()
  private readonly paths = new PathDirectory()
  private readonly routes: Routes
  private readonly announcement: Announcement
  private reviewing: { cancel(): void }
  private closed = false

  constructor(means: CadetMeans) {
    this.means = means
    this.self = peerId(means.key.publicKey)
    const { clock, random, key, cipher, counters } = means
    this.routes = new Routes({ clock, self: this.self, counters })
    this.announcement = new Announcement({
      clock,
      dht: means.dht,
      self: this.self,
      hello: () => means.hello(),
    })
    this.shared = {
      clock,
      random,
      key,
      cipher,
      counters,
      self: this.self,
      outlets: this.outlets,
      ends: this.ends,
      ports: this.ports,
      budget: new Budget(KEPT_BYTES_MAX),
      monotime: () => means.monotime(),
      search: (peer, found) => this.search(peer, found),
    }
    counters.gauge('cadet.tunnels', () => this.tunnels.size)
    counters.gauge('cadet.connections', () => this.ends.size)
    counters.gauge('cadet.routes', () => this.routes.size)
    counters.gauge('cadet.relay_waiting_bytes', () => this.routes.waitingBytes)
    means.core.handle(
      NEIGHBOUR_MESSAGES.map(({ type }) => type),
      {
        up: neighbour => this.neighbourUp(neighbour),
        down: neighbour => this.neighbourDown(neighbour),
        drained: neighbour => this.outlets.get(neighbour.key)?.drained(),
        received: (neighbour, message) => this.receive(neighbour, message),
      },
    )
    this.reviewing = clock.after(REVIEW_MS, () => this.review())
  }

  /** Accepts channels on `port` until closed. Throws ADDRESS_IN_USE where somebody listens already. */
  listen(port: PortId, accept: (channel: Channel) => void): Listening {
    this.mustBeOpen()
    const hashed = hashPort(port, this.self)
    const key = keyOf(hashed)
    if (this.ports.has(key)) throw new BoxError('ADDRESS_IN_USE', 'Somebody listens on this port.')
    const entry: Port = { port: port.slice() as PortId, accept }
    this.ports.set(key, entry)
    for (const tunnel of this.tunnels.values())
      for (const channel of tunnel.waitingFor(hashed)) {
        channel.bind(entry.port)
        accept(channel)
      }
    return {
      close: () => {
        if (this.ports.get(key) === entry) this.ports.delete(key)
      },
    }
  }

  /**
   * Opens a channel to `port` of `peer`, over one of the ways in `via` or any other. Returns how to give
   * it up. Throws ENGINE_CLOSED.
   */
  open(
    peer: PeerId,
    port: PortId,
    via: readonly (readonly PeerId[])[],
    events: OpenEvents,
  ): { cancel(): void } {
    this.mustBeOpen()
    if (equalBytes(peer, this.self)) return this.openLoopback(port, events)
    const tunnel = this.tunnelWith(peer)
    if (!tunnel) throw new BoxError('LIMIT_EXCEEDED', 'There are too many tunnels.')
    const channel = tunnel.open(port, via, events)
    return { cancel: () => channel.close() }
  }

  status(): TunnelStatus[] {
    return [...this.tunnels.values()].map(tunnel => tunnel.status())
  }

  /** Ends all channels, and tells those at the other ends. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.reviewing.cancel()
    this.announcement.close()
    for (const tunnel of this.tunnels.values()) tunnel.close()
    this.tunnels.clear()
    this.routes.close()
    this.ports.clear()
  }

  private mustBeOpen(): void {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
  }

  private neighbourUp(neighbour: Neighbour): void {
    if (this.closed) return
    const before = this.outlets.get(neighbour.key)
    if (before) this.neighbourDown(before.neighbour)
    this.outlets.set(neighbour.key, new Outlet(neighbour, this.means.clock))
    this.announcement.soon()
    for (const tunnel of this.tunnels.values()) tunnel.neighbourUp()
  }

  private neighbourDown(neighbour: Neighbour): void {
    const outlet = this.outlets.get(neighbour.key)
    if (outlet?.neighbour !== neighbour) return
    this.outlets.delete(neighbour.key)
    this.routes.cut(outlet)
    for (const tunnel of this.tunnels.values()) tunnel.neighbourDown(outlet)
  }

  /** The border: what a neighbour sends may be anything, and must not do more than be counted. */
  private receive(neighbour: Neighbour, message: Uint8Array): void {
    const outlet = this.outlets.get(neighbour.key)
    if (this.closed || !outlet) return
    try {
      this.dispatch(outlet, message)
    } catch (error) {
      const theirs = error instanceof BoxError && error.code === 'WIRE_MALFORMED'
      if (!(error instanceof WireError) && !theirs) throw error
      this.means.counters.add('cadet.malformed')
    }
  }

  private dispatch(outlet: Outlet, message: Uint8Array): void {
    const type = (message[2]! << 8) | message[3]!
    if (type === ConnectionCreate.type) {
      this.receiveCreate(outlet, message)
      return
    }
    const id = message.subarray(CONNECTION_ID_AT, CONNECTION_ID_AT + CONNECTION_ID_SIZE)
    if (id.length < CONNECTION_ID_SIZE)
      throw new WireError('CADET', 'connection', CONNECTION_ID_AT, 'the message is too short')
    const key = keyOf(id)
    const end = this.ends.get(key)
    if (end) {
      if (end.outlet === outlet) end.owner.received(end, type, message)
      else this.means.counters.add('cadet.wrong_way')
    } else if (!this.routes.forward(key, outlet, type, message)) {
      this.means.counters.add('cadet.unknown_connection')
      if (type !== ConnectionBroken.type && type !== ConnectionDestroy.type)
        this.answerBroken(outlet, id, NOBODY)
    }
  }

  private receiveCreate(outlet: Outlet, message: Uint8Array): void {
    const create = ConnectionCreate.decode(message)
    const path = readPath(create.path)
    const at = path.findIndex((pid, index) => index > 0 && equalBytes(pid, this.self))
    if (at < 0 || !equalBytes(path[at - 1]!, outlet.neighbour.peer))
      throw new WireError(ConnectionCreate.name, 'path', message.length, 'does not lead to us')
    if (!outlet.allows()) {
      this.means.counters.add('cadet.connections_refused')
      return
    }
    if (at === path.length - 1) {
      this.acceptConnection(outlet, create, path)
      return
    }
    const next = this.outlets.get(keyOf(path[at + 1]!))
    const speaks = next?.neighbour.understands(ConnectionCreate.type)
    if (!next || !speaks || !this.routes.create(create.connection, outlet, next, message))
      this.answerBroken(outlet, create.connection, path[at + 1]!)
  }

  private acceptConnection(
    outlet: Outlet,
    create: ReturnType<typeof ConnectionCreate.decode>,
    path: readonly PeerId[],
  ): void {
    const known = this.ends.get(keyOf(create.connection))
    if (known) {
      if (known.inbound && known.outlet === outlet) known.requested()
      return
    }
    const hops = path.slice(1, -1).toReversed()
    const accepted = this.tunnelWith(path[0]!)?.requested(create, hops, outlet)
    if (!accepted) this.answerBroken(outlet, create.connection, NOBODY)
  }

  private answerBroken(outlet: Outlet, id: Uint8Array, far: Uint8Array): void {
    if (!outlet.allows()) return
    outlet.send(ConnectionBroken.encode({ connection: id, near: this.self, far }))
  }

  /** The tunnel with a peer, perhaps a new one; null where there are too many. */
  private tunnelWith(peer: PeerId): Tunnel | null {
    const key = keyOf(peer)
    const known = this.tunnels.get(key)
    if (known) return known
    if (this.tunnels.size >= TUNNELS_MAX && !this.makeRoom()) return null
    const tunnel = new Tunnel(this.shared, peer, this.paths.of(peer))
    this.tunnels.set(key, tunnel)
    return tunnel
  }

  private makeRoom(): boolean {
    let oldest: string | null = null
    let since = Number.POSITIVE_INFINITY
    for (const [key, { uselessSince }] of this.tunnels)
      if (uselessSince < since) [oldest, since] = [key, uselessSince]
    if (oldest === null) return false
    this.tunnels.get(oldest)!.close()
    return this.tunnels.delete(oldest)
  }

  private openLoopback(port: PortId, events: OpenEvents): { cancel(): void } {
    const timer = this.means.clock.after(0, () => {
      const listener = this.ports.get(keyOf(hashPort(port, this.self)))
      if (!listener) {
        events.failed(new BoxError('PEER_UNREACHABLE', 'Nobody listens on the port.'))
        return
      }
      const [near, far] = loopbackPair(this.means.clock, this.self)
      events.opened(near)
      listener.accept(far)
    })
    return { cancel: () => timer.cancel() }
  }

  private search(peer: PeerId, found: (hops: readonly PeerId[]) => void): Listening {
    this.means.counters.add('cadet.searches')
    return this.means.dht.get(searchFor(peer), result => {
      const hops = hopsOf(result, this.self, peer)
      if (hops) found(hops)
    })
  }

  private review(): void {
    for (const [key, tunnel] of this.tunnels) {
      if (tunnel.review()) continue
      this.tunnels.delete(key)
      tunnel.close()
    }
    this.routes.review()
    this.reviewing = this.means.clock.after(REVIEW_MS, () => this.review())
  }
}

/** The pids of a path. Throws WireError where it is no list of different peers. */
function readPath(raw: Uint8Array): PeerId[] {
  const count = raw.length / PID_SIZE
  const fail = (detail: string) => new WireError(ConnectionCreate.name, 'path', 116, detail)
  if (!Number.isInteger(count) || count < 2) throw fail('is no list of peers')
  if (count > HOPS_MAX + 2) throw fail('is too long')
  const pids = Array.from({ length: count }, (_, at) =>
    peerId(raw.slice(at * PID_SIZE, (at + 1) * PID_SIZE)),
  )
  if (new Set(pids.map(keyOf)).size < count) throw fail('goes in a circle')
  return pids
}
