/**
 * The borrower's end of what is said about the peer as a whole: a connection for as long as the peer is lent.
 * Where it is to last it is made again with growing pauses when it is lost; everything is then said anew.
 */

import type { Clock, Timer } from '../../base/clock.ts'
import { BoxError } from '../../base/errors.ts'
import type { Stream } from '../../base/stream.ts'
import type { Words } from '../../wire/json-words.ts'
import { WireError } from '../../wire/layout.ts'
import type { DialService } from '../ipc/service.ts'
import { LOAN_VERSION, LoanReader, wordsOf } from './words.ts'

/** Whoever lends is started again within a second, mostly. */
const RETRY_MIN_MS = 50
/** Shorter than what a session waits for a way that is lost. */
const RETRY_MAX_MS = 2_000
/** How the peer is, is asked so often; who comes and goes is told at once. */
const LOOK_MS = 10_000

export interface LoanLineOptions {
  readonly path: string
  readonly dial: DialService
  readonly clock: Clock
  /** Whether it is made again. */
  readonly lasts: boolean
}

export interface LoanLineEvents {
  /** The first that is said. Throws BoxError where it makes no sense. */
  greeted(words: Words): void
  /** Throws BoxError where it makes no sense. */
  heard(words: Words): void
  /** It was lost, or could not be made. */
  lost(reason: BoxError): void
}

export class LoanLine {
  private readonly options: LoanLineOptions
  private readonly events: LoanLineEvents
  private stream: Stream | null = null
  private timer: Timer | null = null
  private pauseMs = RETRY_MIN_MS
  private closed = false

  constructor(options: LoanLineOptions, events: LoanLineEvents) {
    this.options = options
    this.events = events
  }

  open(): void {
    const { path, dial } = this.options
    const conversation = converse(
      path,
      dial,
      { do: 'mesh' },
      {
        greeted: words => {
          if (words.loan !== LOAN_VERSION)
            throw new BoxError('STATE_UNEXPECTED', 'Whoever lends the mesh is of another version.')
          this.events.greeted(words)
          this.pauseMs = RETRY_MIN_MS
          this.lookLater()
        },
        heard: words => this.events.heard(words),
        closed: reason => this.lost(reason),
      },
    )
    this.stream = conversation
  }

  /** Nothing is said while it does not stand. */
  say(value: object): void {
    this.stream?.write(wordsOf(value))
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.timer?.cancel()
    this.stream?.close()
    this.stream = null
  }

  private lost(reason: BoxError): void {
    this.timer?.cancel()
    this.timer = null
    this.stream = null
    if (this.closed) return
    this.events.lost(reason)
    if (this.closed || !this.options.lasts) return
    this.timer = this.options.clock.after(this.pauseMs, () => this.open())
    this.pauseMs = Math.min(2 * this.pauseMs, RETRY_MAX_MS)
  }

  private lookLater(): void {
    this.timer = this.options.clock.after(LOOK_MS, () => {
      this.say({ look: true })
      this.lookLater()
    })
  }
}

/** Asks, and hears words until it ends; what makes no sense ends it. */
export function converse(
  path: string,
  dial: DialService,
  request: object,
  events: {
    readonly greeted?: (words: Words) => void
    readonly heard: (words: Words) => void
    readonly closed: (reason: BoxError) => void
  },
): Stream {
  const reader = new LoanReader()
  let reason: BoxError | null = null
  let isGreeted = events.greeted === undefined
  const take = (words: Words) => {
    if (isGreeted) return events.heard(words)
    isGreeted = true
    events.greeted?.(words)
  }
  const stream = dial(path, {
    opened: () => {},
    received: chunk => {
      if (reason) return
      try {
        for (const heard of reader.push(chunk)) if ('words' in heard) take(heard.words)
      } catch (error) {
        if (!(error instanceof BoxError || error instanceof WireError)) throw error
        reason = error instanceof BoxError ? error : new BoxError('STATE_UNEXPECTED')
        stream.close()
      }
    },
    drained: () => {},
    closed: error => {
      const why = reason ?? (error instanceof BoxError ? error : null)
      events.closed(why ?? new BoxError('PEER_UNREACHABLE', path))
    },
  })
  stream.write(wordsOf(request))
  return stream
}
