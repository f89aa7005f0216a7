/** What the DHT keeps of a neighbour. */

import type { Clock } from '../../base/clock.ts'
import type { Neighbour } from '../core/core.ts'
import { Allowance } from './allowance.ts'
import { Outbox } from './outbox.ts'

export class Peer {
  readonly neighbour: Neighbour
  readonly allowance: Allowance
  readonly outbox: Outbox
  /** Its DHT HELLO block, once it has told one. */
  hello: Uint8Array | null = null
  /** Whether its allowance has once been used up. */
  isOverdrawn = false

  constructor(neighbour: Neighbour, clock: Clock) {
    this.neighbour = neighbour
    this.allowance = new Allowance(clock)
    this.outbox = new Outbox(neighbour)
  }
}
