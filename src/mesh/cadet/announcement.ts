/**
 * Publishes our HELLO in the DHT under our pid, with the route recorded: the way it took is how others
 * find us (gnunet-service-cadet_dht.c: announce_id). At once when a neighbour comes, since it may be the
 * only one over which we can be reached, and every hour.
 */

import type { Clock } from '../../base/clock.ts'
import { type HashCode, hashCode, type PeerId } from '../../base/ids.ts'
import { DHT_OPTION, type Dht, type DhtQuery, type DhtResult } from '../mesh.ts'
import { Deadlines } from '../transport/deadlines.ts'

/** gnunet_block_lib.h: GNUNET_BLOCK_TYPE_LEGACY_HELLO. */
const BLOCK_LEGACY_HELLO = 7
/** cadet.conf: ID_ANNOUNCE_TIME, DHT_REPLICATION_LEVEL; CHANGE_DELAY of the C source. */
const INTERVAL_MS = 3_600_000
const REPLICATION = 3
const CHANGE_MS = 100

/** Ours: long enough to outlive one announcement that is lost, and no longer: a way gets old. */
const LIFETIME_MS = 2 * INTERVAL_MS + 600_000

const OPTIONS = DHT_OPTION.everywhere | DHT_OPTION.recordRoute

/** Where a peer's HELLO is found: its pid, filled up with zeros. */
function keyOfPeer(peer: PeerId): HashCode {
  const key = new Uint8Array(64)
  key.set(peer)
  return hashCode(key)
}

export interface AnnouncementMeans {
  readonly clock: Clock
  readonly dht: Dht
  readonly self: PeerId
  /** Our HELLO message as it is now. */
  hello(): Uint8Array
}

export class Announcement {
  private readonly means: AnnouncementMeans
  private readonly deadlines: Deadlines<'announce'>

  constructor(means: AnnouncementMeans) {
    this.means = means
    this.deadlines = new Deadlines(means.clock, { announce: () => this.announce() })
  }

  /** A neighbour has come: tells it, and others that come with it. */
  soon(): void {
    this.deadlines.set('announce', CHANGE_MS)
  }

  close(): void {
    this.deadlines.clear()
  }

  private announce(): void {
    const { clock, dht, self, hello } = this.means
    dht.put({
      type: BLOCK_LEGACY_HELLO,
      key: keyOfPeer(self),
      data: hello(),
      expiresAt: clock.now() + LIFETIME_MS,
      replication: REPLICATION,
      options: OPTIONS,
    })
    this.deadlines.set('announce', INTERVAL_MS)
  }
}

/** The search for a peer's announcement. */
export const searchFor = (peer: PeerId): DhtQuery => ({
  type: BLOCK_LEGACY_HELLO,
  key: keyOfPeer(peer),
  replication: REPLICATION,
  options: OPTIONS,
})

/**
 * The hops between `self` and `peer` that an announcement has come by, nearest first, without circles;
 * null where it does not lead to the peer.
 */
export function hopsOf(result: DhtResult, self: PeerId, peer: PeerId): PeerId[] | null {
  const hops: PeerId[] = []
  for (const hop of [...result.getPath.toReversed(), ...result.putPath.toReversed()]) {
    if (isSame(hop, peer)) return hops
    const before = hops.findIndex(one => isSame(one, hop))
    if (before >= 0) hops.length = before
    if (isSame(hop, self)) hops.length = 0
    else hops.push(hop)
  }
  return null
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, at) => byte === b[at])
