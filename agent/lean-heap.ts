/**
 * Keeps V8's memory small. Its nursery would grow to 48 MB at the first burst of work and never be given
 * back: collecting a little more often costs less than 1 % here. Imported before everything else.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock, Timer } from '../src/base/clock.ts'
import { V8_FLAGS } from './v8-flags.ts'

for (const flag of V8_FLAGS) setFlagsFromString(flag)
const collect = runInNewContext('gc') as () => void

/** By then the links stand, and what there is to publish is published. */
const STARTED_MS = 15_000
/** V8 keeps the code of a function until so many collections have seen it unused. */
const COLLECTIONS = 7
const PAUSE_MS = 500

/**
 * Gives back what only the start needed: V8 would when it wants more memory, which a device that idles
 * never does. Each of the few collections takes some tens of milliseconds.
 */
export function collectAfterStart(clock: Clock): Timer {
  let left = COLLECTIONS
  const next = () => {
    collect()
    if (--left > 0) timer = clock.after(PAUSE_MS, next)
  }
  let timer = clock.after(STARTED_MS, next)
  return { cancel: () => timer.cancel() }
}
