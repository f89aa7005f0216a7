/** The machine's randomness: fit for keys. */

import { randomFillSync, randomInt } from 'node:crypto'
import type { Random } from '../base/random.ts'

/** randomInt takes bounds below this one. */
const BOUND_MAX = 2 ** 48
const HALF = 2 ** 24

export const systemRandom: Random = {
  bytes: count => randomFillSync(new Uint8Array(count)),
  below: bound =>
    bound === BOUND_MAX ? randomInt(HALF) * HALF + randomInt(HALF) : randomInt(bound),
}
