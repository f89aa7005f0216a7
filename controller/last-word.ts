/**
 * Our last word about a command, that we have heard of its end: nobody waits for it, and alone it costs as much as the
 * command did. So it leaves with what is said next over the connection, or a little later.
 */

import type { Duplex } from 'node:stream'
import type { Clock } from '../src/base/clock.ts'
import { HeldWords } from '../src/base/held-words.ts'

/** The device keeps a few hundred bytes until it hears it. */
const HELD_MS = 1_000

/** Held from where something is to come that may be the end. */
export class LastWord extends HeldWords {
  constructor(stream: Duplex, clock: Clock) {
    super(stream, clock, HELD_MS)
  }
}
