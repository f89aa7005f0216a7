/**
 * The distributed hash table (R5N) over the neighbours that CORE has. Blocks that we put are found by
 * others and survive the restart of a neighbour; questions are repeated until answered or cancelled;
 * and we store, answer and pass on for others as every node must that claims to speak type 158.
 *
 * The order of a result's path, for those who build a way to its publisher: [...putPath, ...getPath]
 * begins with the publisher and ends with our neighbour. putPath ends before the peer that stored the
 * block, getPath begins with it; either may be empty. So [self, ...getPath reversed, ...putPath reversed]
 * leads from here to the publisher; it may pass a peer twice. Every hop has signed. Where one did not,
 * the beginning is missing, the publisher with it, and `options` contains DHT_OPTION.truncated.
 */

import { equalBytes } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Counters } from '../../base/counters.ts'
import { BoxError } from '../../base/errors.ts'
import { hashCode, type PeerId, peerId } from '../../base/ids.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import { encodeBase32 } from '../../wire/base32.ts'
import { dispatch } from '../../wire/dispatch.ts'
import { WireError } from '../../wire/layout.ts'
import type { Core, Neighbour } from '../core/core.ts'
import {
  DHT_OPTION,
  type Dht,
  type DhtBlock,
  type DhtQuery,
  type DhtResult,
  type Listening,
} from '../mesh.ts'
import { Announcements } from './announcements.ts'
import { BLOCK, type BlockFacts, readBlock } from './blocks.ts'
import { blockOfMessage, helloMessage, readHello, signHello } from './hello.ts'
import { DhtCore, DhtGet, DhtHello, DhtPut, DhtResultMessage, type HelloValue } from './messages.ts'
import { BLOCK_SIZE_MAX, type Parcel, parcelOf } from './parcel.ts'
import { Peer } from './peer.ts'
import { PendingRequests, wantsRoute } from './pending.ts'
import { Router } from './router.ts'
import { RoutingTable } from './routing-table.ts'
import { Searches } from './searches.ts'
import { BlockStorage, endOf, OURSELVES, STORAGE_LIMITS, type StorageLimits } from './storage.ts'

/** DHT_MINIMUM_FIND_PEER_INTERVAL, and about what a real daemon adds to it at random. */
const FIND_PEER_MS = 2 * 60 * 1_000
const FIND_PEER_SPREAD_MS = 60 * 1_000
/** FIND_PEER_REPLICATION_LEVEL. */
const FIND_PEER_REPLICATION = 4
/** GNUNET_HELLO_ADDRESS_EXPIRATION. */
const HELLO_LIFETIME_MS = 12 * 60 * 60 * 1_000

/** Ours: how often what has expired is let go, and silent neighbours are asked for what they speak. */
const HOUSEKEEPING_MS = 10_000
/** Ours: a message costs a unit of allowance for each so many bytes, and one more. */
const BYTES_PER_UNIT = 4_096
/** Ours: searches at a time; each takes part in every neighbour that comes up. */
const SEARCHES_MAX = 1_024
/** Ours: a HELLO block of a neighbour that we keep to tell others. */
const HELLO_SIZE_MAX = 2_048

const read = dispatch([DhtPut, DhtGet, DhtResultMessage, DhtHello])

export interface DhtPorts {
  readonly clock: Clock
  readonly random: Random
  readonly core: Core
  readonly key: SigningKey
  readonly log: Log
  readonly counters: Counters
  /** Whether the wire class allows recorded routes: those of 0.25 and later crash over them. */
  readonly routes: boolean
  readonly limits?: StorageLimits
  readonly hello?: HelloPorts
}

/** Helps others to find peers to connect to, and us. */
export interface HelloPorts {
  /** Our addresses as URLs, `gnunet://hello/…`; none where we cannot be dialled. */
  uris(): readonly string[]
  /** Somebody near us in the table, and where it can be dialled. */
  found(peer: PeerId, uris: readonly string[]): void
}

export class NodeDht implements Dht {
  private readonly ports: DhtPorts
  private readonly self: PeerId
  private readonly table: RoutingTable
  private readonly storage: BlockStorage
  private readonly pending: PendingRequests
  private readonly announcements: Announcements
  private readonly searches: Searches
  private readonly router: Router
  /** Neighbours that speak DHT; and those that did not say so yet. */
  private readonly peers = new Map<string, Peer>()
  private readonly strangers = new Map<string, Neighbour>()
  private housekeeping: Timer
  private finding: Timer | null = null
  private findPeer: Listening | null = null
  private ownBlock: { readonly data: Uint8Array; readonly uris: string } | null = null
  private toldHello: Uint8Array | null = null
  private isClosed = false

