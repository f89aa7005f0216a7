/** What box exec does not run at once: it waits for devices that are off, or is kept by them to come again. */

import { BoxError } from '../../src/base/errors.ts'
import { JOB_LIMIT_SECONDS_MAX } from '../../src/box/job-statement.ts'
import { parseSchedule } from '../../src/box/schedule.ts'
import type { Context } from '../context.ts'
import { durationMs } from '../duration.ts'
import type { Device } from '../fleet.ts'
import { timeoutMs } from '../timeout.ts'
import { settle } from './courier.ts'
import { JobBook, type QueuedJob } from './job-book.ts'
import { exitCode, tell } from './job-view.ts'
import { JOB_WAITS_MS_MAX, queueJobs } from './queue.ts'

/** Unless told otherwise. */
const WAITS = '7d'
const COMES_AGAIN = '30d'
/** So long a command may take that nobody watches. */
const LIMIT_SECONDS = 3_600

export interface Later {
  readonly line: string
  readonly input: Uint8Array
  /** Seconds. */
  readonly limit: number | undefined
  readonly every: string | null
  /** As which user of the device; null: as whoever its agent runs as. */
  readonly user: string | null
}

export interface LaterOptions {
  readonly expires: string | undefined
  readonly timeout: number
}

/** How long it may wait, or come again. Throws INPUT_INVALID, also where the schedule is none. */
export function mustLast({ every, expires }: Pick<Later, 'every'> & Pick<LaterOptions, 'expires'>) {
  if (every !== null) parseSchedule(every)
  const lastsMs = durationMs(expires ?? (every === null ? WAITS : COMES_AGAIN), 'expires')
  if (lastsMs <= JOB_WAITS_MS_MAX) return lastsMs
  throw new BoxError('INPUT_INVALID', 'A job lasts a year at most.')
}

/** Lets it wait for these devices, with the relays too. Throws INPUT_INVALID. */
export async function letWait(
  context: Context,
  devices: readonly Device[],
  later: Later,
  { expires, timeout }: LaterOptions,
): Promise<void> {
  if (devices.length === 0) return
  // They were just looked for: this leaves it with the relays, or meets one that has come back.
  tell(
    context,
    await queueLater(context, devices, later, { expires, timeoutMs: timeoutMs(timeout) }),
  )
}

/** Brings a schedule to these devices, or lets it wait for them. Throws INPUT_INVALID. */
export async function schedule(
  context: Context,
  devices: readonly Device[],
  later: Later,
  { expires, timeout }: LaterOptions,
): Promise<number> {
  const settled = await queueLater(context, devices, later, {
    expires,
    timeoutMs: timeoutMs(timeout),
  })
  tell(context, settled)
  return exitCode(settled)
}

/** Signs it for these devices, of which there is one at least, and brings it to those that are there. Throws INPUT_INVALID. */
export async function queueLater(
  context: Context,
  devices: readonly Device[],
  later: Later,
  { expires, timeoutMs }: { readonly expires: string | undefined; readonly timeoutMs: number },
): Promise<readonly QueuedJob[]> {
  const lastsMs = mustLast({ every: later.every, expires })
  const jobs = await queueJobs(context, devices, workOf(later), lastsMs)
  await settle(context, devices, timeoutMs)
  return new JobBook(context.state).find(jobs[0]!.id)
}

const workOf = ({ line, input, limit = LIMIT_SECONDS, every, user }: Later) => ({
  ...{ line, input, every },
  ...(user !== null && { user }),
  limitSeconds: Math.min(Math.max(1, Math.round(limit)), JOB_LIMIT_SECONDS_MAX),
})
