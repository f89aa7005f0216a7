/** What waits for a neighbour while its link is busy. When that is too much, what comes is dropped. */

import type { Neighbour } from '../core/core.ts'
import { DhtCore } from './messages.ts'

/** Ours: enough for all that we publish ourselves when a neighbour appears. */
const WAITING_BYTES_MAX = 1_024 * 1_024

export class Outbox {
  private readonly neighbour: Neighbour
  private waiting: Uint8Array[] = []
  private waitingBytes = 0
  private busy = false

  constructor(neighbour: Neighbour) {
    this.neighbour = neighbour
  }

  /** Sends a DHT message now or later. False: there is no room, it is lost. */
  send(message: Uint8Array): boolean {
    if (!this.busy) {
      this.busy = !this.neighbour.send(DhtCore.encode({ inner: message }))
      return true
    }
    if (this.waitingBytes + message.length > WAITING_BYTES_MAX) return false
    this.waiting.push(message)
    this.waitingBytes += message.length
    return true
  }

  /** The link has room again. */
  drained(): void {
    this.busy = false
    const waiting = this.waiting
    this.waiting = []
    this.waitingBytes = 0
    for (const message of waiting) this.send(message)
  }
}