  constructor(ports: DhtPorts) {
    const { clock, random, counters, key, routes } = ports
    this.ports = ports
    this.self = peerId(key.publicKey)
    this.table = new RoutingTable(this.self)
    this.storage = new BlockStorage(clock, this.table.selfHash, ports.limits ?? STORAGE_LIMITS)
    this.pending = new PendingRequests(clock)
    this.announcements = new Announcements(clock)
    const { self, table, storage, pending, peers } = this
    this.searches = new Searches({
      clock,
      random,
      self,
      ask: query => this.router.ask(query),
      stored: query => this.stored(query),
    })
    this.router = new Router({
      ...{ clock, random, counters, key, self, routes, table, storage, pending, peers },
      ownHello: () => this.ownHello(),
      isWanted: query => this.searches.isWanted(query),
      found: (parcel, query) => this.searches.offer(parcel, query),
    })
    this.housekeeping = clock.after(HOUSEKEEPING_MS, () => this.keepHouse())
    this.registerGauges()
    ports.core.handle([DhtCore.type], {
      up: neighbour => this.onUp(neighbour),
      received: (neighbour, message) => this.onReceived(neighbour, message),
      drained: neighbour => this.peers.get(neighbour.key)?.outbox.drained(),
      down: neighbour => this.onDown(neighbour),
    })
  }

  /** Throws INPUT_INVALID for a block that no node would take. */
  put(block: DhtBlock): void {
    if (this.isClosed) throw new BoxError('ENGINE_CLOSED')
    const options = this.router.allowed(block.options)
    const parcel = parcelOf({ ...block, options })
    const { identity, expiresAt } = checked(parcel)
    this.announcements.remember(parcel, block.replication)
    this.storage.put(parcel, OURSELVES, endOf(parcel, expiresAt))
    this.searches.offer(parcel, parcel.key)
    this.router.answerAskers(parcel, identity)
    this.router.publish(parcel, block.replication)
  }

  /** Throws LIMIT_EXCEEDED where more is being asked than anybody could answer. */
  get(query: DhtQuery, found: (result: DhtResult) => void): Listening {
    if (this.isClosed) throw new BoxError('ENGINE_CLOSED')
    if (this.searches.size >= SEARCHES_MAX)
      throw new BoxError('LIMIT_EXCEEDED', 'Too many searches.')
    return this.searches.start(query, found, { repeats: true })
  }

  /** Ends every search and every timer. */
  close(): void {
    this.isClosed = true
    this.searches.close()
    this.housekeeping.cancel()
    this.finding?.cancel()
    this.findPeer?.close()
  }

  private registerGauges(): void {
    const { counters } = this.ports
    counters.gauge('dht.neighbours', () => this.peers.size)
    counters.gauge('dht.stored_blocks', () => this.storage.blocks)
    counters.gauge('dht.stored_bytes', () => this.storage.bytes)
    counters.gauge('dht.pending', () => this.pending.size)
    counters.gauge('dht.searches', () => this.searches.size)
  }

  private stored({ key, type, options }: DhtQuery): Parcel[] {
    const all = this.storage.get(key, type)
    return wantsRoute(options) ? all.filter(parcel => this.router.leadsOn(parcel)) : all
  }

  private onUp(neighbour: Neighbour): void {
    if (this.isClosed) return
    if (neighbour.understands(DhtCore.type)) this.welcome(neighbour)
    else this.strangers.set(neighbour.key, neighbour)
  }

  private onDown({ key }: Neighbour): void {
    this.strangers.delete(key)
    this.peers.delete(key)
    this.table.remove(key)
    this.pending.forget(key)
    if (this.peers.size > 0) return
    this.finding?.cancel()
    this.finding = null
  }

  /** A neighbour that speaks DHT: it gets all that we have to tell and to ask. */
  private welcome(neighbour: Neighbour): Peer {
    const peer = new Peer(neighbour, this.ports.clock)
    this.strangers.delete(neighbour.key)
    this.peers.set(neighbour.key, peer)
    this.table.add(neighbour)
    this.ports.log.note('debug', 'dht', 'neighbour', { peer: shortName(neighbour) })
    const hello = this.ownHello()
    if (hello) peer.outbox.send(helloMessage(hello))
    for (const { parcel, replication } of this.announcements.current())
      this.router.publishTo(neighbour, parcel, replication)
    for (const query of this.searches.queries()) this.router.askOf(neighbour, query)
    if (!this.finding && this.ports.hello) this.findPeers()
    return peer
  }

