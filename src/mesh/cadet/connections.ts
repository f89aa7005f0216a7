/**
 * Keeps up to three connections to one peer while somebody wants them: over the ways that are known,
 * over those a search of the DHT finds, and, when nothing stands, over every neighbour of ours in case the
 * peer is its neighbour as well. A way that ends is replaced at once by the next.
 */

import { compareBytes, keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { PeerId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import type { Listening } from '../mesh.ts'
import { Deadlines } from '../transport/deadlines.ts'
import { Connection, type ConnectionOwner } from './connection.ts'
import { CONNECTION_ID_SIZE, ConnectionCreate } from './messages.ts'
import type { Outlet } from './outlet.ts'
import { type Path, Paths, pathKey } from './paths.ts'

/** Connections of a tunnel that are in use (DESIRED_CONNECTIONS_PER_TUNNEL). */
const CONNECTIONS_WANTED = 3

/** Ours: connections that may stand at once, those of the peer and those in doubt included. */
const CONNECTIONS_MAX = 8
/** Ours: neighbours asked blindly for the way. */
const GUESSES_MAX = 8
/** Ours: a connection that takes longer to be made no longer keeps others from being tried. */
const PATIENCE_MS = 800
/** Ours: known ways get so much of a start before the DHT is asked. */
const SEARCH_AFTER_MS = 300
/** Ours: a search for more ways ends so long after one was found. */
const SEARCH_MS = 30_000
/** Ours: two peers that ask each other within this time crossed; later, one has lost what it had. */
const CROSSING_MS = 2_000
/** Ours: between two doubts without a sign of life; doubled each time: a peer may be silent for its own reasons. */
const DOUBT_AGAIN_MS = 500
const DOUBT_AGAIN_MAX_MS = 30_000
/** Ours: a doubtful connection is given up after so long, where there is another. */
const DOUBT_MS = 10_000

/** What the tunnels of a peer share. */
export interface ConnectionMeans {
  readonly clock: Clock
  readonly random: Random
  /** The ways out, by neighbour. */
  readonly outlets: ReadonlyMap<string, Outlet>
  /** All connections that end here, by their names. */
  readonly ends: Map<string, Connection>
  /** Reports hops to a peer, as the DHT tells them. */
  search(peer: PeerId, found: (hops: readonly PeerId[]) => void): Listening
}

export interface ConnectionsEvents extends ConnectionOwner {
  /** The CREATE for a connection over these hops. */
  create(id: Uint8Array, hops: readonly PeerId[], how: { readonly prevails: boolean }): Uint8Array
  /** A connection that had been ready is gone. */
  connectionLost(connection: Connection): void
}

interface Search {
  listening: Listening | null
  readonly since: number
}

export class Connections {
  private readonly means: ConnectionMeans
  private readonly peer: PeerId
  private readonly peerKey: string
  private readonly paths: Paths
  private readonly events: ConnectionsEvents
  private readonly list: Connection[] = []
  private readonly guesses = new Paths()
  private readonly deadlines: Deadlines<'maintain' | 'search'>
  private wanted = false
  private doubts = 0
  private doubtAgainAt = 0
  private search: Search | null = null

  constructor(means: ConnectionMeans, peer: PeerId, paths: Paths, events: ConnectionsEvents) {
    this.means = means
    this.peer = peer
    this.peerKey = keyOf(peer)
    this.paths = paths
    this.events = events
    this.deadlines = new Deadlines(means.clock, {
      maintain: () => this.maintain(),
      search: () => this.beginSearch(),
    })
  }

  /** Whether connections are to be made. Those that stand remain, wanted or not. */
  want(wanted: boolean): void {
    if (this.wanted === wanted) return
    this.wanted = wanted
    this.maintain()
  }

  all(): readonly Connection[] {
    return this.list
  }

  /** The connection to send over: one that is not in doubt, the shortest, the newest. */
  best(): Connection | null {
    let best: Connection | null = null
    for (const connection of this.list)
      if (connection.state === 'ready' && (!best || isBetter(connection, best))) best = connection
    return best
  }

  /** Where a key exchange may travel: also just behind a CREATE that is not answered yet. */
  forExchange(): Connection | null {
    return this.best() ?? this.list.find(connection => !connection.inbound) ?? null
  }

  /** The peer asks for a connection. Null where our own over the same way, just made, prevails. */
  accept(id: Uint8Array, hops: readonly PeerId[], outlet: Outlet): Connection | null {
    const now = this.means.clock.elapsed()
    const way = pathKey(hops)
    const crossed = this.list.find(
      one => !one.inbound && now - one.startedAt < CROSSING_MS && pathKey(one.hops) === way,
    )
    if (crossed && compareBytes(id, crossed.id) < 0) return null
    if (crossed) this.drop(crossed, { tell: true })
    // What else stands over this way may still bring what is under way: who made it will end it.
    if (this.list.length >= CONNECTIONS_MAX)
      this.drop(this.list.find(one => one.doubtedAt !== null) ?? this.list[0]!, { tell: true })
    this.paths.add(hops, 'inbound')
    return this.begin({ id, hops, outlet, create: null })
  }

  /** The other end has accepted. */
  ready(connection: Connection): void {
    const path = this.pathOf(connection)
    if (path) this.paths.worked(path)
    else this.paths.add(connection.hops, 'found')
    this.maintain()
  }

  /** A hop says that it cannot go on, or nobody answered. */
  failed(connection: Connection): void {
    const way = pathKey(connection.hops)
    const now = this.means.clock.elapsed()
    const replaced = this.list.some(one => one !== connection && pathKey(one.hops) === way)
    const [known, guess] = [this.paths.get(way), this.guesses.get(way)]
    if (known && !replaced) this.paths.failed(known, now)
    if (guess) this.guesses.failed(guess, now)
    this.drop(connection, { tell: false })
    this.maintain()
  }

  /** The other end gives it up. */
  gone(connection: Connection): void {
    this.drop(connection, { tell: false })
    this.maintain()
  }

  /** Nothing comes back that should, over this connection: makes another beside it. False: it is too early. */
  doubt(connection: Connection): boolean {
    const now = this.means.clock.elapsed()
    if (connection.doubtedAt !== null || now < this.doubtAgainAt) return false
    this.doubtAgainAt = now + Math.min(DOUBT_AGAIN_MS * 2 ** this.doubts++, DOUBT_AGAIN_MAX_MS)
    connection.doubt()
    this.maintain()
    return true
  }

  /** The peer has said something. */
  heard(connection: Connection): void {
    connection.confirm()
    this.doubts = 0
    this.doubtAgainAt = 0
  }

  /** The neighbour is gone, and all that went over it. */
  cut(outlet: Outlet): void {
    const cut = this.list.filter(connection => connection.outlet === outlet)
    for (const connection of cut) this.drop(connection, { tell: false })
    if (cut.length > 0) this.maintain()
  }

  /** Asks the peer for a connection that prevails over any that stands: a CREATE makes it forget old keys. */
  invite(): void {
    const hops = this.best()?.hops ?? this.candidates()[0]?.hops
    if (hops && this.list.length < CONNECTIONS_MAX) this.start(hops, { prevails: true })
  }

  /** Makes what is missing, and looks again when there is something to look for. */
  maintain(): void {
    this.deadlines.cancel('maintain')
    if (!this.wanted) {
      this.endSearch()
      return
    }
    const now = this.means.clock.elapsed()
    const sound = this.list.filter(one => isSound(one, now))
    const direct = sound.some(({ hops }) => hops.length === 0)
    let missing = (direct ? 1 : CONNECTIONS_WANTED) - sound.length
    // A neighbour may learn to speak CADET a moment after it came: its service has started.
    let lookAt = this.best() ? Number.POSITIVE_INFINITY : now + PATIENCE_MS
    for (const path of this.candidates()) {
      const upgrade = path.hops.length === 0 && !direct
      if (missing <= 0 && !upgrade) break
      if (sound.some(one => pathKey(one.hops) === path.key)) continue
      if (path.restsUntil > now) {
        lookAt = Math.min(lookAt, path.restsUntil)
        continue
      }
      if (this.list.length >= CONNECTIONS_MAX) break
      this.start(path.hops, { prevails: false })
      missing--
    }
    if (lookAt < Number.POSITIVE_INFINITY) this.deadlines.set('maintain', Math.max(1, lookAt - now))
    this.considerSearch(sound)
  }

  /** From time to time: lets go of what does not work, ends a search that has found enough. */
  review(): void {
    const now = this.means.clock.elapsed()
    const works = this.list.some(one => one.state === 'ready' && one.doubtedAt === null)
    for (const one of this.list.slice())
      if (works && one.doubtedAt !== null && now - one.doubtedAt > DOUBT_MS)
        this.drop(one, { tell: true })
    if (works && this.search && now - this.search.since > SEARCH_MS) this.endSearch()
  }

  close(): void {
    this.wanted = false
    this.endSearch()
    this.deadlines.clear()
    for (const connection of this.list.slice()) this.drop(connection, { tell: true })
  }

  /** Every way that could be tried now, the most promising first. */
  private candidates(): Path[] {
    if (this.speaker(this.peerKey)) this.paths.add([], 'given')
    const reachable = ({ hops }: Path) => this.speaker(keyOf(hops[0] ?? this.peer)) !== null
    const doubted = ({ key }: Path) =>
      this.list.some(one => one.doubtedAt !== null && pathKey(one.hops) === key)
    const known = this.paths.all().filter(reachable)
    const sorted = [...known.filter(path => !doubted(path)), ...known.filter(doubted)]
    const busy = this.list.some(({ state, doubtedAt }) => state === 'ready' && doubtedAt === null)
    return busy || sorted.some(path => this.isTried(path)) ? sorted : [...sorted, ...this.guessed()]
  }

  /** Whether a known way is being tried, and may still come about. */
  private isTried({ key }: Path): boolean {
    const now = this.means.clock.elapsed()
    return this.list.some(one => isSound(one, now) && pathKey(one.hops) === key)
  }

  private guessed(): Path[] {
    let count = 0
    for (const [key, { neighbour }] of this.means.outlets) {
      if (key === this.peerKey || count === GUESSES_MAX || !this.speaker(key)) continue
      count++
      if (!this.paths.get(key)) this.guesses.add([neighbour.peer], 'given')
    }
    return this.guesses.all().filter(({ key }) => this.speaker(key) && !this.paths.get(key))
  }

  /** The way out to a neighbour that speaks CADET. */
  private speaker(key: string): Outlet | null {
    const outlet = this.means.outlets.get(key)
    return outlet?.neighbour.understands(ConnectionCreate.type) ? outlet : null
  }

  private start(hops: readonly PeerId[], { prevails }: { readonly prevails: boolean }): void {
    const outlet = this.speaker(keyOf(hops[0] ?? this.peer))
    if (!outlet) return
    const id = this.means.random.bytes(CONNECTION_ID_SIZE)
    // Of two connections over the same way C keeps the one with the larger name.
    if (prevails) id[0] = 0xff
    this.begin({ id, hops, outlet, create: this.events.create(id, hops, { prevails }) })
  }

  private begin(plan: ConstructorParameters<typeof Connection>[2]): Connection {
    const connection = new Connection(this.means.clock, this.events, plan)
    this.list.push(connection)
    this.means.ends.set(connection.key, connection)
    connection.start()
    return connection
  }

  private drop(connection: Connection, { tell }: { readonly tell: boolean }): void {
    const at = this.list.indexOf(connection)
    if (at < 0) return
    const wasReady = connection.state === 'ready'
    this.list.splice(at, 1)
    this.means.ends.delete(connection.key)
    connection.close({ tell })
    if (wasReady) this.events.connectionLost(connection)
  }

  private pathOf(connection: Connection): Path | null {
    return this.paths.get(pathKey(connection.hops))
  }

  private considerSearch(sound: readonly Connection[]): void {
    const ready = sound.filter(({ state }) => state === 'ready').length
    if (this.speaker(this.peerKey) || ready >= 2) {
      this.endSearch()
      return
    }
    if (this.search || ready > 0 || this.deadlines.isSet('search')) return
    if (this.paths.all().length === 0) this.beginSearch()
    else this.deadlines.set('search', SEARCH_AFTER_MS)
  }

  private beginSearch(): void {
    if (this.search || !this.wanted) return
    const search: Search = { listening: null, since: this.means.clock.elapsed() }
    this.search = search
    search.listening = this.means.search(this.peer, hops => {
      if (this.paths.add(hops, 'found')) this.maintain()
    })
    if (this.search !== search) search.listening.close() // What it found at once was enough.
  }

  private endSearch(): void {
    this.deadlines.cancel('search')
    this.search?.listening?.close()
    this.search = null
  }
}

/** Ready, or likely to be soon. */
const isSound = (connection: Connection, now: number): boolean =>
  connection.state === 'ready'
    ? connection.doubtedAt === null
    : now - connection.startedAt < PATIENCE_MS

function isBetter(a: Connection, b: Connection): boolean {
  if ((a.doubtedAt === null) !== (b.doubtedAt === null)) return a.doubtedAt === null
  if (a.hops.length !== b.hops.length) return a.hops.length < b.hops.length
  return a.startedAt > b.startedAt
}
