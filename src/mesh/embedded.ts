/**
 * The embedded engine: a GNUnet peer of our own, which needs no GNUnet installation and is an ordinary
 * peer to those that have one. Wires a profile's transport and CORE, the DHT and CADET into a Mesh;
 * everything below is synchronous, promises begin here.
 */

import type { Clock } from '../base/clock.ts'
import { Counters } from '../base/counters.ts'
import { BoxError } from '../base/errors.ts'
import { type PeerId, type PortId, peerId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Store } from '../base/store.ts'
import type { Address, Network } from '../base/stream.ts'
import { SigningKey } from '../crypto/signing.ts'
import { attempt } from './attempt.ts'
import { Cadet } from './cadet/cadet.ts'
import { TUNNEL_CIPHER_T1, TUNNEL_CIPHER_T2 } from './cadet/tunnel-cipher.ts'
import type { NeighbourEvents } from './core/core.ts'
import { NodeDht } from './dht/dht.ts'
import type {
  Channel,
  ConnectOptions,
  Dht,
  Listening,
  Mesh,
  MeshStatus,
  NeighbourWatch,
} from './mesh.ts'
import { Monotime } from './monotime.ts'
import { classA, type Profile, type Underlay } from './profile.ts'
import { Gossip } from './revocation-gossip.ts'

/** Under this name the store has the seed of the peer key. */
const PEER_SEED = 'peer-seed'
const SEED_SIZE = 32

export interface EmbeddedOptions {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly store: Store
  readonly log: Log
  readonly profile?: Profile
  /** Where to accept connections; a device accepts none. */
  readonly listen?: readonly Address[]
  /** Where others can dial us, if that is not where we listen. */
  readonly advertise?: readonly Address[]
  /** HELLO URLs of the peers to which links are kept. Throws INPUT_INVALID on one that is none. */
  readonly hubs?: readonly string[]
}

/** An engine, and what only its owner may know or do. */
export interface EmbeddedMesh extends Mesh {
  /** The machine has other addresses or routes than before: links are looked at at once. */
  networkChanged(): void
}

/** Starts a peer. Fails with ADDRESS_IN_USE, INPUT_INVALID, or what the store throws. */
export async function createEmbedded(options: EmbeddedOptions): Promise<EmbeddedMesh> {
  const mesh = new Embedded(options)
  try {
    await mesh.start()
    return mesh
  } catch (error) {
    await mesh.close()
    throw error
  }
}

class Embedded implements EmbeddedMesh {
  readonly self: PeerId
  readonly dht: Dht
  readonly gossip: Gossip
  private readonly underlay: Underlay
  private readonly nodeDht: NodeDht
  private readonly cadet: Cadet
  private readonly counters = new Counters()
  private readonly watchers = new Set<NeighbourWatch>()
  private readonly connecting = new Set<(reason: BoxError) => void>()
  private closed = false

  constructor(options: EmbeddedOptions) {
    const { clock, random, log, profile = classA } = options
    const { counters } = this
    const key = peerKey(options)
    this.self = peerId(key.publicKey)
    this.underlay = profile.create({
      ...options,
      counters,
      key,
      listen: options.listen ?? [],
      advertise: options.advertise ?? [],
    })
    const { core } = this.underlay
    this.gossip = new Gossip({ core, clock, counters })
    this.nodeDht = new NodeDht({
      ...{ clock, random, core, key, log, counters },
      routes: profile.recordsRoutes,
      hello: { uris: () => this.ownUrls(), found: (_peer, urls) => this.foundPeer(urls) },
    })
    this.dht = this.nodeDht
    const monotime = new Monotime(options.store, clock)
    this.cadet = new Cadet({
      ...{ clock, random, core, key, log, counters, dht: this.nodeDht },
      cipher: profile.tunnelCrypto === 'T1' ? TUNNEL_CIPHER_T1 : TUNNEL_CIPHER_T2,
      monotime: () => monotime.now(),
      hello: () => this.underlay.hello(),
    })
    core.handle([], this.neighbourEvents())
    for (const hub of options.hubs ?? []) this.introduce(hub)
  }

  start(): Promise<void> {
    return this.underlay.start()
  }

  listen(port: PortId, accept: (channel: Channel) => void): Listening {
    return this.cadet.listen(port, accept)
  }

  async connect(peer: PeerId, port: PortId, options: ConnectOptions = {}): Promise<Channel> {
    const { via = [], signal } = options
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    let closing: (reason: BoxError) => void
    return await attempt({
      signal,
      open: events => this.cadet.open(peer, port, via, events),
      begun: giveUp => {
        closing = giveUp
        this.connecting.add(closing)
      },
      ended: () => void this.connecting.delete(closing),
    })
  }

  introduce(hello: string): PeerId {
    const peer = this.underlay.introduce(hello)
    this.underlay.want(peer)
    return peer
  }

  hello(): string {
    return this.underlay.helloUrl()
  }

  watch(events: NeighbourWatch): Listening {
    this.watchers.add(events)
    for (const { peer } of this.underlay.core.neighbours.values()) events.up(peer)
    return { close: () => void this.watchers.delete(events) }
  }

  networkChanged(): void {
    this.underlay.networkChanged()
  }

  status(): MeshStatus {
    return {
      engine: 'embedded',
      neighbours: this.underlay.status(),
      tunnels: this.cadet.status(),
      counters: this.counters.read(),
    }
  }

  close(): Promise<void> {
    if (!this.closed) {
      this.closed = true
      for (const fail of this.connecting) fail(new BoxError('ENGINE_CLOSED'))
      this.cadet.close()
      this.nodeDht.close()
      this.gossip.close()
      this.underlay.close()
      this.watchers.clear()
    }
    return Promise.resolve()
  }

  private neighbourEvents(): NeighbourEvents {
    return {
      up: ({ peer }) => {
        for (const watcher of this.watchers) watcher.up(peer)
      },
      down: ({ key, peer }) => {
        if (this.underlay.core.neighbours.has(key)) return
        for (const watcher of this.watchers) watcher.down(peer)
      },
      received: () => {},
      drained: () => {},
    }
  }

  private ownUrls(): string[] {
    const url = this.underlay.helloUrl()
    return url.includes('+tcp.') ? [url] : []
  }

  /** Somebody near us in the DHT: known from now on, dialled if the transport wants more neighbours. */
  private foundPeer(urls: readonly string[]): void {
    for (const url of urls)
      try {
        this.underlay.introduce(url)
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
        this.counters.add('dht.hello_unreadable')
      }
  }
}

/** The peer key of the store, made where there is none. Throws KEY_UNREADABLE. */
function peerKey({ store, random }: EmbeddedOptions): SigningKey {
  const known = store.get(PEER_SEED)
  if (known && known.length !== SEED_SIZE)
    throw new BoxError('KEY_UNREADABLE', `The peer key has ${known.length} bytes instead of 32.`)
  const seed = known ?? random.bytes(SEED_SIZE)
  if (!known) store.set(PEER_SEED, seed)
  return SigningKey.fromSeed(seed)
}
