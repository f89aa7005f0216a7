/** A channel of a peer that somebody else has: opened there for us, or come there for one of our ports. */

import { BoxError, type ErrorCode } from '../../base/errors.ts'
import type { PeerId } from '../../base/ids.ts'
import type { Stream, StreamEvents } from '../../base/stream.ts'
import type { Words } from '../../wire/json-words.ts'
import { WireError } from '../../wire/layout.ts'
import { type Channel, type ChannelEvents, checkMessage } from '../mesh.ts'
import { errorOf, LoanMessage, LoanReader, pathOf, unexpected } from './words.ts'

export interface BorrowedChannelOptions {
  readonly peer: PeerId
  readonly dial: (events: StreamEvents) => Stream
  /** What is said first. */
  readonly request: Uint8Array
  /** How it has ended where the lender is gone. */
  readonly lost: ErrorCode
  /** Once; whether the lender had heard of us by then. */
  readonly ended: (options: { readonly isKnown: boolean }) => void
}

export class BorrowedChannel implements Channel {
  readonly peer: PeerId
  private readonly options: BorrowedChannelOptions
  private readonly reader = new LoanReader()
  private stream: Stream | null = null
  private way: readonly PeerId[] | null = null
  private events: ChannelEvents | null = null
  /** What came before somebody attached, or while it was paused. */
  private readonly waiting: Uint8Array[] = []
  private isPaused = true
  private isAnswered = false
  private reason: BoxError | null = null
  private isClosed = false
  private settle: ((error: unknown) => void) | null = null

  constructor(options: BorrowedChannelOptions) {
    this.peer = options.peer
    this.options = options
  }

  /** Resolves when the other side has accepted it. */
  open(): Promise<Channel> {
    return new Promise((resolve, reject) => {
      this.settle = error => (error === null ? resolve(this) : reject(error))
      this.begin()
    })
  }

  /** It stands already: fetches it. */
  fetch(way: readonly PeerId[] | null): void {
    this.way = way
    this.begin()
  }

  path(): readonly PeerId[] | null {
    return this.isClosed ? null : this.way
  }

  attach(events: ChannelEvents): void {
    this.events = events
    this.resume()
    if (this.isClosed && this.reason) this.tellEnd(this.reason)
  }

  send(message: Uint8Array): boolean {
    checkMessage(message)
    if (this.isClosed || !this.stream) return false
    return this.stream.write(LoanMessage.encode({ raw: message }))
  }

  pause(): void {
    this.isPaused = true
    this.stream?.pause()
  }

  resume(): void {
    this.isPaused = false
    while (!this.isPaused && this.waiting.length > 0 && this.events)
      this.events.message(this.waiting.shift()!)
    if (!this.isPaused) this.stream?.resume()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.waiting.length = 0
    this.finish()
  }

  /** It has ended without our doing; or it is not wanted any more before it stood. */
  fail(why: unknown): void {
    const { settle } = this
    this.settle = null
    settle?.(why)
    if (this.isClosed) return
    this.isClosed = true
    this.reason = why instanceof BoxError ? why : new BoxError(this.options.lost)
    this.finish()
    if (this.events && !settle) this.tellEnd(this.reason)
  }

  private begin(): void {
    const { dial, request, lost } = this.options
    const stream = dial({
      opened: () => {},
      received: chunk => this.received(chunk),
      drained: () => this.events?.drained(),
      closed: () => this.fail(this.reason ?? new BoxError(lost)),
    })
    this.stream = stream
    // Before it stands: it is the first that leaves, whatever is sent meanwhile.
    stream.write(request)
  }

  private received(chunk: Uint8Array): void {
    for (const heard of this.read(chunk)) {
      if (this.isClosed) return
      if ('words' in heard) this.hear(heard.words)
      else if (this.events && !this.isPaused) this.events.message(heard.message)
      else this.waiting.push(heard.message.slice())
    }
  }

  /** What makes no sense is the end of this channel, not of us. */
  private read(chunk: Uint8Array) {
    try {
      return this.reader.push(chunk)
    } catch (error) {
      this.nonsense(error)
      return []
    }
  }

  private hear(words: Words): void {
    const { path, closed, detail } = words
    if (closed !== undefined) {
      this.reason = errorOf(closed, detail)
      return
    }
    try {
      if (this.isAnswered) throw unexpected()
      this.way = path === null ? null : pathOf(path)
    } catch (error) {
      this.nonsense(error)
      return
    }
    this.isAnswered = true
    // Nothing is read before somebody attaches: that holds the sender back.
    if (this.isPaused) this.stream?.pause()
    this.settle?.(null)
    this.settle = null
  }

  private nonsense(error: unknown): void {
    if (error instanceof BoxError) this.fail(error)
    else if (error instanceof WireError) this.fail(unexpected())
    else throw error
  }

  private tellEnd(reason: BoxError): void {
    const { events } = this
    this.events = null
    events?.closed(reason)
  }

  private finish(): void {
    // What is paused would not hear of the end.
    this.stream?.resume()
    this.stream?.close()
    this.options.ended({ isKnown: this.isAnswered })
  }
}
