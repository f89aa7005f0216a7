/**
 * What this agent keeps for devices that are off: one parcel for each device and each who brought one, the
 * newest. It can read none of them. Jobs and their results lie on shelves of their own; that something was
 * left for somebody is remembered when it has been taken, since whoever got a job may leave the result. Bounded in size, number and time; the oldest do not make room for new ones,
 * since whoever brings much must not take away what others have brought.
 */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Store } from '../src/base/store.ts'
import { PARCEL_BYTES_MAX } from '../src/box/bundle/parcel.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'

const PARCELS_MAX = 1_024
/** A device that is away for longer gets it from `box sync`. */
const KEPT_MS = 90 * 24 * 60 * 60_000

/** Configuration, jobs for devices, and what devices tell about them. */
export type ShelfName = 'parcel' | 'jobs' | 'results'
/** As the flash of a hub allows, beside all else. */
const SHELF_BYTES_MAX: Readonly<Record<ShelfName, number>> = {
  parcel: 64 * 1_024 * 1_024,
  jobs: 8 * 1_024 * 1_024,
  results: 16 * 1_024 * 1_024,
}

export interface Kept {
  readonly device: string
  /** Who brought it. */
  readonly from: string
  /** As whoever brought it says; the device finds out. */
  readonly sequence: number
  readonly size: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export class ParcelShelf {
  private readonly store: Store
  private readonly now: () => number
  private readonly name: ShelfName

  constructor(store: Store, now: () => number, name: ShelfName = 'parcel') {
    this.store = store
    this.now = now
    this.name = name
  }

  /** Keeps it in place of an earlier one. Throws PUSH_REFUSED, LIMIT_EXCEEDED, STATE_UNWRITABLE. */
  put(device: ZoneKey, from: ZoneKey, sequence: number, parcel: Uint8Array): void {
    if (parcel.length > PARCEL_BYTES_MAX)
      throw new BoxError('LIMIT_EXCEEDED', `The parcel has ${parcel.length} bytes.`)
    this.tidy()
    const kept = {
      ...{ device: zoneToText(device), from: zoneToText(from), sequence },
      ...{ size: parcel.length, at: this.now() },
    }
    const all = this.all()
    const before = all.filter(one => one.device === kept.device && one.from === kept.from)
    const others = all.filter(one => !before.includes(one))
    // A device speaks of its jobs alone, whatever its clock was before.
    if (this.name !== 'results' && before.some(one => one.sequence > sequence))
      throw new BoxError('PUSH_REFUSED', 'Something newer is kept for this device already.')
    const total = others.reduce((sum, { size }) => sum + size, parcel.length)
    if (total > SHELF_BYTES_MAX[this.name] || others.length >= PARCELS_MAX)
      throw new BoxError('LIMIT_EXCEEDED', 'This relay keeps as much as it can already.')
    this.store.set(this.nameOf(kept), parcel)
    for (const one of before)
      if (this.nameOf(one) !== this.nameOf(kept)) this.store.delete(this.nameOf(one))
  }

  /** What waits for a device, the newest first. */
  waitingFor(device: ZoneKey): readonly Kept[] {
    const text = zoneToText(device)
    return this.all()
      .filter(one => one.device === text && one.size > 0 && !this.isOver(one))
      .toSorted((a, b) => b.sequence - a.sequence)
  }

  /** Null where it is no longer there. */
  get(kept: Kept): Uint8Array | null {
    return this.store.get(this.nameOf(kept))
  }

  drop(kept: Kept): void {
    this.store.delete(this.nameOf(kept))
  }

  /** Keeps no more than that something was left. */
  empty(kept: Kept): void {
    this.store.set(this.nameOf({ ...kept, size: 0 }), new Uint8Array(0))
    if (kept.size > 0) this.drop(kept)
  }

  /** Whether the one has left something for the other, also where that was taken since. */
  knows(device: ZoneKey, from: ZoneKey | null = null): boolean {
    const [to, by] = [zoneToText(device), from && zoneToText(from)]
    return this.all().some(
      one => one.device === to && (by === null || one.from === by) && !this.isOver(one),
    )
  }

  private tidy(): void {
    for (const one of this.all()) if (this.isOver(one)) this.drop(one)
  }

  private isOver({ at }: Kept): boolean {
    return this.now() - at > KEPT_MS
  }

  /** All that is to be known of a parcel is in its name: nothing is read before somebody asks for it. */
  private nameOf({ device, from, sequence, size, at }: Kept): string {
    return [this.name, device, from, sequence, size, at].join('-')
  }

  private all(): readonly Kept[] {
    return this.store.names().flatMap(name => keptOf(this.name, name) ?? [])
  }
}

function keptOf(shelf: ShelfName, name: string): Kept | null {
  const [prefix, device, from, ...rest] = name.split('-')
  const [sequence, size, at] = rest.map(Number)
  if (prefix !== shelf || rest.length !== 3 || ![sequence, size, at].every(Number.isSafeInteger))
    return null
  try {
    zoneFromText(device ?? '')
    zoneFromText(from ?? '')
  } catch {
    return null // Another value whose name begins so.
  }
  return { device: device!, from: from!, sequence: sequence!, size: size!, at: at! }
}
