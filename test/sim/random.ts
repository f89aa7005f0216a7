/** Repeatable randomness (sfc32). For simulations only: it is no cryptographic generator. */

import type { Random } from '../../src/base/random.ts'

export interface SeededRandom extends Random {
  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
}

const WORD = 2 ** 32

export function seededRandom(seed: number): SeededRandom {
  let [a, b, c, counter] = [0x9e3779b9, seed | 0, 0x243f6a88, 1]

  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  for (let i = 0; i < 12; i++) next()

  /** A fraction from 0 up to, but not including, 1; fine enough for bounds up to 2^48. */
  const fraction = (): number => (next() + (next() >>> 11) / 2 ** 21) / WORD
  const below = (bound: number): number =>
    Math.floor((bound > WORD ? fraction() : next() / WORD) * bound)

  function bytes(count: number): Uint8Array {
    const filled = new Uint8Array(count)
    for (let at = 0; at < count; at += 4) {
      const word = next()
      filled[at] = word
      filled[at + 1] = word >>> 8
      filled[at + 2] = word >>> 16
      filled[at + 3] = word >>> 24
    }
    return filled
  }

  return {
    below,
    bytes,
    chance: probability => probability > 0 && next() / WORD < probability,
    pick: items => items[below(items.length)]!,
  }
}
