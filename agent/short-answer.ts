/**
 * The answer to a short command, said at once: that it has begun, what it prints, its exit, the end. One by one these are three
 * messages of the mesh, and each costs both ends, and every hub between them, about what the command costs. So what is
 * said when a command begins is held back for a moment, and only where nobody else uses the connection.
 */

import type { Duplex } from 'node:stream'
import type { Clock } from '../src/base/clock.ts'
import { HeldWords } from '../src/base/held-words.ts'

/** Nobody notices so much, and what a fleet is asked for is usually over by then. */
export const HELD_MS = 10

export class ShortAnswer extends HeldWords {
  constructor(carrier: Duplex, clock: Clock) {
    super(carrier, clock, HELD_MS)
  }

  /** The command runs: to start it took as long as that takes here, and the moment begins. Nothing, where none is held any more. */
  begun(): void {
    this.holdOn()
  }
}
