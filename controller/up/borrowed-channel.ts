/** A channel that a running `box up` has opened for us. */

import { BoxError } from '../../src/base/errors.ts'
import type { PeerId } from '../../src/base/ids.ts'
import type { Stream, StreamEvents } from '../../src/base/stream.ts'
import { type Channel, type ChannelEvents, MESSAGE_SIZE_MAX } from '../../src/mesh/mesh.ts'
import { messageSize } from '../../src/wire/dispatch.ts'
import { MessageSplitter } from '../../src/wire/framing.ts'
import { errorOf, isWords, LoanMessage, pathOf, readWords } from './loan.ts'

/** GNUnet's C programs end when they get one (mesh.ts). */
const FORBIDDEN_TYPE = 1
const HEADER = 4

export class BorrowedChannel implements Channel {
  readonly peer: PeerId
  private readonly ended: () => void
  private readonly splitter = new MessageSplitter()
  private stream: Stream | null = null
  private way: readonly PeerId[] | null = null
  private events: ChannelEvents | null = null
  /** What came before somebody attached, or while it was paused. */
  private readonly waiting: Uint8Array[] = []
  private isPaused = true
  private reason: BoxError | null = null
  private isClosed = false
  private settle: ((error: unknown) => void) | null = null

  constructor(peer: PeerId, ended: () => void) {
    this.peer = peer
    this.ended = ended
  }

  /** Resolves when the other side has accepted it. */
  open(dial: (events: StreamEvents) => Stream, request: Uint8Array): Promise<Channel> {
    return new Promise((resolve, reject) => {
      this.settle = error => (error === null ? resolve(this) : reject(error))
      const stream = dial({
        opened: () => void stream.write(request),
        received: chunk => {
          for (const raw of this.splitter.push(chunk)) this.take(raw)
        },
        drained: () => this.events?.drained(),
        closed: () => this.fail(this.reason ?? new BoxError('ENGINE_CLOSED')),
      })
      this.stream = stream
    })
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
    const isWhole = message.length >= HEADER && messageSize(message, 0) === message.length
    const type = (message[2]! << 8) | message[3]!
    if (!isWhole || message.length > MESSAGE_SIZE_MAX || type === FORBIDDEN_TYPE)
      throw new BoxError('INPUT_INVALID', 'This is no message for a channel.')
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
    this.reason = why instanceof BoxError ? why : new BoxError('ENGINE_CLOSED')
    this.finish()
    if (this.events && !settle) this.tellEnd(this.reason)
  }

  private take(raw: Uint8Array): void {
    if (this.isClosed) return
    if (!isWords(raw)) {
      const { raw: message } = LoanMessage.decode(raw)
      if (this.events && !this.isPaused) this.events.message(message)
      else this.waiting.push(message.slice())
      return
    }
    const { path, closed, detail } = readWords(raw)
    if (closed !== undefined) {
      this.reason = errorOf(closed, detail)
      return
    }
    this.way = path === null ? null : pathOf(path)
    // Nothing is read before somebody attaches: that holds the sender back.
    this.stream?.pause()
    this.settle?.(null)
    this.settle = null
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
    this.ended()
  }
}
