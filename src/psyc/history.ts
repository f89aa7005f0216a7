/**
 * The fragments of a place that are kept, on disk and in memory: the newest, up to a size. What it takes is
 * in order and checked by whoever gives it; an entry that was damaged on disk ends what is known, and the
 * rest is fetched again.
 */

import { BoxError } from '../base/errors.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { WireError } from '../wire/layout.ts'
import { BEGINNING, type Fragment, follows, type Head, rereadFragment } from './fragment.ts'

/** A file that only grows at its end (sys/journal.ts), or what takes its place in tests. */
export interface Ledger {
  append(entry: unknown): void
  entries(): unknown[]
  rewrite(entries: Iterable<unknown>): void
}

/** Bytes of fragments kept in memory, and about so many on disk. */
export const HISTORY_SIZE_MAX = 8 * 1_048_576
/** The size of a journal that holds the history: entries are texts, and the journal keeps half of its size at least. */
export const LEDGER_SIZE_MAX = 4 * HISTORY_SIZE_MAX

/** What a reader of the chain may begin with: everything before is not known and not wanted. */
interface Start {
  readonly start: string
  readonly hash: string
}

export class History {
  private readonly place: Uint8Array
  private readonly ledger: Ledger
  private readonly sizeMax: number
  private readonly fragments = new Map<bigint, Fragment>()
  private size = 0
  /** The first that is kept, or the one that would be. */
  private firstId: bigint
  head: Head
  /** Whether the ledger had something that does not belong there. */
  readonly damaged: boolean

  /**
   * Reads what the ledger has, up to the first entry that does not follow. The rest is cut off, unless it is
   * precious: a host has nobody to fetch it from again, and must not go on with another past.
   */
  constructor(
    place: Uint8Array,
    ledger: Ledger,
    sizeMax = HISTORY_SIZE_MAX,
    { isPrecious = false }: { readonly isPrecious?: boolean } = {},
  ) {
    this.place = place
    this.ledger = ledger
    this.sizeMax = sizeMax
    this.head = BEGINNING
    this.firstId = 1n
    const entries = ledger.entries()
    const good = entries.findIndex((entry, at) => !this.load(entry, at === 0))
    this.damaged = good >= 0
    if (this.damaged && !isPrecious) ledger.rewrite(entries.slice(0, good))
  }

  get first(): bigint {
    return this.firstId
  }

  get(id: bigint): Fragment | null {
    return this.fragments.get(id) ?? null
  }

  /** Bytes of all fragments after `id`. */
  sizeSince(id: bigint): number {
    let size = 0
    for (const { raw } of this.from(id + 1n)) size += raw.length
    return size
  }

  /** From `from` to the end, in order. */
  *from(from: bigint): Generator<Fragment> {
    for (let id = from < this.firstId ? this.firstId : from; id <= this.head.id; id++)
      yield this.fragments.get(id)!
  }

  /** Adds the next fragment; when this returns it is on disk. It must follow. */
  append(fragment: Fragment): void {
    if (!follows(this.head, fragment)) throw new RangeError('internal error: it does not follow')
    this.ledger.append(encodeBase32(fragment.raw))
    this.keep(fragment)
  }

  /** Forgets everything, to go on after `head`: what was missed is not to be had any more. */
  begin(head: Head): void {
    this.ledger.rewrite([{ start: `${head.id}`, hash: encodeBase32(head.hash) } satisfies Start])
    this.restart(head)
  }

  private restart(head: Head): void {
    this.fragments.clear()
    this.size = 0
    this.head = head
    this.firstId = head.id + 1n
  }

  /** The first entry may be anywhere in the chain: the journal has dropped what was before. */
  private load(entry: unknown, isFirst: boolean): boolean {
    if (isStart(entry)) {
      this.restart(headOf(entry))
      return true
    }
    const fragment = typeof entry === 'string' ? read(this.place, entry) : null
    if (!fragment) return false
    if (isFirst) this.restart({ id: fragment.id - 1n, hash: fragment.previous })
    if (!follows(this.head, fragment)) return false
    this.keep(fragment)
    return true
  }

  private keep(fragment: Fragment): void {
    this.fragments.set(fragment.id, fragment)
    this.size += fragment.raw.length
    this.head = { id: fragment.id, hash: fragment.hash }
    while (this.size > this.sizeMax && this.firstId < this.head.id) {
      this.size -= this.fragments.get(this.firstId)!.raw.length
      this.fragments.delete(this.firstId++)
    }
  }
}

/** A ledger that lasts as long as the process. */
export function memoryLedger(): Ledger {
  let kept: unknown[] = []
  return {
    append: entry => void kept.push(entry),
    entries: () => [...kept],
    rewrite: entries => {
      kept = [...entries]
    },
  }
}

/** A ledger that keeps nothing, for a place that begins anew with each process. */
export const forgetfulLedger: Ledger = { append: () => {}, entries: () => [], rewrite: () => {} }

function read(place: Uint8Array, text: string): Fragment | null {
  try {
    return rereadFragment(place, decodeBase32(text, Math.floor((text.length * 5) / 8)))
  } catch (error) {
    if (error instanceof WireError || error instanceof BoxError) return null
    throw error
  }
}

const isStart = (entry: unknown): entry is Start =>
  typeof entry === 'object' && entry !== null && 'start' in entry

const headOf = ({ start, hash }: Start): Head => ({
  id: BigInt(start),
  hash: decodeBase32(hash, 32),
})
