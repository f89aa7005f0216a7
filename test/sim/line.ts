/** How a machine is connected to the rest; what two machines have between them is the sum of both. */

import type { SeededRandom } from './random.ts'

export interface Line {
  /** From the machine to the middle of the network. */
  readonly latencyMs: number
  readonly jitterMs: number
  /** Probability, 0 to 1, that a packet is lost. */
  readonly loss: number
  readonly bytesPerSecond: number
}

export const GOOD_LINE: Line = {
  latencyMs: 20,
  jitterMs: 5,
  loss: 0,
  bytesPerSecond: 12_500_000,
}

const JITTER_STEPS = 1_000

/** How long a packet takes now. */
export function oneWayMs(from: Line, to: Line, random: SeededRandom): number {
  const jitter = from.jitterMs + to.jitterMs
  const extra = jitter > 0 ? (random.below(JITTER_STEPS) * jitter) / JITTER_STEPS : 0
  return from.latencyMs + to.latencyMs + extra
}

export const roundTripMs = (from: Line, to: Line): number => 2 * (from.latencyMs + to.latencyMs)

/** Whether a packet is lost now. */
export const isLost = (from: Line, to: Line, random: SeededRandom): boolean =>
  random.chance(from.loss) || random.chance(to.loss)
