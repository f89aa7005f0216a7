/**
 * The blocks we keep for others. Never more than so many bytes and blocks; what has expired goes first,
 * then what came from whoever filled the store most, its oldest and, among those, the farthest from us:
 * a neighbour that floods the store drives out its own blocks.
 */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { HashCode } from '../../base/ids.ts'
import { toMs } from '../../wire/time.ts'
import { BLOCK } from './blocks.ts'
import { Hop } from './messages.ts'
import { isRecorded, keptParcel, type Parcel } from './parcel.ts'
import { compareDistance } from './routing-table.ts'

export interface StorageLimits {
  readonly bytesMax: number
  readonly blocksMax: number
}

/** Ours: little beside the 60 MiB an idle agent may take. */
export const STORAGE_LIMITS: StorageLimits = { bytesMax: 4 * 1_024 * 1_024, blocksMax: 8_192 }

/** Ours: results for one key are few; without a limit the lists under popular keys grow. */
const PER_KEY_MAX = 8
/** Ours: publishers put again within hours; what nobody repeats need not stay for years. */
const LIFETIME_MAX_MS = 7 * 24 * 60 * 60 * 1_000
/** Ours: how many of the oldest are compared by distance when one must go. */
const CANDIDATES = 32
/** Ours: what an entry costs besides its data, roughly. */
const OVERHEAD_SIZE = 400

/** Under whose name our own blocks are kept. */
export const OURSELVES = ''

interface Entry {
  readonly parcel: Parcel
  readonly owner: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly endsAt: number
}

interface Share {
  bytes: number
  /** Oldest first. */
  readonly entries: Set<Entry>
}

export class BlockStorage {
  private readonly clock: Clock
  private readonly selfHash: Uint8Array
  private readonly limits: StorageLimits
  private readonly byKey = new Map<string, Entry[]>()
  private readonly byOwner = new Map<string, Share>()
  private totalBytes = 0
  private totalBlocks = 0
  /** No block ends before this; it may be too early, never too late. */
  private soonestEnd = Infinity

  constructor(clock: Clock, selfHash: Uint8Array, limits: StorageLimits) {
    this.clock = clock
    this.selfHash = selfHash
    this.limits = limits
  }

  get bytes(): number {
    return this.totalBytes
  }

  get blocks(): number {
    return this.totalBlocks
  }

  /** Keeps a copy until `endsAt`, milliseconds since 1970; it takes the place of the same block. */
  put(parcel: Parcel, owner: string, endsAt: number): void {
    const now = this.clock.now()
    const entry = entryOf(parcel, owner, Math.min(endsAt, now + LIFETIME_MAX_MS))
    if (entry.endsAt <= now || entry.size > this.limits.bytesMax) return
    const name = keyOf(parcel.key)
    const old = this.byKey.get(name)?.find(other => isSame(other.parcel, parcel))
    // A later copy of a message must not end a block early. A new route is worth more than time.
    if (old && old.endsAt > entry.endsAt && !isRecorded(parcel)) return
    if (old) this.remove(old)
    const siblings = this.byKey.get(name) ?? []
    if (siblings.length >= PER_KEY_MAX) this.remove(mostOwned(siblings, owner))
    this.insert(name, entry)
    if (this.isFull()) this.sweep()
    while (this.isFull()) this.dropOne()
  }

  /** What is stored under `key`, newest first; `type` 0 means any. */
  get(key: HashCode, type: number): Parcel[] {
    const now = this.clock.now()
    return (this.byKey.get(keyOf(key)) ?? [])
      .filter(({ parcel, endsAt }) => endsAt > now && matches(parcel, type))
      .map(({ parcel }) => parcel)
      .reverse()
  }

  /** What is stored under the keys nearest to `key`, at most `count` blocks. */
  closest(key: HashCode, type: number, count: number): Parcel[] {
    const now = this.clock.now()
    const nearest: Parcel[] = []
    for (const entries of this.byKey.values())
      for (const { parcel, endsAt } of entries) {
        if (endsAt <= now || !matches(parcel, type)) continue
        const at = nearest.findIndex(other => compareDistance(parcel.key, other.key, key) < 0)
        nearest.splice(at < 0 ? nearest.length : at, 0, parcel)
        if (nearest.length > count) nearest.pop()
      }
    return nearest
  }

  /** Lets go of what has expired. */
  sweep(): void {
    const now = this.clock.now()
    if (this.soonestEnd > now) return
    let soonest = Infinity
    for (const entries of [...this.byKey.values()])
      for (const entry of entries)
        if (entry.endsAt <= now) this.remove(entry)
        else soonest = Math.min(soonest, entry.endsAt)
    this.soonestEnd = soonest
  }

  private isFull(): boolean {
    return this.totalBytes > this.limits.bytesMax || this.totalBlocks > this.limits.blocksMax
  }

  private insert(name: string, entry: Entry): void {
    const siblings = this.byKey.get(name)
    if (siblings) siblings.push(entry)
    else this.byKey.set(name, [entry])
    const share = this.byOwner.get(entry.owner) ?? { bytes: 0, entries: new Set() }
    this.byOwner.set(entry.owner, share)
    share.entries.add(entry)
    share.bytes += entry.size
    this.totalBytes += entry.size
    this.totalBlocks++
    this.soonestEnd = Math.min(this.soonestEnd, entry.endsAt)
  }

  private remove(entry: Entry): void {
    const name = keyOf(entry.parcel.key)
    const siblings = this.byKey.get(name)!.filter(other => other !== entry)
    if (siblings.length > 0) this.byKey.set(name, siblings)
    else this.byKey.delete(name)
    const share = this.byOwner.get(entry.owner)!
    share.entries.delete(entry)
    share.bytes -= entry.size
    if (share.entries.size === 0) this.byOwner.delete(entry.owner)
    this.totalBytes -= entry.size
    this.totalBlocks--
  }

  private dropOne(): void {
    const largest = [...this.byOwner.values()].reduce((a, b) => (b.bytes > a.bytes ? b : a))
    const oldest = [...largest.entries].slice(0, CANDIDATES)
    this.remove(
      oldest.reduce((a, b) =>
        compareDistance(b.parcel.key, a.parcel.key, this.selfHash) > 0 ? b : a,
      ),
    )
  }
}

function entryOf(parcel: Parcel, owner: string, endsAt: number): Entry {
  const { route, data } = parcel
  const size = OVERHEAD_SIZE + data.length + (route.put.length + route.get.length) * Hop.width!
  return { parcel: keptParcel(parcel), owner, size, endsAt }
}

const matches = (parcel: Parcel, type: number): boolean =>
  type === BLOCK.any || parcel.blockType === type

const isSame = (a: Parcel, b: Parcel): boolean =>
  a.blockType === b.blockType && equalBytes(a.dataHash, b.dataHash)

/** Of the blocks under one key, the oldest of whoever has the most, the newcomer's own counted too. */
function mostOwned(entries: readonly Entry[], newcomer: string): Entry {
  const counts = new Map<string, number>([[newcomer, 1]])
  for (const { owner } of entries) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return entries.reduce((worst, entry) =>
    counts.get(entry.owner)! > counts.get(worst.owner)! ? entry : worst,
  )
}

/** When a parcel ends: by what its message says, or by what the block itself says. */
export const endOf = (parcel: Parcel, ownEnd: number): number =>
  Math.min(toMs(parcel.expiry), ownEnd)
