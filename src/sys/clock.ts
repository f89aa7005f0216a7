/** The machine's clock. */

import type { Clock, Timer } from '../base/clock.ts'

/** setTimeout takes 31 bits; a longer wait would end at once. */
const WAIT_MAX_MS = 2 ** 31 - 1

/** The real time. Its timers keep the process alive: whoever closes, cancels. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after: (ms, run) => startTimer(ms, run),
}

function startTimer(ms: number, run: () => void): Timer {
  if (ms <= 0) return atEndOfTurn(run)
  let left = ms
  let handle: NodeJS.Timeout
  const wait = () => {
    const part = Math.min(left, WAIT_MAX_MS)
    left -= part
    handle = setTimeout(left > 0 ? wait : run, part)
  }
  wait()
  return { cancel: () => clearTimeout(handle) }
}

/** Protocol code gathers small messages until the turn ends: setTimeout would make a millisecond of it. */
function atEndOfTurn(run: () => void): Timer {
  const handle = setImmediate(run)
  return { cancel: () => clearImmediate(handle) }
}
