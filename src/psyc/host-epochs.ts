/**
 * The keys by which the host of a deniable place signs: one for a while, an epoch. When the epoch is over and nobody
 * takes that key for the place's any more, its secret half is said to all: from then on everybody who was there can
 * have made all that was said in the epoch. The key of the place itself signs nothing, nor does any other that
 * lasts name the key of an epoch: which one it is, each member is told alone (trust.ts), and can have made up.
 *
 * On disk first, in the chain second, as all keys. A host that starts again begins a new epoch.
 */

import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { SigningKey } from '../crypto/signing.ts'
import { type Head, KIND } from './fragment.ts'
import type { History } from './history.ts'
import { PlaceEpoch, PlacePublished } from './messages.ts'
import { LEASE_MS, type Word } from './trust.ts'

/** Of what is said, for so long at most it can be shown that the place signed it; with the two below. */
export const EPOCH_MS = 3_600_000
/** Clocks of members may run at half the speed of ours. */
export const PUBLISH_AFTER_MS = 2 * LEASE_MS
/** How often is looked, and what of the waiting a restart may cost. */
export const TICK_MS = 900_000
/** Of a host that starts again and again; then it goes on with the key it has. */
const ENDED_MAX = 64
/** Ends of epochs that a member is told; what is older nobody catches up with. 10 KiB. */
const ENDS_MAX = 256
const SEED_SIZE = 32

/** What the host of a deniable place must not forget beside all else. */
export interface KeptEpochs {
  readonly ticketSeed: Uint8Array
  /** The key that signs, and the fragment after which it began to. */
  readonly current: { readonly seed: Uint8Array; readonly from: bigint }
  /** The one after it, while the chain may not say so yet. */
  readonly coming: Uint8Array | null
  /** Those that sign no more; each is published when it has waited so long while we ran. */
  readonly ended: readonly { readonly seed: Uint8Array; readonly leftMs: number }[]
}

export interface HostEpochsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly history: History
  /** Adds a fragment with this body, signed by `signer`. Throws STATE_UNWRITABLE. */
  readonly add: (kind: number, body: Uint8Array) => void
  /** Writes down what `kept` is now. Throws STATE_UNWRITABLE. */
  readonly remember: () => void
  /** The chain has grown without anybody having said something. */
  readonly grown: () => void
}

export class HostEpochs {
  private readonly options: HostEpochsOptions
  private state: KeptEpochs
  /** Made from the seeds of `state`. */
  signer: SigningKey
  readonly ticketKey: SigningKey
  /** How long something that was signed by the current key has been there; null: nothing was. */
  private usedMs: number | null = null
  private timer: Timer | null = null

  constructor(options: HostEpochsOptions, kept: KeptEpochs | null) {
    const { random } = options
    this.options = options
    this.state = kept ?? {
      ticketSeed: random.bytes(SEED_SIZE),
      current: { seed: random.bytes(SEED_SIZE), from: 0n },
      ...{ coming: null, ended: [] },
    }
    this.signer = SigningKey.fromSeed(this.state.current.seed)
    this.ticketKey = SigningKey.fromSeed(this.state.ticketSeed)
    this.settle()
  }

  get kept(): KeptEpochs {
    return this.state
  }

  /** A host begins to run: what was signed before is of an epoch of its own. Throws STATE_UNWRITABLE. */
  start(): void {
    const { from } = this.state.current
    const { history } = this.options
    const isUsed = [...history.from(from + 1n)].some(({ kind }) => kind < KIND.epoch)
    if (isUsed || history.first > from + 1n) {
      this.usedMs = 0
      this.begin()
    }
    this.watch()
  }

  /** The current key has signed something that somebody said or did. */
  used(): void {
    this.usedMs ??= 0
    this.watch()
  }

