/**
 * Which neighbours asked for what, so that answers find their way back (gnunet-service-dht_routing.c).
 * Bounded; when full, whoever asked most loses its oldest question. A question is forgotten after a
 * while: who still wants to know asks again.
 */

import { keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { HashCode } from '../../base/ids.ts'
import { DHT_OPTION } from '../mesh.ts'
import { BLOCK } from './blocks.ts'
import { isRecorded, type Parcel } from './parcel.ts'
import { routeName } from './path.ts'
import { filtersOut } from './result-filter.ts'

/** Ours (GNUnet remembers 131,072): some 4 MiB at worst. */
const ASKERS_MAX = 4_096
/** Ours: longer than the pause between two requests of ours or of a real daemon in its first minutes. */
const LIFETIME_MS = 5 * 60 * 1_000
/** Ours: blocks that are told for one question. */
const TOLD_MAX = 16
/** Ours: routes of one block that are told; the first to come are the shortest, and three are a choice. */
const ROUTES_MAX = 3
/** Ours: a filter that is larger is not remembered; it would only save traffic. */
const FILTER_SIZE_MAX = 256

export interface Asker {
  /** Key of the neighbour. */
  readonly neighbour: string
  readonly query: HashCode
  readonly type: number
  readonly options: number
  readonly filter: Uint8Array
  /** The routes over which each block was told. */
  readonly told: Map<string, Set<string>>
  /** By the clock that never goes back. */
  readonly endsAt: number
}

export type Question = Pick<Asker, 'query' | 'type' | 'options' | 'filter'>

export class PendingRequests {
  private readonly clock: Clock
  private readonly byQuery = new Map<string, Set<Asker>>()
  /** Oldest first. */
  private readonly byNeighbour = new Map<string, Map<string, Asker>>()
  private total = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  get size(): number {
    return this.total
  }

  /** Remembers a question; asked again, it counts as a new one. Copies what it keeps. */
  add(neighbour: string, { query, type, options, filter }: Question): Asker {
    const asker: Asker = {
      neighbour,
      query: query.slice() as HashCode,
      type,
      options,
      filter: filter.length <= FILTER_SIZE_MAX ? filter.slice() : new Uint8Array(0),
      told: new Map(),
      endsAt: this.clock.elapsed() + LIFETIME_MS,
    }
    const old = this.byNeighbour.get(neighbour)?.get(nameOf(asker))
    if (old) this.remove(old)
    this.insert(asker)
    while (this.total > ASKERS_MAX) this.dropOne()
    return asker
  }

  /** All who wait for an answer to `query`. */
  askers(query: HashCode): Asker[] {
    const now = this.clock.elapsed()
    return [...(this.byQuery.get(keyOf(query)) ?? [])].filter(({ endsAt }) => endsAt > now)
  }

  /** The neighbour has gone, and cannot be answered any more. */
  forget(neighbour: string): void {
    for (const asker of [...(this.byNeighbour.get(neighbour)?.values() ?? [])]) this.remove(asker)
  }

  /** Lets go of questions that are too old. */
  sweep(): void {
    const now = this.clock.elapsed()
    for (const questions of [...this.byNeighbour.values()])
      for (const asker of questions.values()) {
        if (asker.endsAt > now) break
        this.remove(asker)
      }
  }

  private insert(asker: Asker): void {
    const query = keyOf(asker.query)
    const askers = this.byQuery.get(query) ?? new Set()
    this.byQuery.set(query, askers.add(asker))
    const questions = this.byNeighbour.get(asker.neighbour) ?? new Map<string, Asker>()
    this.byNeighbour.set(asker.neighbour, questions.set(nameOf(asker), asker))
    this.total++
  }

  private remove(asker: Asker): void {
    const query = keyOf(asker.query)
    const askers = this.byQuery.get(query)!
    askers.delete(asker)
    if (askers.size === 0) this.byQuery.delete(query)
    const questions = this.byNeighbour.get(asker.neighbour)!
    questions.delete(nameOf(asker))
    if (questions.size === 0) this.byNeighbour.delete(asker.neighbour)
    this.total--
  }

  private dropOne(): void {
    const most = [...this.byNeighbour.values()].reduce((a, b) => (b.size > a.size ? b : a))
    const [oldest] = most.values()
    this.remove(oldest!)
  }
}

const nameOf = ({ type, query }: Asker): string => `${type} ${keyOf(query)}`

/** Whether the block answers a question of this type and these options. */
export const answers = (
  parcel: Parcel,
  { query, type, options }: Pick<Question, 'query' | 'type' | 'options'>,
): boolean =>
  (type === BLOCK.any || type === parcel.blockType) &&
  ((options & DHT_OPTION.approximate) !== 0 || keyOf(parcel.key) === keyOf(query))

/** Notes that the asker gets this block. False where it has it, or has got enough. */
export function isNews(asker: Asker, parcel: Parcel, identity: Uint8Array): boolean {
  const withRoute = wantsRoute(asker.options) && isRecorded(parcel)
  // A filter knows blocks and not routes: to who looks for routes, it would hide all but one.
  if (!withRoute && filtersOut(asker.filter, identity)) return false
  const block = keyOf(parcel.dataHash)
  const routes = asker.told.get(block) ?? new Set()
  if (routes.size === 0 && asker.told.size >= TOLD_MAX) return false
  const route = withRoute ? routeName(parcel.route) : ''
  if (routes.has(route) || routes.size >= ROUTES_MAX) return false
  asker.told.set(block, routes.add(route))
  return true
}

export const wantsRoute = (options: number): boolean => (options & DHT_OPTION.recordRoute) !== 0
