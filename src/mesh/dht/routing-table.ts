/**
 * The neighbours a request can be passed to, by the distance of their hashes from ours: in each bucket
 * all that share the same number of leading bits with us, of which only the first few are used.
 */

import type { PeerId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { sha512 } from '../../crypto/hash.ts'
import type { Neighbour } from '../core/core.ts'
import { bloomHas } from './bloom.ts'

/** DEFAULT_BUCKET_SIZE of gnunet-service-dht_neighbours.c. */
const BUCKET_SIZE = 8

/** Ours: how often a neighbour is tried that was not seen to pass things on; only so one learns. */
const TRIAL_ONE_IN = 4

interface Entry {
  readonly neighbour: Neighbour
  readonly hash: Uint8Array
  readonly bucket: number
  /** Whether it is thought to have other neighbours than us. */
  relays: boolean
  /** How often something was sent there to see whether it leads on. */
  trials: number
}

export class RoutingTable {
  /** H(pid): where we are. */
  readonly selfHash: Uint8Array
  private readonly entries = new Map<string, Entry>()
  /** Those in use; null where it must be computed again. */
  private chosen: Entry[] | null = null

  constructor(self: PeerId) {
    this.selfHash = sha512(self)
  }

  get size(): number {
    return this.entries.size
  }

  add(neighbour: Neighbour): void {
    const hash = sha512(neighbour.peer)
    const bucket = sharedBits(hash, this.selfHash)
    this.entries.set(neighbour.key, { neighbour, hash, bucket, relays: false, trials: 0 })
    this.chosen = null
  }

  remove(key: string): void {
    if (this.entries.delete(key)) this.chosen = null
  }

  /** H(pid) of a neighbour; null where it is none. */
  hashOf(key: string): Uint8Array | null {
    return this.entries.get(key)?.hash ?? null
  }

  /**
   * A neighbour passed something on, or can be dialled by everybody. Such come first: a hub with a
   * thousand devices and three other hubs must not spend its requests on devices that lead nowhere.
   */
  noteRelay(key: string): void {
    const entry = this.entries.get(key)
    if (!entry || entry.relays) return
    entry.relays = true
    this.chosen = null
  }

  /** The neighbour nearest to `key` that is not in the filter. */
  closest(key: Uint8Array, visited: Uint8Array): Neighbour | null {
    let best: Entry | null = null
    for (const entry of this.inUse()) {
      if (best && compareDistance(entry.hash, best.hash, key) >= 0) continue
      if (!bloomHas(visited, entry.hash)) best = entry
    }
    return best?.neighbour ?? null
  }

  /** Any neighbour that is not in the filter: mostly one that leads on, now and then one on trial. */
  any(visited: Uint8Array, random: Random): Neighbour | null {
    const isOpen = ({ hash }: Entry) => !bloomHas(visited, hash)
    const relays = this.inUse().filter(entry => entry.relays && isOpen(entry))
    const isTrial = relays.length === 0 || random.below(TRIAL_ONE_IN) === 0
    const open = isTrial ? leastTried([...this.entries.values()].filter(isOpen)) : relays
    if (open.length === 0) return null
    const chosen = open[random.below(open.length)]!
    if (isTrial) chosen.trials++
    return chosen.neighbour
  }

  /** Whether no neighbour outside the filter is nearer to `key` than we are. */
  isClosest(key: Uint8Array, visited: Uint8Array): boolean {
    return !this.inUse().some(
      ({ hash }) => compareDistance(hash, this.selfHash, key) < 0 && !bloomHas(visited, hash),
    )
  }

  private inUse(): Entry[] {
    if (this.chosen) return this.chosen
    const filled = new Map<number, number>()
    const inOrder = [...this.entries.values()].sort((a, b) => Number(b.relays) - Number(a.relays))
    this.chosen = inOrder.filter(({ bucket }) => {
      const count = filled.get(bucket) ?? 0
      filled.set(bucket, count + 1)
      return count < BUCKET_SIZE
    })
    return this.chosen
  }
}

function leastTried(entries: readonly Entry[]): Entry[] {
  const fewest = entries.reduce((least, { trials }) => Math.min(least, trials), Infinity)
  return entries.filter(({ trials }) => trials === fewest)
}

/** How many leading bits two hashes have in common. */
export function sharedBits(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! ^ b[i]!
    if (difference !== 0) return i * 8 + Math.clz32(difference) - 24
  }
  return a.length * 8
}

/** Negative where `a` is nearer to `key` than `b` is (GNUNET_CRYPTO_hash_xorcmp). */
export function compareDistance(a: Uint8Array, b: Uint8Array, key: Uint8Array): number {
  for (let i = 0; i < key.length; i++) {
    const difference = (a[i]! ^ key[i]!) - (b[i]! ^ key[i]!)
    if (difference !== 0) return difference
  }
  return 0
}