  /** What a member is told who lacks everything from `next` on. */
  word(next: bigint): Word {
    const { history } = this.options
    const all = this.ends()
    const ends = all.slice(-ENDS_MAX)
    const uncovered = all.at(-ENDS_MAX - 1)
    return {
      startId: uncovered?.id ?? history.first - 1n,
      ...{ key: this.signer.publicKey, ticketKey: this.ticketKey.publicKey, leaseMs: LEASE_MS },
      ends: ends.filter(({ id }, at) => id >= next || at === ends.length - 1),
    }
  }

  /** The first that somebody may begin with who reads all there is. */
  get beginning(): Head {
    const { history } = this.options
    const uncovered = this.ends().at(-ENDS_MAX - 1)
    if (uncovered) return { id: uncovered.id, hash: history.get(uncovered.id)!.hash }
    const first = history.get(history.first)
    return first ? { id: first.id - 1n, hash: first.previous } : history.head
  }

  close(): void {
    this.timer?.cancel()
    this.timer = null
  }

  /** Another key signs from now on. Throws STATE_UNWRITABLE, and may then be tried again. */
  private begin(): void {
    const { random, history, add, remember } = this.options
    if (this.state.ended.length >= ENDED_MAX) return
    this.state = { ...this.state, coming: this.state.coming ?? random.bytes(SEED_SIZE) }
    remember()
    const { publicKey } = SigningKey.fromSeed(this.state.coming!)
    add(KIND.epoch, PlaceEpoch.encode({ key: publicKey }))
    this.turn(this.state.coming!, history.head.id)
    remember()
  }

  private turn(seed: Uint8Array, from: bigint): void {
    const { current, ended } = this.state
    // Of the first tick some has passed already.
    const over = { seed: current.seed, leftMs: PUBLISH_AFTER_MS + TICK_MS }
    this.state = { ...this.state, current: { seed, from }, coming: null, ended: [...ended, over] }
    this.signer = SigningKey.fromSeed(seed)
    this.usedMs = null
  }

  /** A host that died between the two writes of `begin`: what is in the chain counts. */
  private settle(): void {
    const { coming, current } = this.state
    if (!coming) return
    const ends = [...this.options.history.from(current.from + 1n)]
    const end = ends.findLast(({ kind }) => kind === KIND.epoch)
    if (end) this.turn(coming, end.id)
    else this.state = { ...this.state, coming: null }
  }

  private ends(): Word['ends'] {
    const { history } = this.options
    const { head } = history
    const last = history.get(head.id)
    const ends = [...history.from(history.first)].filter(
      fragment => fragment.kind === KIND.epoch || fragment === last,
    )
    if (ends.length === 0) return [{ id: head.id, digest: head.hash }]
    return ends.map(({ id, digest }) => ({ id, digest }))
  }

  private watch(): void {
    if (this.usedMs === null && this.state.ended.length === 0) return
    this.timer ??= this.options.clock.after(TICK_MS, () => this.tick())
  }

  private tick(): void {
    this.timer = null
    if (this.usedMs !== null) this.usedMs += TICK_MS
    const ended = this.state.ended.map(({ seed, leftMs }) => ({ seed, leftMs: leftMs - TICK_MS }))
    this.state = { ...this.state, ended }
    try {
      if (this.usedMs !== null && this.usedMs >= EPOCH_MS) this.begin()
      this.publish()
      this.options.remember()
    } catch (error) {
      // The disk is full: later, then.
      if (!(error instanceof BoxError) || error.code !== 'STATE_UNWRITABLE') throw error
    } finally {
      this.watch()
      this.options.grown()
    }
  }

  /** Once it is in the chain it may be forgotten; said twice it does no harm. */
  private publish(): void {
    const due = this.state.ended.filter(({ leftMs }) => leftMs <= 0)
    if (due.length === 0) return
    this.options.add(KIND.published, PlacePublished.encode({ seeds: due.map(({ seed }) => seed) }))
    this.state = { ...this.state, ended: this.state.ended.filter(({ leftMs }) => leftMs > 0) }
  }
}
