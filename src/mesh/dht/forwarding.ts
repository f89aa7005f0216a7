/** To how many neighbours a request goes on, and to which (gnunet-service-dht_neighbours.c). */

import type { Random } from '../../base/random.ts'
import type { Neighbour } from '../core/core.ts'
import { addToBloom } from './bloom.ts'
import type { RoutingTable } from './routing-table.ts'

/** GNUNET_DHT_MAXIMUM_REPLICATION_LEVEL. */
export const REPLICATION_MAX = 16

/**
 * Ours: log2 of the number of peers, which real daemons estimate (NSE). Requests walk at random for so
 * many hops, then towards the key, and end after four times as many.
 */
export const NETWORK_SIZE_LOG = 4

/** How many copies of a request go on after `hops` hops; fractions are decided by chance. */
export function forwardCount(hops: number, replication: number, random: Random): number {
  if (hops > 4 * NETWORK_SIZE_LOG) return 0
  if (hops > 2 * NETWORK_SIZE_LOG) return 1
  const more = clampReplication(replication) - 1
  const count = 1 + more / (NETWORK_SIZE_LOG + more * hops)
  const whole = Math.floor(count)
  return whole + (random.below(2 ** 32) / 2 ** 32 < count - whole ? 1 : 0)
}

/** What others ask for is taken into the limits of the protocol. */
export const clampReplication = (replication: number): number =>
  Math.min(Math.max(replication, 1), REPLICATION_MAX)

/** The next stations of a request that came to us; they are added to `visited`. */
export function nextHops(
  table: RoutingTable,
  key: Uint8Array,
  visited: Uint8Array,
  hops: number,
  replication: number,
  random: Random,
): Neighbour[] {
  const isGreedy = hops >= NETWORK_SIZE_LOG
  return choose(table, visited, forwardCount(hops, replication, random), () =>
    isGreedy ? table.closest(key, visited) : table.any(visited, random),
  )
}

/**
 * The first stations of a request of our own: as many as copies are wished for, the nearest among
 * them. A device has two or three hubs, and wants to be known at each.
 */
export function firstHops(
  table: RoutingTable,
  key: Uint8Array,
  visited: Uint8Array,
  replication: number,
  random: Random,
): Neighbour[] {
  return choose(table, visited, clampReplication(replication), index =>
    index === 0 ? table.closest(key, visited) : table.any(visited, random),
  )
}

function choose(
  table: RoutingTable,
  visited: Uint8Array,
  count: number,
  next: (index: number) => Neighbour | null,
): Neighbour[] {
  const chosen: Neighbour[] = []
  for (let i = 0; i < count; i++) {
    const neighbour = next(i)
    if (!neighbour) break
    addToBloom(visited, table.hashOf(neighbour.key)!)
    chosen.push(neighbour)
  }
  return chosen
}
