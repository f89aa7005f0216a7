/**
 * What we put ourselves, for neighbours that come later: what was published while nobody was there, and
 * for hubs that have lost their store by a restart. Whoever publishes puts again before the expiry; this
 * is no substitute for it.
 */

import { keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import { toMs } from '../../wire/time.ts'
import { BLOCK } from './blocks.ts'
import type { Parcel } from './parcel.ts'

/** Ours: a device publishes its HELLO and a few names; a zone of many names is put again in time. */
const ANNOUNCEMENTS_MAX = 128
/** Ours: what may be sent at once when a neighbour comes up; half of what waits for a busy link. */
const BYTES_MAX = 512 * 1_024

export interface Announcement {
  readonly parcel: Parcel
  readonly replication: number
}

export class Announcements {
  private readonly clock: Clock
  /** Oldest first. */
  private readonly byName = new Map<string, Announcement>()
  private bytes = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Remembers a block of ours; of those whose key has one owner, the last only. */
  remember(parcel: Parcel, replication: number): void {
    const name = nameOf(parcel)
    this.remove(name)
    this.byName.set(name, { parcel, replication })
    this.bytes += parcel.data.length
    for (const oldest of this.byName.keys()) {
      if (this.byName.size <= ANNOUNCEMENTS_MAX && this.bytes <= BYTES_MAX) return
      this.remove(oldest)
    }
  }

  /** Those that have not expired, oldest first. */
  current(): Announcement[] {
    const now = this.clock.now()
    for (const [name, { parcel }] of [...this.byName])
      if (toMs(parcel.expiry) <= now) this.remove(name)
    return [...this.byName.values()]
  }

  private remove(name: string): void {
    const old = this.byName.get(name)
    if (!old) return
    this.byName.delete(name)
    this.bytes -= old.parcel.data.length
  }
}

function nameOf({ blockType, key, dataHash }: Parcel): string {
  const owned = blockType === BLOCK.legacyHello || blockType === BLOCK.gns
  return [blockType, keyOf(key), owned ? '' : keyOf(dataHash)].join()
}
