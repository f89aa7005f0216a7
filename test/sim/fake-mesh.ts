/**
 * A mesh without a network: several peers in one process, for tests of the layers above the mesh.
 *
 * Keeps the promises of src/mesh/mesh.ts: whole messages, each once and in order; nothing before
 * `attach`; back-pressure; closing throws away what is under way. Everything happens by the clock.
 */

import { equalBytes, keyOf } from '../../src/base/bytes.ts'
import type { Clock } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { type PeerId, type PortId, peerId } from '../../src/base/ids.ts'
import type { Random } from '../../src/base/random.ts'
import type {
  Channel,
  ConnectOptions,
  Dht,
  DhtBlock,
  Listening,
  Mesh,
  MeshStatus,
  NeighbourWatch,
} from '../../src/mesh/mesh.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { channelPair, type FakeChannel } from './fake-channel.ts'
import { FakeDht } from './fake-dht.ts'
import { seededRandom } from './random.ts'

const HELLO = 'gnunet://hello/'
/** A port nobody listens on is not answered (as in GNUnet): the caller waits so long. */
const UNANSWERED_MS = 10_000

export interface FakeNetOptions {
  readonly clock: Clock
  /** How long a message is under way. */
  readonly latencyMs?: number
  readonly random?: Random
}

/** What connects the peers; tests break it on purpose. */
export class FakeNet {
  readonly clock: Clock
  readonly latencyMs: number
  readonly dht: FakeDht
  /** Sees each message of a channel, and may change it (return another) or swallow it (null). */
  tamper: (message: Uint8Array, from: PeerId, to: PeerId) => Uint8Array | null = message => message
  readonly peers = new Map<string, FakeMesh>()
  private readonly random: Random

  constructor({ clock, latencyMs = 1, random = seededRandom(1) }: FakeNetOptions) {
    this.clock = clock
    this.latencyMs = latencyMs
    this.random = random
    this.dht = new FakeDht(clock, latencyMs)
  }

  /** Starts a peer: with a new identity, or with the one it had before. */
  peer(self: PeerId = peerId(this.random.bytes(32))): FakeMesh {
    const mesh = new FakeMesh(this, self)
    this.peers.set(keyOf(self), mesh)
    return mesh
  }

  find(peer: PeerId): FakeMesh | undefined {
    return this.peers.get(keyOf(peer))
  }
}

export class FakeMesh implements Mesh {
  readonly self: PeerId
  readonly dht: Dht
  /** Addresses in the HELLO URL; a hub has some. */
  readonly channels = new Set<FakeChannel>()
  readonly neighbours = new Set<FakeMesh>()
  private readonly net: FakeNet
  private readonly ports = new Map<string, (channel: Channel) => void>()
  private readonly watches = new Set<NeighbourWatch>()
  private readonly asked = new Set<Listening>()
  private closed = false

  constructor(net: FakeNet, self: PeerId) {
    this.net = net
    this.self = self
    this.dht = {
      put: block => {
        this.mustBeOpen()
        net.dht.put(block as DhtBlock)
      },
      get: (query, found) => {
        this.mustBeOpen()
        const listening = net.dht.get(query, found)
        this.asked.add(listening)
        return listening
      },
    }
  }

  listen(port: PortId, accept: (channel: Channel) => void): Listening {
    this.mustBeOpen()
    const key = keyOf(port)
    if (this.ports.has(key)) throw new BoxError('ADDRESS_IN_USE')
    this.ports.set(key, accept)
    return { close: () => void this.ports.delete(key) }
  }

  async connect(peer: PeerId, port: PortId, options: ConnectOptions = {}): Promise<Channel> {
    this.mustBeOpen()
    await this.wait(2 * this.net.latencyMs, options.signal)
    const far = this.net.find(peer)
    if (!far || far.closed) throw new BoxError('PEER_UNREACHABLE')
    const accept = far.ports.get(keyOf(port))
    if (!accept) {
      await this.wait(UNANSWERED_MS, options.signal)
      throw new BoxError('PEER_TIMEOUT')
    }
    const path = this.pathTo(far, options.via ?? [])
    const [mine, theirs] = channelPair(this.net, this, far, path)
    accept(theirs)
    return mine
  }

  /** The first of the ways whose hops are all there; without any, straight. */
  private pathTo(far: FakeMesh, via: readonly (readonly PeerId[])[]): PeerId[] {
    const isUp = (hop: PeerId) => this.net.find(hop)?.closed === false
    const hops = via.find(way => way.every(isUp)) ?? []
    return [this.self, ...hops, far.self]
  }

  private wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = this.net.clock.after(ms, () => {
        signal?.removeEventListener('abort', abort)
        if (this.closed) reject(new BoxError('ENGINE_CLOSED'))
        else resolve()
      })
      const abort = () => {
        timer.cancel()
        reject(signal!.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  introduce(hello: string): PeerId {
    const [text] = hello.startsWith(HELLO) ? hello.slice(HELLO.length).split('/') : []
    if (!text) throw new BoxError('INPUT_INVALID', 'This is no HELLO URL.')
    let peer: PeerId
    try {
      peer = peerId(decodeBase32(text, 32))
    } catch (cause) {
      throw new BoxError('INPUT_INVALID', 'The HELLO URL names no peer.', cause)
    }
    this.net.clock.after(this.net.latencyMs, () => this.link(this.net.find(peer)))
    return peer
  }

  private link(far: FakeMesh | undefined): void {
    if (!far || far === this || far.closed || this.closed || this.neighbours.has(far)) return
    this.neighbours.add(far)
    far.neighbours.add(this)
    for (const watch of this.watches) watch.up(far.self)
    for (const watch of far.watches) watch.up(this.self)
  }

  private unlink(far: FakeMesh): void {
    if (!this.neighbours.delete(far)) return
    far.neighbours.delete(this)
    for (const watch of this.watches) watch.down(far.self)
    for (const watch of far.watches) watch.down(this.self)
  }

  hello(): string {
    return `${HELLO}${encodeBase32(this.self)}/0?foo=fake`
  }

  watch(events: NeighbourWatch): Listening {
    this.watches.add(events)
    for (const far of this.neighbours) events.up(far.self)
    return { close: () => void this.watches.delete(events) }
  }

  status(): MeshStatus {
    return {
      engine: 'embedded',
      neighbours: [...this.neighbours].map(({ self }) => ({
        peer: self,
        address: '',
        state: 'up' as const,
      })),
      tunnels: this.tunnels(),
      counters: {},
    }
  }

  private tunnels(): MeshStatus['tunnels'] {
    const far: PeerId[] = []
    for (const { peer } of this.channels)
      if (!far.some(known => equalBytes(known, peer))) far.push(peer)
    return far.map(peer => {
      const open = [...this.channels].filter(channel => equalBytes(channel.peer, peer))
      const paths = open.flatMap(channel => channel.path() ?? [])
      return { peer, state: 'up' as const, channels: open.length, paths: [paths] }
    })
  }

  async close(): Promise<void> {
    this.stop()
  }

  /** Ends the peer at once, as a crash or a pulled plug does; the others notice. */
  stop(): void {
    if (this.closed) return
    this.closed = true
    for (const far of [...this.neighbours]) this.unlink(far)
    for (const listening of this.asked) listening.close()
    for (const channel of [...this.channels]) channel.lose()
    this.ports.clear()
    this.watches.clear()
  }

  private mustBeOpen(): void {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
  }
}
