/** Blocks that were verified, by zone and label, until they expire; the least recently used give way. */

import { keyOf } from '../base/bytes.ts'
import type { ZoneKey } from '../base/ids.ts'
import { toMs } from '../wire/time.ts'
import type { Opened } from './block.ts'

/** Bytes of record data that are kept: some thousands of names, and no more than a megabyte of memory. */
const CACHE_SIZE_MAX = 1_048_576
/** What an entry costs beside its data: keys, objects. */
const ENTRY_COST = 512

interface Entry {
  readonly block: Opened
  readonly cost: number
}

/** The text that is the same exactly where zone and label are. */
export const nameKey = (zone: ZoneKey, label: string): string => `${keyOf(zone)}${label}`

export class BlockCache {
  private readonly sizeMax: number
  private readonly entries = new Map<string, Entry>()
  private size = 0

  constructor(sizeMax = CACHE_SIZE_MAX) {
    this.sizeMax = sizeMax
  }

  /** The newest known block that is valid at `now`; null where there is none. */
  get(key: string, now: number): Opened | null {
    const entry = this.entries.get(key)
    if (!entry) return null
    this.remove(key, entry)
    if (toMs(entry.block.expiry) <= now) return null
    this.add(key, entry)
    return entry.block
  }

  /** Keeps the block unless a newer one is here. */
  put(key: string, block: Opened): void {
    const old = this.entries.get(key)
    if (old && old.block.expiry >= block.expiry) return
    if (old) this.remove(key, old)
    const data = block.records.reduce((sum, record) => sum + record.data.length, 0)
    this.add(key, { block, cost: ENTRY_COST + data })
    for (const [oldest, entry] of this.entries) {
      if (this.size <= this.sizeMax) break
      this.remove(oldest, entry)
    }
  }

  clear(): void {
    this.entries.clear()
    this.size = 0
  }

  private add(key: string, entry: Entry): void {
    this.entries.set(key, entry)
    this.size += entry.cost
  }

  private remove(key: string, entry: Entry): void {
    this.entries.delete(key)
    this.size -= entry.cost
  }
}
