/** Asks the host of a deniable place what is true there (trust.ts), until it says so. */

import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { WireError } from '../wire/layout.ts'
import { wordOf } from './admission.ts'
import type { EdgeMessage } from './edge.ts'
import type { History } from './history.ts'
import { PlaceConfirm } from './messages.ts'
import { type EpochTrust, momentOf, type Word } from './trust.ts'

const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 60_000

type Answer = Word | 'refused'

export interface ConfirmingOptions {
  readonly place: Uint8Array
  readonly clock: Clock
  readonly random: Random
  readonly trust: EpochTrust
  readonly history: History
  /** One question to the host; fails with BoxError or WireError. */
  readonly ask: (
    body: Uint8Array,
    answer: (message: EdgeMessage) => Answer | null,
    signal: AbortSignal,
  ) => Promise<Answer>
  /** It has said what is true, and that fits what we have. */
  readonly vouched: () => void
  /** We are not in, as far as the host knows; or what we lack is too old for it. */
  readonly outdated: (why: 'ticket' | 'forgotten') => void
}

export class Confirming {
  private readonly options: ConfirmingOptions
  private asking: AbortController | null = null
  private timer: Timer | null = null
  private failures = 0

  constructor(options: ConfirmingOptions) {
    this.options = options
  }

  /** Asks, unless that is being done already. */
  begin(): void {
    if (this.asking || this.timer) return
    const { place, clock, history, ask } = this.options
    const abort = new AbortController()
    this.asking = abort
    const askedAt = momentOf(clock)
    const body = PlaceConfirm.encode({ place, next: history.head.id + 1n })
    ask(body, answerIn, abort.signal).then(
      answer => {
        if (this.asking !== abort) return
        this.asking = null
        this.failures = 0
        if (answer === 'refused') this.options.outdated('ticket')
        else this.heard(this.options.trust.hear(answer, askedAt, history))
      },
      (error: unknown) => {
        if (!(error instanceof BoxError) && !(error instanceof WireError)) throw error
        if (this.asking !== abort) return
        this.asking = null
        this.later(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.failures++))
      },
    )
  }

  close(): void {
    this.timer?.cancel()
    this.timer = null
    const { asking } = this
    this.asking = null
    asking?.abort(new BoxError('ENGINE_CLOSED'))
  }

  private heard(what: ReturnType<EpochTrust['hear']>): void {
    if (what === 'ok') this.options.vouched()
    else if (what === 'forgotten') this.options.outdated(what)
    // Its host has forked, or has lost what it once said: we do not follow.
    else this.later(RETRY_MAX_MS)
  }

  private later(ms: number): void {
    const { clock, random } = this.options
    this.timer = clock.after(ms / 2 + random.below(ms), () => {
      this.timer = null
      this.begin()
    })
  }
}

const answerIn = (message: EdgeMessage): Answer | null => {
  if (message.is === 'PLACE_REFUSED') return 'refused'
  return message.is === 'PLACE_EPOCHS' ? wordOf(message.value) : null
}
