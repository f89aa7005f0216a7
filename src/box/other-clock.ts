/**
 * How far our clock is from that of somebody who told it to us, and how well that is known. Needs no server of time:
 * whoever proves itself says what time it is, between two moments of ours. Good for telling people that a clock is
 * wrong; nothing is ever allowed, refused or ended because of it.
 */

import type { Clock } from '../base/clock.ts'
import { WireError } from '../wire/layout.ts'
import { toMicros, toMs } from '../wire/time.ts'
import { ClockReading } from './messages.ts'

/** Two quartz crystals, each wrong by 100 in a million, the worst that is sold. */
const DRIFT = 200e-6
/** Both clocks are read in whole milliseconds. */
const RESOLUTION_MS = 1
/** What is known no better than this says nothing; it takes three days to become so. */
const ERROR_MAX_MS = 60_000

export interface ClockOffset {
  /** By how much ours is ahead, in milliseconds. */
  readonly offsetMs: number
  /** It is no further from the truth than this, if the other one told the truth and clocks run as they should. */
  readonly errorMs: number
  /** When they were compared, by our clock. */
  readonly comparedAt: number
}

/** What somebody said in between two moments of `clock.elapsed()`. */
export interface Comparison {
  /** Their time, in milliseconds since 1970. */
  readonly time: number
  readonly askedAt: number
  readonly cameAt: number
}

export const clockReading = (now: number): Uint8Array =>
  ClockReading.encode({ time: toMicros(now) })

/** The time in a payload; null where it has none. */
export function readClockReading(payload: Uint8Array): number | null {
  if (payload.length === 0) return null
  try {
    const time = toMs(ClockReading.decode(payload).time)
    return Number.isSafeInteger(time) ? time : null
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return null // A newer controller says something else first.
  }
}

interface Held extends Comparison {
  readonly comparedAt: number
}

export class OtherClock {
  private readonly clock: Clock
  private held: Held | null = null

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Takes what is more exact than what is known, or contradicts it: then a clock was set, or the machine slept. */
  hear(comparison: Comparison): void {
    const known = this.offset()
    const comparedAt = this.clock.now() - (this.clock.elapsed() - comparison.cameAt)
    const held = { ...comparison, comparedAt }
    const heard = offsetOf(held, this.clock)
    if (heard.errorMs > ERROR_MAX_MS) return
    const isBetter = !known || heard.errorMs <= known.errorMs
    const contradicts =
      known && Math.abs(heard.offsetMs - known.offsetMs) > heard.errorMs + known.errorMs
    if (isBetter || contradicts) this.held = held
  }

  /** As it is now: also after our clock was set. Null where it is not known. */
  offset(): ClockOffset | null {
    const offset = this.held && offsetOf(this.held, this.clock)
    return offset && offset.errorMs <= ERROR_MAX_MS ? offset : null
  }
}

function offsetOf({ time, askedAt, cameAt, comparedAt }: Held, clock: Clock): ClockOffset {
  const elapsed = clock.elapsed()
  const between = (cameAt - askedAt) / 2
  const theirs = time + (elapsed - (askedAt + between))
  return {
    offsetMs: clock.now() - theirs,
    errorMs: between + RESOLUTION_MS + DRIFT * (elapsed - askedAt),
    comparedAt,
  }
}
