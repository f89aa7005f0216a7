/**
 * Messages out of a stream of bytes (gnunet_mst: the message stream tokenizer). A message that lies
 * within one chunk is a view of it; only one that crosses chunks is copied together.
 */

import { messageSize } from './dispatch.ts'
import { WireError } from './layout.ts'

const HEADER = 4

/** Takes chunks as they come, gives whole messages. Of no further use after it has thrown. */
export class MessageSplitter {
  readonly #sizeMax: number
  /** The message that has begun: null between messages. Its first `#filled` bytes are there. */
  #pending: Uint8Array | null = null
  #filled = 0
  readonly #header = new Uint8Array(HEADER)

  /** A message may have up to `sizeMax` bytes, header included; never are more kept. */
  constructor(sizeMax = 0xffff) {
    this.#sizeMax = sizeMax
  }

  /** How many bytes wait for the rest of their message. */
  get waiting(): number {
    return this.#filled
  }

  /**
   * The messages that `chunk` completes, in order, with their headers. They may be views of the
   * chunk. Throws WireError on a size below that of a header or above the limit.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = []
    let at = this.#filled > 0 ? this.#resume(chunk, messages) : 0
    while (chunk.length - at >= HEADER) {
      const size = this.#sizeAt(chunk, at)
      if (size > chunk.length - at) break
      messages.push(chunk.subarray(at, at + size))
      at += size
    }
    if (at < chunk.length) this.#begin(chunk, at)
    return messages
  }

  /** Fills the message that has begun; returns where in the chunk the next one begins. */
  #resume(chunk: Uint8Array, messages: Uint8Array[]): number {
    let at = 0
    if (!this.#pending) {
      at = Math.min(HEADER - this.#filled, chunk.length)
      this.#header.set(chunk.subarray(0, at), this.#filled)
      this.#filled += at
      if (this.#filled < HEADER) return at
      this.#pending = new Uint8Array(this.#sizeAt(this.#header, 0))
      this.#pending.set(this.#header)
    }
    const count = Math.min(this.#pending.length - this.#filled, chunk.length - at)
    this.#pending.set(chunk.subarray(at, at + count), this.#filled)
    this.#filled += count
    if (this.#filled === this.#pending.length) {
      messages.push(this.#pending)
      this.#pending = null
      this.#filled = 0
    }
    return at + count
  }

  /** Keeps what the chunk has of its last message. */
  #begin(chunk: Uint8Array, at: number): void {
    const part = chunk.subarray(at)
    this.#filled = part.length
    if (part.length < HEADER) {
      this.#header.set(part)
      return
    }
    this.#pending = new Uint8Array(this.#sizeAt(chunk, at))
    this.#pending.set(part)
  }

  #sizeAt(bytes: Uint8Array, at: number): number {
    const size = messageSize(bytes, at)
    if (size < HEADER) throw new WireError('MESSAGE', 'size', at, `${size} is less than a header`)
    if (size > this.#sizeMax)
      throw new WireError('MESSAGE', 'size', at, `${size} is more than ${this.#sizeMax}`)
    return size
  }
}
