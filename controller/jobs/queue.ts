/** Signs jobs for devices, and their ends, and keeps them until the devices have them. */

import { JOB_LASTS_MS_MAX, jobId, signJob, type Work } from '../../src/box/job-statement.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { JobBook, type QueuedJob } from './job-book.ts'

/** A cancellation outlives the job, so that it reaches a device on which the job runs on. */
const CANCEL_LASTS_MS = 30 * 24 * 3_600_000
/** The clock of the device may be a day behind. */
export const JOB_WAITS_MS_MAX = JOB_LASTS_MS_MAX - 24 * 3_600_000

/** One job for each device, under one number. Throws INPUT_INVALID; fails with STATE_UNWRITABLE. */
export async function queueJobs(
  { state, clock, ego }: Context,
  devices: readonly Device[],
  work: Omit<Work, 'do'>,
  lastsMs: number,
): Promise<readonly QueuedJob[]> {
  const { secret } = ego()
  const signer = secret.zone
  const book = new JobBook(state)
  const queuedAt = clock.now()
  const number = await book.number(queuedAt)
  const expiresAt = queuedAt + lastsMs
  const jobs = devices.map(({ zone, name }) => ({
    ...{ id: jobId(signer, number), number, zone, name, queuedAt, expiresAt },
    ...{ line: work.line, user: work.user ?? null, every: work.every },
    ...{ cancel: null, offered: false, relays: [] },
    ...{ closed: null, report: null },
    signed: signJob(secret, { device: zone, number, expiresAt, demand: { do: 'run', ...work } }),
  }))
  for (const job of jobs) await book.add(job)
  return jobs
}

/** Takes it back: at once where it never left here, else as soon as the device hears of it. */
export async function cancelJob({ state, clock, ego }: Context, job: QueuedJob): Promise<void> {
  const { secret } = ego()
  const signer = secret.zone
  const book = new JobBook(state)
  const now = clock.now()
  const number = await book.number(now)
  const cancel = signJob(secret, {
    ...{ device: job.zone, number },
    expiresAt: Math.min(Math.max(now, job.expiresAt) + CANCEL_LASTS_MS, now + JOB_WAITS_MS_MAX),
    demand: { do: 'cancel', signer, job: job.number },
  })
  await book.change(job, found =>
    found.offered
      ? { ...found, cancel }
      : { ...found, closed: { is: 'cancelled', why: 'It was cancelled before it left here.' } },
  )
}
