/**
 * What a member, or a relay, takes for said by a place, of what others hand on to it. In a provable place that is
 * what the place has signed. In a deniable one (host-epochs.ts) it is what follows from the host's own word, which
 * the host gives to each on a channel on which both have proven who they are:
 *
 * - where the chain stands, and the hash of each epoch's end: what leads there is true, whoever hands it on;
 * - which key signs from there on, and that it is not published yet. That is believed for a while (LEASE_MS), then
 *   asked again: everybody has the keys of what was published.
 *
 * Whatever else is signed with a key of the past is not taken.
 */

import { equalBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { WireError } from '../wire/layout.ts'
import {
  type Fragment,
  follows,
  type Head,
  KIND,
  readFragment,
  rereadFragment,
} from './fragment.ts'
import { HISTORY_SIZE_MAX, type History } from './history.ts'
import { PlaceEpoch, type PlaceEpochs } from './messages.ts'

/**
 * How long the host's word is believed. The host waits twice as long before it publishes a key (host-epochs.ts), so
 * that a clock here may run at half the speed.
 */
export const LEASE_MS = 3_600_000
/** The two clocks of a machine differ by no more, unless one was set back. */
const CLOCKS_DIFFER_MS = 60_000

export type Taken =
  /** These follow, and are of the place; maybe none yet. */
  | { readonly is: 'taken'; readonly fragments: readonly Fragment[] }
  /** We have it. */
  | { readonly is: 'old' }
  /** Some before it are missing. */
  | { readonly is: 'gap' }
  /** Only the host can say, and has to be asked. */
  | { readonly is: 'unsure' }

export interface Trust {
  /** Looks at what was handed on to us. Throws WireError where it is not of the place. */
  take(history: History, raw: Uint8Array): Taken
  /** The first fragment that nobody has given to us yet. */
  next(history: History): bigint
  /** Somebody else will hand on to us. */
  forget(): void
}

/** By the signature of the place alone. */
export const provableTrust = (place: Uint8Array): Trust => ({
  take: (history, raw) => {
    const fragment = readFragment(place, raw)
    const next = history.head.id + 1n
    if (fragment.id !== next) return { is: fragment.id > next ? 'gap' : 'old' }
    // Signed by the place, and yet another past than ours: its host has forked. We do not follow.
    demand(follows(history.head, fragment), 'previous')
    return { is: 'taken', fragments: [fragment] }
  },
  next: history => history.head.id + 1n,
  forget: () => {},
})

/** What both clocks of the machine showed. */
export interface Moment {
  readonly elapsed: number
  readonly now: number
}

export const momentOf = (clock: Clock): Moment => ({ elapsed: clock.elapsed(), now: clock.now() })

/** The host's word; the bytes are copied by whoever gives it. */
export type Word = Parameters<typeof PlaceEpochs.encode>[0]

export class EpochTrust implements Trust {
  private readonly place: Uint8Array
  private readonly clock: Clock
  private word: { readonly askedAt: Moment; readonly leaseMs: number } | null = null
  /** Who signs the fragment after the last end, or after our head where that is further. */
  private key: Uint8Array | null = null
  /** Ends that we have not come to. */
  private ends: Word['ends'] = []
  /** What leads to the next of them, as far as it has come. */
  private pending: Fragment[] = []
  private pendingSize = 0
  /** Who signs tickets; null while we do not know. */
  ticketKey: Uint8Array | null = null

  constructor(place: Uint8Array, clock: Clock) {
    this.place = place
    this.clock = clock
  }

  /**
   * The host has said what is true, in answer to what we asked then. 'forgotten': what we lack is older than it tells
   * of; 'forked': what we have is not what it says, and nothing more is taken.
   */
  hear(word: Word, askedAt: Moment, history: History): 'ok' | 'forgotten' | 'forked' {
    const { head } = history
    const wasSure = this.isSure
    const isOurs = word.ends.every(({ id, digest }) => {
      const ours = history.get(id)
      return !ours || equalBytes(ours.digest, digest)
    })
    const last = word.ends.at(-1)?.id ?? 0n
    // What came while the host answered is further than its answer; what was there before cannot be.
    if (!isOurs || (head.id > last && !wasSure)) {
      this.word = null
      this.key = null
      this.ends = []
      return 'forked'
    }
    if (word.startId > head.id) return 'forgotten'
    this.word = { askedAt, leaseMs: Math.min(word.leaseMs, LEASE_MS) }
    this.ticketKey = word.ticketKey
    this.forget()
    this.ends = word.ends.filter(({ id }) => id > head.id)
    if (head.id <= last) this.key = word.key
    return 'ok'
  }

  take(history: History, raw: Uint8Array): Taken {
    const fragment = rereadFragment(this.place, raw.slice())
    const next = this.next(history)
    if (fragment.id < next) return { is: 'old' }
    const [end] = this.ends
    if (!end && (!this.key || !this.isSure)) return { is: 'unsure' }
    if (fragment.id > next) return { is: 'gap' }
    if (end) return this.lead(this.pending.at(-1) ?? history.head, fragment, end)
    readFragment(this.place, raw, this.key!)
    demand(follows(history.head, fragment), 'previous')
    if (fragment.kind === KIND.epoch) this.key = PlaceEpoch.decode(fragment.body).key
    return { is: 'taken', fragments: [fragment] }
  }

  next(history: History): bigint {
    return history.head.id + 1n + BigInt(this.pending.length)
  }

  forget(): void {
    this.pending = []
    this.pendingSize = 0
  }

  /** One more on the way to an end that the host has told: whether the way is the right one is seen there. */
  private lead(before: Head, fragment: Fragment, end: Word['ends'][number]): Taken {
    this.pendingSize += fragment.raw.length
    try {
      demand(follows(before, fragment), 'previous')
      demand(this.pendingSize <= HISTORY_SIZE_MAX, 'size')
      this.pending.push(fragment)
      if (fragment.id < end.id) return { is: 'taken', fragments: [] }
      demand(equalBytes(fragment.digest, end.digest), 'digest')
    } catch (error) {
      this.forget()
      throw error
    }
    const fragments = this.pending
    this.ends = this.ends.slice(1)
    this.forget()
    return { is: 'taken', fragments }
  }

  /** By both clocks: one does not run while the machine sleeps, the other may be set. */
  private get isSure(): boolean {
    if (!this.word) return false
    const { askedAt, leaseMs } = this.word
    const elapsed = this.clock.elapsed() - askedAt.elapsed
    const passed = this.clock.now() - askedAt.now
    return Math.max(elapsed, passed) < leaseMs && passed > elapsed - CLOCKS_DIFFER_MS
  }
}

function demand(isSo: boolean, field: string): void {
  if (!isSo) throw new WireError('PLACE_FRAGMENT', field, 0, 'is of another chain')
}
