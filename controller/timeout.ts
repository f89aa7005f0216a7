/** The option --timeout of every command that waits for a device. */

import { BoxError } from '../src/base/errors.ts'
import { REACH_TIMEOUT_MS } from './device-search.ts'

const SECONDS_MAX = 3_600

export const TIMEOUT = {
  type: 'number',
  default: REACH_TIMEOUT_MS / 1_000,
  describe: 'give up after so many seconds without reaching a device',
} as const

/** Throws INPUT_INVALID. */
export function timeoutMs(seconds: number): number {
  if (seconds > 0 && seconds <= SECONDS_MAX) return seconds * 1_000
  throw new BoxError('INPUT_INVALID', `--timeout takes seconds, up to ${SECONDS_MAX}.`)
}
