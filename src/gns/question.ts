/**
 * One question to the DHT: what is published under a label of a zone? Shared by everyone who asks at
 * the same time. Each block is verified before it counts, the newest wins, and whoever waits is
 * answered a moment after the first, since old blocks live on in the DHT beside new ones. The
 * question goes on for a while after that, so that the cache learns of a newer block.
 */

import type { Clock, Timer } from '../base/clock.ts'
import type { ZoneKey } from '../base/ids.ts'
import { deriveLabelKey, type LabelKey } from '../crypto/zone-key.ts'
import { DHT_OPTION, type Dht, type DhtResult, type Listening } from '../mesh/mesh.ts'
import { toMs } from '../wire/time.ts'
import { BLOCK_TYPE, type Opened, openBlock } from './block.ts'
import { activeRecords } from './record.ts'

/** As gnunet-service-gns asks. */
const GET_REPLICATION = 10

/** A peer that has several blocks of a label sends them at once: so long we wait for the rest. */
const SETTLE_MS = 10
/** For those to whom the first answers were not new enough: other peers get the time to say something newer. */
const FRESH_SETTLE_MS = 400
/** A block that has outlived its records says nothing; hours of them remain where a clock was ahead once. */
const EMPTY_SETTLE_MS = 2_000
/** How long the question stays open after the first answer. */
const LINGER_MS = 2_000

export interface QuestionOptions {
  readonly dht: Dht
  readonly clock: Clock
  readonly zone: ZoneKey
  readonly label: string
  /** A valid block, newer than those before. */
  readonly found: (block: Opened) => void
  /** Bytes that were no valid block of this label. */
  readonly refused: (error: unknown) => void
  /** The question is closed, nobody waits any more. */
  readonly ended: () => void
}

/** Somebody who waits for the answer. */
export interface Waiter {
  readonly resolve: (block: Opened) => void
  readonly reject: (error: unknown) => void
  /** Does not settle for the first answers. */
  readonly fresh: boolean
  /** Whoever wants a fresh answer and gets a block later than this needs to wait no longer. */
  readonly known: bigint | null
}

/** The moment after the first answer. */
interface Settling {
  readonly timer: Timer
  /** Longer, since that answer says nothing. */
  readonly isEmpty: boolean
}

export class Question {
  private readonly options: QuestionOptions
  /** Those who wait, and how they settle for what has come. */
  private readonly waiters = new Map<Waiter, Settling | null>()
  private labelKey: LabelKey | null = null
  private asking: Listening | null = null
  private lingering: Timer | null = null
  private best: Opened | null = null
  private closed = false

  constructor(options: QuestionOptions) {
    this.options = options
  }

  /** Asks the DHT. Where that fails, everyone who waits is told. */
  start(): void {
    const { dht, zone, label } = this.options
    try {
      this.labelKey = deriveLabelKey(zone, label)
      const query = {
        type: BLOCK_TYPE,
        key: this.labelKey.query,
        replication: GET_REPLICATION,
        options: DHT_OPTION.everywhere,
      }
      this.asking = dht.get(query, result => this.receive(result))
    } catch (error) {
      this.close(error)
    }
  }

  /** Waits for an answer. The returned function stops waiting; `waiter` hears nothing then. */
  wait(waiter: Waiter): () => void {
    this.waiters.set(waiter, null)
    if (this.best) this.tell(waiter, this.best)
    return () => {
      this.forget(waiter)
      if (this.waiters.size === 0 && !this.best) this.close(null)
    }
  }

  /** Ends the question; whoever still waits is told `reason`. */
  close(reason: unknown): void {
    if (this.closed) return
    this.closed = true
    this.asking?.close()
    this.lingering?.cancel()
    const waiters = [...this.waiters.keys()]
    for (const waiter of waiters) this.forget(waiter)
    this.options.ended()
    for (const waiter of waiters) waiter.reject(reason)
  }

  private receive({ type, data }: DhtResult): void {
    if (this.closed || type !== BLOCK_TYPE) return
    const { clock, zone, label, found, refused } = this.options
    let block: Opened
    try {
      block = openBlock(zone, label, data.slice(), this.labelKey!)
    } catch (error) {
      refused(error)
      return
    }
    if (toMs(block.expiry) <= clock.now() || (this.best && this.best.expiry >= block.expiry)) return
    this.best = block
    this.lingering ??= clock.after(LINGER_MS, () => this.rest())
    found(block)
    for (const waiter of [...this.waiters.keys()]) this.tell(waiter, block)
  }

  private tell(waiter: Waiter, block: Opened): void {
    const { clock } = this.options
    const isEmpty = activeRecords(block.records, clock.now()).length === 0
    if (!isEmpty && waiter.fresh && waiter.known !== null && block.expiry > waiter.known) {
      this.answer(waiter)
      return
    }
    const settling = this.waiters.get(waiter)
    if (settling && (isEmpty || !settling.isEmpty)) return
    settling?.timer.cancel()
    const settleMs = isEmpty ? EMPTY_SETTLE_MS : waiter.fresh ? FRESH_SETTLE_MS : SETTLE_MS
    this.waiters.set(waiter, {
      timer: clock.after(settleMs, () => this.answer(waiter)),
      isEmpty,
    })
  }

  private answer(waiter: Waiter): void {
    this.forget(waiter)
    if (this.best) waiter.resolve(this.best)
  }

  private forget(waiter: Waiter): void {
    this.waiters.get(waiter)?.timer.cancel()
    this.waiters.delete(waiter)
  }

  /** Closes once those who came late have been answered. */
  private rest(): void {
    if (this.waiters.size === 0) this.close(null)
    else this.lingering = this.options.clock.after(LINGER_MS, () => this.rest())
  }
}
