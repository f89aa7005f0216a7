/** One distributed hash table that all peers of a FakeNet share: blocks by key, until they expire. */

import { equalBytes, keyOf } from '../../src/base/bytes.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { DhtBlock, DhtQuery, DhtResult, Listening } from '../../src/mesh/mesh.ts'

/** More copies of one key than any test puts. */
const BLOCKS_PER_KEY = 64

interface Question {
  readonly query: DhtQuery
  readonly found: (result: DhtResult) => void
  readonly told: Uint8Array[]
}

export class FakeDht {
  private readonly clock: Clock
  private readonly latencyMs: number
  private readonly blocks = new Map<string, DhtBlock[]>()
  private readonly questions = new Set<Question>()

  constructor(clock: Clock, latencyMs: number) {
    this.clock = clock
    this.latencyMs = latencyMs
  }

  put(block: DhtBlock): void {
    const kept: DhtBlock = { ...block, data: block.data.slice() }
    this.clock.after(this.latencyMs, () => {
      const key = keyOf(kept.key)
      const others = (this.blocks.get(key) ?? []).filter(old => !equalBytes(old.data, kept.data))
      this.blocks.set(key, [kept, ...others].slice(0, BLOCKS_PER_KEY))
      for (const question of this.questions) this.answer(question)
    })
  }

  /** Reports what is stored, the newest first, then what comes later. */
  get(query: DhtQuery, found: (result: DhtResult) => void): Listening {
    const question: Question = { query, found, told: [] }
    const timer = this.clock.after(2 * this.latencyMs, () => {
      this.questions.add(question)
      this.answer(question)
    })
    return {
      close: () => {
        timer.cancel()
        this.questions.delete(question)
      },
    }
  }

  /** What is stored now; for tests that look into the table. */
  stored(): DhtBlock[] {
    return [...this.blocks.values()].flat()
  }

  private answer(question: Question): void {
    const { query, told } = question
    for (const block of this.blocks.get(keyOf(query.key)) ?? []) {
      if (!this.questions.has(question)) return
      if (block.type !== query.type || block.expiresAt <= this.clock.now()) continue
      if (told.some(data => equalBytes(data, block.data))) continue
      told.push(block.data)
      question.found({ ...block, data: block.data.slice(), putPath: [], getPath: [] })
    }
  }
}
