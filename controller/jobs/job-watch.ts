/** Brings and fetches jobs for as long as `box up` stays: whatever is open is tried again, and nothing else asked. */

import { pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { devicesWithJobs, settle } from './courier.ts'

const LOOK_EVERY_MS = 30_000
const REACH_TIMEOUT_MS = 20_000

/** Resolves when the signal is aborted; never fails. */
export async function watchJobs(context: Context, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const devices = devicesWithJobs(context)
      if (devices.length > 0) await settle({ ...context, signal }, devices, REACH_TIMEOUT_MS)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof BoxError)) throw error
      context.log.note('warn', 'jobs', 'not settled', { code: error.code })
    }
    await pause(context.clock, LOOK_EVERY_MS, signal)
  }
}
