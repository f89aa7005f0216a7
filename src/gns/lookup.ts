/** The records of a label: from our own zones, from the cache, or from the DHT. */

import type { Clock } from '../base/clock.ts'
import { Counters } from '../base/counters.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Dht } from '../mesh/mesh.ts'
import type { Opened } from './block.ts'
import { BlockCache, nameKey } from './cache.ts'
import { Question, type Waiter } from './question.ts'
import { activeRecords, fixRecord, type ResourceRecord } from './record.ts'
import type { ZoneDatabase } from './zone.ts'

/** Questions open in the DHT at the same time; more wait for their turn. */
const QUESTIONS_MAX = 64

export interface RecordSet {
  /** What holds now: neither expired nor in the shadow of another. */
  readonly records: readonly ResourceRecord[]
  readonly from: 'own' | 'cache' | 'mesh'
}

export interface LookupOptions {
  readonly dht: Dht
  readonly clock: Clock
  readonly database: ZoneDatabase
}

export class Lookup {
  readonly counters = new Counters()
  private readonly options: LookupOptions
  private readonly cache = new BlockCache()
  private readonly questions = new Map<string, Question>()
  private readonly queue: Question[] = []
  private running = 0
  private closed = false

  constructor(options: LookupOptions) {
    this.options = options
  }

  /**
   * Waits until somebody answers or `signal` ends it; rejects with the reason of the signal, or with
   * ENGINE_CLOSED. `fresh` asks the DHT whatever the cache has.
   */
  async find(
    zone: ZoneKey,
    label: string,
    fresh: boolean,
    signal: AbortSignal,
  ): Promise<RecordSet> {
    signal.throwIfAborted()
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    const { database, clock } = this.options
    const now = clock.now()
    if (database.has(zone)) {
      const records = database.records(zone, label).map(record => fixRecord(record, now))
      return { records: activeRecords(records, now), from: 'own' }
    }
    const key = nameKey(zone, label)
    const cached = this.cache.get(key, now)
    const held = activeRecords(cached?.records ?? [], now)
    // A block may outlive its records: then it has nothing to say any more.
    if (held.length > 0 && !fresh) return { records: held, from: 'cache' }
    const wish = { fresh, known: cached?.expiry ?? null }
    const { records } = await this.ask(this.question(zone, label), wish, signal)
    return { records: activeRecords(records, clock.now()), from: 'mesh' }
  }

  close(): void {
    this.closed = true
    const reason = new BoxError('ENGINE_CLOSED')
    for (const question of [...this.questions.values()]) question.close(reason)
    this.cache.clear()
  }

  private ask(
    question: Question,
    wish: Pick<Waiter, 'fresh' | 'known'>,
    signal: AbortSignal,
  ): Promise<Opened> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        stopWaiting()
        reject(signal.reason)
      }
      const settled = () => signal.removeEventListener('abort', abort)
      const stopWaiting = question.wait({
        ...wish,
        resolve: block => {
          settled()
          resolve(block)
        },
        reject: error => {
          settled()
          reject(error)
        },
      })
      signal.addEventListener('abort', abort, { once: true })
      this.startNext()
    })
  }

  /** The open question of this label, or a new one. */
  private question(zone: ZoneKey, label: string): Question {
    const key = nameKey(zone, label)
    const open = this.questions.get(key)
    if (open) return open
    const { dht, clock } = this.options
    const question = new Question({
      dht,
      clock,
      zone,
      label,
      found: block => this.cache.put(key, block),
      refused: error => this.counters.add(`gns.refused.${reasonOf(error)}`),
      ended: () => this.ended(key, question),
    })
    this.questions.set(key, question)
    this.queue.push(question)
    return question
  }

  private startNext(): void {
    while (this.running < QUESTIONS_MAX) {
      const next = this.queue.shift()
      if (!next) return
      this.running++
      next.start()
    }
  }

  private ended(key: string, question: Question): void {
    this.questions.delete(key)
    const at = this.queue.indexOf(question)
    if (at >= 0) this.queue.splice(at, 1)
    else this.running--
    this.startNext()
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof BoxError ? error.code : 'WIRE_MALFORMED'