  private onReceived(neighbour: Neighbour, message: Uint8Array): void {
    if (this.isClosed) return
    const { counters } = this.ports
    const peer = this.peers.get(neighbour.key) ?? this.welcome(neighbour)
    if (!peer.allowance.take(1 + Math.floor(message.length / BYTES_PER_UNIT))) {
      counters.add('dht.dropped.over_allowance')
      if (!peer.isOverdrawn) this.noteFlood(peer)
      return
    }
    try {
      this.take(peer, DhtCore.decode(message).inner)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      counters.add('dht.dropped.malformed')
    }
  }

  /** Once for each time that a neighbour is connected: the flood shall not be one of lines. */
  private noteFlood(peer: Peer): void {
    peer.isOverdrawn = true
    const name = shortName(peer.neighbour)
    this.ports.log.note('warn', 'dht', 'neighbour asks too much', { peer: name })
  }

  private take(peer: Peer, raw: Uint8Array): void {
    const { counters } = this.ports
    const message = read(raw)
    counters.add(`dht.received.${message ? message.is : 'unknown'}`)
    switch (message?.is) {
      case 'DHT_P2P_PUT':
        this.router.onPut(peer, message.value)
        break
      case 'DHT_P2P_GET':
        this.router.onGet(peer, message.value)
        break
      case 'DHT_P2P_RESULT':
        this.router.onResult(peer, message.value)
        break
      case 'DHT_P2P_HELLO':
        this.onHello(peer, message.value)
        break
    }
  }

  /** Class A peers tell old-fashioned URLs, others what we cannot read: what is odd is not kept. */
  private onHello(peer: Peer, told: HelloValue): void {
    const block = blockOfMessage(told, peer.neighbour.peer)
    if (block.length > HELLO_SIZE_MAX) return
    const hello = readHello(block)
    if (hello.expiresAt <= this.ports.clock.now() || !hello.isSigned()) return
    peer.hello = block
    if (hello.uris.length > 0) this.table.noteRelay(peer.neighbour.key)
  }

  /** Our block, signed again when our addresses change or half of its life is over. */
  private ownHello(): Uint8Array | null {
    const uris = this.ports.hello?.uris() ?? []
    if (uris.length === 0) return null
    const now = this.ports.clock.now()
    const text = uris.join(' ')
    const old = this.ownBlock
    if (old?.uris === text && readHello(old.data).expiresAt - now > HELLO_LIFETIME_MS / 2)
      return old.data
    const data = signHello(this.ports.key, uris, now + HELLO_LIFETIME_MS)
    this.ownBlock = { data, uris: text }
    return data
  }

  /** Neighbours have our block from the beginning; here they get the next one. */
  private tellHello(): void {
    const hello = this.ownHello()
    if (!hello || hello === this.toldHello) return
    this.toldHello = hello
    for (const { outbox } of this.peers.values()) outbox.send(helloMessage(hello))
  }

  /** Asks for peers near us, now and every few minutes. */
  private findPeers(): void {
    const { clock, random, hello } = this.ports
    this.findPeer?.close()
    this.findPeer = this.searches.start(
      {
        type: BLOCK.dhtHello,
        key: hashCode(this.table.selfHash),
        replication: FIND_PEER_REPLICATION,
        options: DHT_OPTION.approximate,
      },
      ({ data }) => {
        const { pid, uris } = readHello(data)
        if (!equalBytes(pid, this.self)) hello?.found(pid, uris)
      },
      { repeats: false },
    )
    const pause = FIND_PEER_MS + random.below(FIND_PEER_SPREAD_MS)
    this.finding = clock.after(pause, () => this.findPeers())
  }

  private keepHouse(): void {
    this.storage.sweep()
    this.pending.sweep()
    for (const neighbour of [...this.strangers.values()])
      if (neighbour.understands(DhtCore.type)) this.welcome(neighbour)
    this.tellHello()
    this.housekeeping = this.ports.clock.after(HOUSEKEEPING_MS, () => this.keepHouse())
  }
}

/** What a block says of itself. Ours must be right, or others would drop them. */
function checked(parcel: Parcel): BlockFacts {
  const refuse = (detail: string, cause?: unknown) => new BoxError('INPUT_INVALID', detail, cause)
  if (parcel.data.length > BLOCK_SIZE_MAX) throw refuse('The block is too large.')
  if (parcel.blockType === BLOCK.any) throw refuse('The block has no type.')
  try {
    const facts = readBlock(parcel.blockType, parcel.data, parcel.dataHash)
    if (!facts.key || equalBytes(facts.key, parcel.key)) return facts
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw refuse('The block does not fit its type.', cause)
  }
  throw refuse('The block does not belong under this key.')
}

const shortName = ({ peer }: Neighbour): string => encodeBase32(peer).slice(0, 4)
