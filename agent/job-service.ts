/** The channel of jobs: a person brings statements, asks how far theirs are, and drops those that are over. */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Session } from '../src/box/handshake.ts'
import { signReports } from '../src/box/job-report.ts'
import { JOB_BYTES_MAX } from '../src/box/job-statement.ts'
import { type Json, type PushKind, PushTalk } from '../src/box/push-talk.ts'
import type { ZoneSecret } from '../src/crypto/zone-key.ts'
import type { Jobs } from './jobs.ts'

/** More than one person may have here, each brought, told and dropped. */
const REQUESTS_MAX = 128
const IDS_MAX = 256

export interface JobServiceOptions {
  readonly jobs: Jobs
  readonly device: ZoneSecret
  readonly clock: Clock
  readonly log: Log
  /** Whether the caller still has a grant. */
  readonly isKnown: () => boolean
}

/** Serves one channel. Never fails; the channel is closed when this resolves. */
export async function serveJobs(
  { channel, peerZone }: Session,
  options: JobServiceOptions,
): Promise<void> {
  const talk = new PushTalk(channel, options.clock)
  await talk.serve(
    REQUESTS_MAX,
    (kind, body) => serve(talk, peerZone, kind, body, options),
    (kind, why) => options.log.note('info', 'jobs', 'refused', { kind, why: why.detail }),
  )
}

async function serve(
  talk: PushTalk,
  caller: ZoneKey,
  kind: PushKind | null,
  body: Json,
  { jobs, device, isKnown }: JobServiceOptions,
): Promise<void> {
  if (!isKnown()) throw new BoxError('NOT_PERMITTED')
  switch (kind) {
    case 'job':
      return talk.answer({ id: jobs.take(await talk.takeParts(body.size, JOB_BYTES_MAX)) })
    case 'jobs': {
      const ids = idsIn(body)
      const all = jobs.reports(caller)
      const reports = signReports(
        device,
        caller,
        ids ? all.filter(({ id }) => ids.includes(id)) : all,
      )
      talk.answer({ size: reports.length })
      return await talk.sendParts(reports)
    }
    case 'forget':
      for (const id of idsIn(body) ?? []) jobs.forget(caller, id)
      return talk.answer({})
    default:
      throw new BoxError('JOB_REFUSED', 'This device is too old for that.')
  }
}

/** Null: all. */
function idsIn({ ids }: Json): readonly string[] | null {
  if (ids === null || ids === undefined) return null
  if (Array.isArray(ids) && ids.length <= IDS_MAX && ids.every(id => typeof id === 'string'))
    return ids
  throw new BoxError('JOB_REFUSED', 'These are no names of jobs.')
}
