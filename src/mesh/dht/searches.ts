/** Our own questions: asked at once, again with growing pauses, and of every neighbour that comes up. */

import { keyOf } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { PeerId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { toMs } from '../../wire/time.ts'
import { DHT_OPTION, type DhtQuery, type DhtResult, type Listening } from '../mesh.ts'
import { isRecorded, type Parcel } from './parcel.ts'
import { pidsOf, provenRoute, routeName } from './path.ts'
import { answers, wantsRoute } from './pending.ts'

/** Ours: a lost request is made good before anybody gets impatient. */
const FIRST_PAUSE_MS = 1_000
/** Ours: somebody who appears later puts, and the hubs tell those who asked lately. */
const PAUSE_MAX_MS = 60_000
const PAUSE_GROWTH = 1.7
/** Ours: so that peers that were started together do not ask together for ever. */
const JITTER = 0.2
/** Ours: results that are remembered, to be reported once. */
const TOLD_MAX = 256

export interface SearchPorts {
  readonly clock: Clock
  readonly random: Random
  readonly self: PeerId
  /** Sends the question to neighbours. */
  ask(query: DhtQuery): void
  /** What we store ourselves. */
  stored(query: DhtQuery): Parcel[]
}

interface Search {
  readonly query: DhtQuery
  readonly found: (result: DhtResult) => void
  readonly told: Set<string>
  /** Null for those that are asked once only. */
  pauseMs: number | null
  timer: Timer
}

export class Searches {
  private readonly ports: SearchPorts
  private readonly byQuery = new Map<string, Set<Search>>()
  private total = 0

  constructor(ports: SearchPorts) {
    this.ports = ports
  }

  get size(): number {
    return this.total
  }

  /** Begins to ask; what we store ourselves is reported first, after this call has returned. */
  start(
    query: DhtQuery,
    found: (result: DhtResult) => void,
    { repeats }: { readonly repeats: boolean },
  ): Listening {
    const { clock, ask } = this.ports
    const name = keyOf(query.key)
    const search: Search = {
      query,
      found,
      told: new Set(),
      pauseMs: repeats ? FIRST_PAUSE_MS : null,
      timer: clock.after(0, () => this.lookHere(search)),
    }
    this.byQuery.set(name, (this.byQuery.get(name) ?? new Set()).add(search))
    this.total++
    ask(query)
    return { close: () => this.stop(name, search) }
  }

  /** Whether anybody here waits for an answer to the question. */
  isWanted(query: Uint8Array): boolean {
    return this.byQuery.has(keyOf(query))
  }

  /** All that is being asked, each once. */
  queries(): DhtQuery[] {
    return [...this.byQuery.values()].flatMap(searches => [...searches].map(({ query }) => query))
  }

  /** A block has come that answers `query`, or passes by under that key. */
  offer(parcel: Parcel, query: Uint8Array): void {
    for (const search of [...(this.byQuery.get(keyOf(query)) ?? [])]) this.report(search, parcel)
  }

  close(): void {
    for (const [name, searches] of [...this.byQuery])
      for (const search of [...searches]) this.stop(name, search)
  }

  private stop(name: string, search: Search): void {
    const searches = this.byQuery.get(name)
    if (!searches?.delete(search)) return
    if (searches.size === 0) this.byQuery.delete(name)
    search.timer.cancel()
    this.total--
  }

  private isOpen(search: Search): boolean {
    return this.byQuery.get(keyOf(search.query.key))?.has(search) ?? false
  }

  private lookHere(search: Search): void {
    for (const parcel of this.ports.stored(search.query)) this.report(search, parcel)
    if (this.isOpen(search)) this.schedule(search)
  }

  private schedule(search: Search): void {
    if (search.pauseMs === null) return
    const { clock, random, ask } = this.ports
    const spread = (random.below(2_001) / 1_000 - 1) * JITTER
    search.timer = clock.after(search.pauseMs * (1 + spread), () => {
      ask(search.query)
      search.pauseMs = Math.min(search.pauseMs! * PAUSE_GROWTH, PAUSE_MAX_MS)
      this.schedule(search)
    })
  }

  private report(search: Search, parcel: Parcel): void {
    const { query, told, found } = search
    if (!this.isOpen(search) || !answers(parcel, { ...query, query: query.key })) return
    const withRoute = wantsRoute(query.options) && isRecorded(parcel)
    const name = keyOf(parcel.dataHash) + (withRoute ? routeName(parcel.route) : '')
    if (told.has(name)) return
    told.add(name)
    const [oldest] = told
    if (told.size > TOLD_MAX) told.delete(oldest!)
    found(this.resultOf(parcel, withRoute))
  }

  private resultOf(parcel: Parcel, withRoute: boolean): DhtResult {
    const { blockType, key, data, expiry, options, route } = parcel
    const proven = withRoute ? provenRoute(route, parcel, this.ports.self) : null
    const flags = options & ~(DHT_OPTION.truncated | DHT_OPTION.recordRoute)
    return {
      type: blockType,
      key: key.slice() as typeof key,
      data: data.slice(),
      expiresAt: toMs(expiry),
      replication: 1,
      options:
        flags |
        (withRoute ? DHT_OPTION.recordRoute : 0) |
        (proven?.origin ? DHT_OPTION.truncated : 0),
      putPath: pidsOf(proven?.put ?? []),
      getPath: pidsOf(proven?.get ?? []),
    }
  }
}
