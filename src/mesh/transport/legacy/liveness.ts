/**
 * Whether the other end of a link still hears us. A device that moved to another network leaves a
 * connection behind that says nothing for ever; so we ask, and take any word for an answer.
 */

import type { Clock } from '../../../base/clock.ts'
import type { Random } from '../../../base/random.ts'
import { Deadlines } from '../deadlines.ts'
import {
  ANSWER_TIMEOUT_MS,
  ANSWERS_MISSED_MAX,
  IDLE_TIMEOUT_MS,
  KEEPALIVE_PERIOD_MS,
  WANTED_PERIOD_MS,
} from './limits.ts'

export interface LivenessEvents {
  /** Sends a KEEPALIVE with this nonce over the connection in use. */
  ask(nonce: number): void
  /** By the monotonic clock: when something last came over the connection in use. */
  heardAt(): number
  /** There was no answer in time; asked again already. */
  doubt(): void
  /** The doubt was wrong, or the question answered. */
  relief(): void
  /** Nobody is there any more. */
  dead(): void
}

/** Periods vary by a tenth, so that a thousand devices do not ask a hub all at once. */
const JITTER = 0.1

export class Liveness {
  /** Whether a question is overdue. */
  isDoubtful = false
  private readonly clock: Clock
  private readonly random: Random
  private readonly events: LivenessEvents
  private readonly deadlines: Deadlines<'question' | 'answer'>
  private eager = false
  private nonce = 0
  private askedAt = 0
  private missed = 0

  constructor(clock: Clock, random: Random, events: LivenessEvents) {
    this.clock = clock
    this.random = random
    this.events = events
    this.deadlines = new Deadlines(clock, {
      /** Nothing was to be asked for a period. */
      question: () => this.onPeriod(),
      /** An answer is overdue. */
      answer: () => this.onOverdue(),
    })
  }

  /** Begins for a fresh connection. Eagerly: asks often, and is sure of a death within seconds. */
  start(options: { readonly eager: boolean }): void {
    this.stop()
    this.eager = options.eager
    this.rest(this.period())
  }

  /** Asks now, and eagerly until there is an answer. */
  hurry(): void {
    if (!this.deadlines.isSet('answer')) this.ask()
  }

  /** A KEEPALIVE_RESPONSE arrived, over whichever connection. */
  answered(nonce: number): void {
    if (nonce === this.nonce && this.deadlines.isSet('answer')) this.calm()
  }

  stop(): void {
    this.deadlines.clear()
    this.isDoubtful = false
    this.missed = 0
  }

  private onPeriod(): void {
    const silentMs = this.clock.elapsed() - this.events.heardAt()
    if (silentMs >= IDLE_TIMEOUT_MS) this.events.dead()
    else if (this.eager && silentMs < this.period() / 2) this.rest(this.period() - silentMs)
    else if (this.eager) this.ask()
    else {
      this.sendQuestion()
      this.rest(this.period())
    }
  }

  private ask(): void {
    this.sendQuestion()
    this.deadlines.cancel('question')
    this.deadlines.set('answer', ANSWER_TIMEOUT_MS)
  }

  private sendQuestion(): void {
    this.nonce = 1 + this.random.below(0xffff_ffff)
    this.askedAt = this.clock.elapsed()
    this.events.ask(this.nonce)
  }

  private onOverdue(): void {
    if (this.events.heardAt() > this.askedAt) {
      this.calm()
      return
    }
    this.missed++
    if (this.missed >= ANSWERS_MISSED_MAX) {
      this.events.dead()
      return
    }
    this.isDoubtful = true
    this.ask()
    this.events.doubt()
  }

  private calm(): void {
    this.deadlines.cancel('answer')
    this.isDoubtful = false
    this.missed = 0
    this.rest(this.period())
    this.events.relief()
  }

  private rest(ms: number): void {
    const jitter = (this.random.below(2_001) / 1_000 - 1) * JITTER
    this.deadlines.set('question', ms * (1 + jitter))
  }

  private period(): number {
    return this.eager ? WANTED_PERIOD_MS : KEEPALIVE_PERIOD_MS
  }
}
