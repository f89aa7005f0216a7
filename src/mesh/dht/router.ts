/**
 * What becomes of each DHT message of a neighbour (R5N, gnunet-service-dht_neighbours.c): stored,
 * answered, remembered, passed on. Routes are extended and signed, not verified: whoever uses one does.
 */

import { keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { Counters } from '../../base/counters.ts'
import { type HashCode, hashCode, type PeerId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { sha512 } from '../../crypto/hash.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import { WireError } from '../../wire/layout.ts'
import { toMicros } from '../../wire/time.ts'
import type { Neighbour } from '../core/core.ts'
import { DHT_OPTION, type DhtQuery } from '../mesh.ts'
import { BLOCK, type BlockFacts, readBlock, takesExtendedQuery } from './blocks.ts'
import { addToBloom } from './bloom.ts'
import { firstHops, nextHops } from './forwarding.ts'
import { readHello } from './hello.ts'
import { Judge } from './judge.ts'
import { DhtGet, type GetValue, type PutValue, type ResultValue, VISITED_SIZE } from './messages.ts'
import {
  encodePut,
  encodeResult,
  isRecorded,
  type Parcel,
  type PutHeader,
  parcelOfPut,
  parcelOfResult,
  withoutRoute,
} from './parcel.ts'
import { isOnRoute, NO_ROUTE } from './path.ts'
import type { Peer } from './peer.ts'
import { type Asker, answers, isNews, type PendingRequests, wantsRoute } from './pending.ts'
import { freshResultFilter, withResult } from './result-filter.ts'
import type { RoutingTable } from './routing-table.ts'
import { type BlockStorage, endOf } from './storage.ts'

/** NUM_CLOSEST of gnunet-service-dht_datacache.c. */
const CLOSEST_RESULTS = 4

export interface RouterPorts {
  readonly clock: Clock
  readonly random: Random
  readonly counters: Counters
  readonly key: SigningKey
  readonly self: PeerId
  /** Whether routes may be recorded at all: they crash the DHT of some releases. */
  readonly routes: boolean
  readonly table: RoutingTable
  readonly storage: BlockStorage
  readonly pending: PendingRequests
  /** The neighbours that speak DHT, by key. */
  readonly peers: ReadonlyMap<string, Peer>
  /** Our own DHT HELLO block; null where we have none. */
  ownHello(): Uint8Array | null
  isWanted(query: Uint8Array): boolean
  /** Tells our own searches of a block that answers `query`. */
  found(parcel: Parcel, query: Uint8Array): void
}

export class Router {
  private readonly ports: RouterPorts
  private readonly judge: Judge

  constructor(ports: RouterPorts) {
    this.ports = ports
    this.judge = new Judge(ports.clock)
  }

  /** Throws WireError where the block does not fit its type; so does `onResult`. */
  onPut(peer: Peer, put: PutValue): void {
    const arrived = parcelOfPut(put, peer.neighbour.peer)
    const { storage, table } = this.ports
    const facts = this.accept(arrived, arrived.key, peer)
    if (!facts) return
    if (put.hopCount > 1) table.noteRelay(peer.neighbour.key)
    const parcel = this.permitted(arrived)
    const visited = this.visitedOf(put.visited, peer)
    this.ports.found(parcel, parcel.key)
    if (this.concernsUs(parcel.options, parcel.key, visited))
      storage.put(parcel, peer.neighbour.key, endOf(parcel, facts.expiresAt))
    this.answerAskers(parcel, facts.identity, peer)
    const { hopCount, replication } = put
    const targets = nextHops(table, parcel.key, visited, hopCount, replication, this.ports.random)
    this.sendPut(targets, parcel, { hopCount: hopCount + 1, replication, visited })
  }

  onGet(peer: Peer, get: GetValue): void {
    const { pending, random, table } = this.ports
    if (get.extendedQuery.length > 0 && !takesExtendedQuery(get.blockType))
      throw new WireError('DHT_P2P_GET', 'extendedQuery', 0, 'the type has none')
    if (get.hopCount > 1) table.noteRelay(peer.neighbour.key)
    const key = hashCode(get.key)
    const visited = this.visitedOf(get.visited, peer)
    const question = { query: key, type: get.blockType, options: get.options }
    const asker = pending.add(peer.neighbour.key, { ...question, filter: get.resultFilter })
    let filter = get.resultFilter
    if (this.concernsUs(get.options, key, visited))
      for (const { parcel, facts } of this.answersTo(get, peer)) {
        if (!this.tell(asker, parcel, facts.identity)) continue
        if (facts.isFinal) return
        // Where routes are looked for, others shall tell theirs to the same block.
        if (!wantsRoute(get.options)) filter = withResult(filter, facts.identity)
      }
    const { hopCount, replication } = get
    for (const { key: name } of nextHops(table, key, visited, hopCount, replication, random))
      this.sendGet(name, { ...get, hopCount: hopCount + 1, visited, resultFilter: filter })
  }

  onResult(peer: Peer, result: ResultValue): void {
    const arrived = parcelOfResult(result, peer.neighbour.peer)
    const { counters, isWanted, pending, storage } = this.ports
    const query = arrived.key
    const from = peer.neighbour.key
    const askers = pending.askers(query).filter(({ neighbour }) => neighbour !== from)
    if (askers.length === 0 && !isWanted(query)) {
      counters.add('dht.dropped.unasked')
      return
    }
    if (isOnRoute(arrived.route, this.ports.self)) {
      counters.add('dht.dropped.circle')
      return
    }
    const facts = this.accept(arrived, null, peer)
    if (!facts) return
    const parcel = this.permitted({ ...arrived, key: facts.key ?? query })
    this.ports.found(parcel, query)
    // A route told to somebody else grows old with nobody to correct it; a block does not.
    if (!isRecorded(parcel) && parcel.blockType !== BLOCK.dhtHello)
      storage.put(parcel, from, endOf(parcel, facts.expiresAt))
    for (const asker of askers) this.tell(asker, parcel, facts.identity)
  }

  /** A block that has just appeared goes to those who asked for it lately; they need not ask again. */
  answerAskers(parcel: Parcel, identity: Uint8Array, except: Peer | null = null): void {
    for (const asker of this.ports.pending.askers(parcel.key))
      if (asker.neighbour !== except?.neighbour.key) this.tell(asker, parcel, identity)
  }

  /** Sends a block of ours to as many neighbours as copies are wished for. */
  publish(parcel: Parcel, replication: number): void {
    const visited = this.freshVisited()
    const { random, table } = this.ports
    const targets = firstHops(table, parcel.key, visited, replication, random)
    this.sendPut(targets, parcel, { hopCount: 1, replication, visited })
  }

  /** Sends a block of ours to this neighbour. */
  publishTo(neighbour: Neighbour, parcel: Parcel, replication: number): void {
    const visited = this.freshVisited()
    addToBloom(visited, sha512(neighbour.peer))
    this.sendPut([neighbour], parcel, { hopCount: 1, replication, visited })
  }

  /** Asks as many neighbours as copies are wished for. */
  ask(query: DhtQuery): void {
    const visited = this.freshVisited()
    const { random, table } = this.ports
    for (const { key } of firstHops(table, query.key, visited, query.replication, random))
      this.sendGet(key, this.question(query, visited))
  }

  askOf(neighbour: Neighbour, query: DhtQuery): void {
    const visited = this.freshVisited()
    addToBloom(visited, sha512(neighbour.peer))
    this.sendGet(neighbour.key, this.question(query, visited))
  }

  /** The options that may leave this node. */
  allowed(options: number): number {
    return this.ports.routes ? options : options & ~DHT_OPTION.recordRoute
  }

  private question({ type, key, replication, options }: DhtQuery, visited: Uint8Array): GetValue {
    return {
      blockType: type,
      options: this.allowed(options),
      hopCount: 1,
      replication,
      visited,
      key,
      resultFilter: freshResultFilter(this.ports.random),
      extendedQuery: new Uint8Array(0),
    }
  }

  /** The facts of a block, or null where it is dropped and counted. */
  private accept(parcel: Parcel, key: HashCode | null, peer: Peer): BlockFacts | null {
    const verdict = this.judge.judge(parcel, key, peer.allowance)
    if (typeof verdict !== 'string') return verdict
    this.ports.counters.add(`dht.dropped.${verdict}`)
    return null
  }

  private permitted(parcel: Parcel): Parcel {
    return this.ports.routes || !isRecorded(parcel) ? parcel : withoutRoute(parcel)
  }

  private freshVisited(): Uint8Array {
    const visited = new Uint8Array(VISITED_SIZE)
    addToBloom(visited, this.ports.table.selfHash)
    return visited
  }

  private visitedOf(received: Uint8Array, peer: Peer): Uint8Array {
    const visited = received.slice()
    addToBloom(visited, this.ports.table.selfHash)
    addToBloom(visited, this.ports.table.hashOf(peer.neighbour.key)!)
    return visited
  }

  /** Whether a request is for our store, too. */
  private concernsUs(options: number, key: Uint8Array, visited: Uint8Array): boolean {
    if (options & DHT_OPTION.everywhere) return true
    return this.ports.table.isClosest(key, visited)
  }

  private answersTo(get: GetValue, asking: Peer): { parcel: Parcel; facts: BlockFacts }[] {
    const { storage } = this.ports
    const key = hashCode(get.key)
    const isNear = (get.options & DHT_OPTION.approximate) !== 0
    const stored = isNear
      ? storage.closest(key, get.blockType, CLOSEST_RESULTS)
      : storage.get(key, get.blockType)
    const useful = wantsRoute(get.options) ? stored.filter(parcel => this.leadsOn(parcel)) : stored
    const hellos = this.hellos(get.blockType, isNear, key, asking)
    return [...useful, ...hellos].map(parcel => ({
      parcel,
      facts: readBlock(parcel.blockType, parcel.data, parcel.dataHash),
    }))
  }

  /** Whether a stored route can be gone: not where it begins with a neighbour that has left. */
  leadsOn({ route }: Parcel): boolean {
    const last = route.get.at(-1) ?? route.put.at(-1)
    return !last || this.ports.peers.has(keyOf(last.pid))
  }

  /** Our own HELLO block, and the one of the neighbour nearest to the key. */
  private hellos(type: number, isNear: boolean, key: HashCode, asking: Peer): Parcel[] {
    if (type !== BLOCK.dhtHello && type !== BLOCK.any) return []
    const { ownHello, peers, table, clock } = this.ports
    const visited = new Uint8Array(VISITED_SIZE)
    addToBloom(visited, table.hashOf(asking.neighbour.key)!)
    const nearest = isNear ? table.closest(key, visited) : null
    const blocks = [ownHello(), nearest ? (peers.get(nearest.key)?.hello ?? null) : null]
    return blocks
      .filter(block => block !== null)
      .map(helloParcel)
      .filter(({ expiry }) => expiry > toMicros(clock.now()))
  }

  /** Sends an answer, if it is one and it is new. */
  private tell(asker: Asker, parcel: Parcel, identity: Uint8Array): boolean {
    const { counters, key, peers } = this.ports
    const peer = peers.get(asker.neighbour)
    if (!peer || isOnRoute(parcel.route, peer.neighbour.peer)) return false
    if (!answers(parcel, asker) || !isNews(asker, parcel, identity)) return false
    const told = wantsRoute(asker.options) ? parcel : withoutRoute(parcel)
    counters.add('dht.sent.result')
    this.post(peer, encodeResult(told, asker.query, peer.neighbour.peer, key))
    return true
  }

  private sendPut(targets: readonly Neighbour[], parcel: Parcel, header: PutHeader): void {
    const { counters, key, peers } = this.ports
    for (const { key: name, peer } of targets) {
      counters.add('dht.sent.put')
      this.post(peers.get(name)!, encodePut(parcel, header, peer, key))
    }
  }

  private sendGet(name: string, get: GetValue): void {
    this.ports.counters.add('dht.sent.get')
    this.post(this.ports.peers.get(name)!, DhtGet.encode(get))
  }

  private post({ outbox }: Peer, message: Uint8Array): void {
    if (!outbox.send(message)) this.ports.counters.add('dht.dropped.busy')
  }
}

function helloParcel(data: Uint8Array): Parcel {
  const { pid, expiresAt } = readHello(data)
  return {
    blockType: BLOCK.dhtHello,
    key: hashCode(sha512(pid)),
    data,
    dataHash: sha512(data),
    expiry: toMicros(expiresAt),
    options: 0,
    route: NO_ROUTE,
  }
}
