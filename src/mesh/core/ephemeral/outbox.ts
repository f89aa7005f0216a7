/**
 * Messages that wait to be sealed. Several that are sent in one turn travel as one: a sealed message
 * costs ten hashes and 88 bytes, however little is in it. Nothing waits longer than the turn for that.
 */

import type { Counters } from '../../../base/counters.ts'
import { BACKLOG_BYTES_MAX, BACKLOG_HIGH_BYTES, PAYLOAD_SIZE_MAX } from './limits.ts'

/** Takes messages of `size` bytes together. False: it took them, but wants no more for now. */
type Seal = (messages: readonly Uint8Array[], size: number) => boolean

export class Outbox {
  /** Whether the link asked to wait. */
  isBlocked = false
  private readonly counters: Counters
  private waiting: Uint8Array[] = []
  private bytes = 0
  private toldToWait = false

  constructor(counters: Counters) {
    this.counters = counters
  }

  /** False: the sender should wait. Too large or too much is thrown away. */
  add(message: Uint8Array): boolean {
    if (message.length > PAYLOAD_SIZE_MAX || this.bytes + message.length > BACKLOG_BYTES_MAX)
      this.counters.add('core.dropped_backlog')
    else {
      this.waiting.push(message)
      this.bytes += message.length
    }
    const free = !this.isBlocked && this.bytes <= BACKLOG_HIGH_BYTES
    if (!free) this.toldToWait = true
    return free
  }

  /** Gives bundles to `seal`, each as full as may be, until it wants no more. */
  empty(seal: Seal): void {
    const { waiting } = this
    let from = 0
    while (from < waiting.length && !this.isBlocked) {
      let to = from
      let size = 0
      while (to < waiting.length && size + waiting[to]!.length <= PAYLOAD_SIZE_MAX)
        size += waiting[to++]!.length
      this.bytes -= size
      const bundle = from === 0 && to === waiting.length ? waiting : waiting.slice(from, to)
      from = to
      this.isBlocked = !seal(bundle, size)
    }
    if (from > 0) this.waiting = from === waiting.length ? [] : waiting.slice(from)
  }

  /** Whether those who were told to wait may go on; they are owed one word. */
  owesDrained(): boolean {
    if (!this.toldToWait || this.isBlocked || this.bytes > BACKLOG_HIGH_BYTES / 2) return false
    this.toldToWait = false
    return true
  }

  clear(): void {
    this.waiting = []
    this.bytes = 0
    this.toldToWait = false
  }
}
