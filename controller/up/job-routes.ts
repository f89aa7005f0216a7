/** Routes about jobs: commands that wait for devices that are off, or are kept by devices to come again. */

import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { devicesWithJobs, settle } from '../jobs/courier.ts'
import { isDone, JobBook, type QueuedJob } from '../jobs/job-book.ts'
import { jobValue } from '../jobs/job-view.ts'
import { queueLater } from '../jobs/later.ts'
import { cancelJob } from '../jobs/queue.ts'
import { selected } from '../push/selection.ts'
import { about, JOBS, options, USER } from './schemas.ts'

const TIMEOUT_MS = 30_000
const COMMAND_MAX = 64 * 1_024

interface JobBody {
  readonly selector: string
  readonly command: string
  readonly input?: string
  readonly limit_s?: number
  readonly every?: string
  readonly expires?: string
  readonly user?: string
}

const ID = { type: 'string', minLength: 1, maxLength: 64 }

export function jobRoutes(app: FastifyInstance, context: Context): void {
  const book = new JobBook(context.state)
  app.get<{ Querystring: { device?: string } }>(
    '/v1/jobs',
    {
      schema: about({
        summary: 'Commands that wait for their devices or come again, and what came of them',
        querystring: options({ device: { type: 'string', maxLength: 255 } }),
        answer: JOBS,
      }),
    },
    async ({ query: { device } }) => ({
      jobs: book
        .all()
        .filter(({ name }) => device === undefined || name === device)
        .map(jobValue),
    }),
  )
  queueRoute(app, context)
  const params = { type: 'object', properties: { id: ID }, required: ['id'] }
  app.post<{ Params: { id: string }; Body: { device?: string } }>(
    '/v1/jobs/:id/cancel',
    {
      schema: {
        params,
        ...about({
          summary: 'Ends a job, also on devices that are off now: on all it is for, or on one',
          body: options({ device: { type: 'string', maxLength: 255 } }),
          answer: JOBS,
        }),
      },
    },
    async ({ params, body: { device } }) => {
      const isMeant = ({ name }: QueuedJob) => device === undefined || name === device
      const found = book.find(params.id).filter(isMeant)
      if (found.length === 0) throw new BoxError('JOB_UNKNOWN')
      for (const job of found) if (!isDone(job) && !job.cancel) await cancelJob(context, job)
      const names = new Set(found.map(({ name }) => name))
      const devices = devicesWithJobs(context).filter(({ name }) => names.has(name))
      await settle(context, devices, TIMEOUT_MS)
      return { jobs: book.find(params.id).filter(isMeant).map(jobValue) }
    },
  )
}

function queueRoute(app: FastifyInstance, context: Context): void {
  const text = { type: 'string', minLength: 1, maxLength: COMMAND_MAX }
  const short = { type: 'string', minLength: 1, maxLength: 255 }
  const body = options(
    {
      ...{ selector: text, command: text, input: { type: 'string' } },
      limit_s: { type: 'number', exclusiveMinimum: 0, maximum: 7 * 86_400 },
      every: { ...short, description: 'As box exec --every: it comes again.' },
      expires: { ...short, description: 'As box exec --expires, 7d for example.' },
      user: USER,
    },
    ['selector', 'command'],
  )
  app.post<{ Body: JobBody }>(
    '/v1/jobs',
    {
      schema: about({
        summary: 'Has a command run once on devices as soon as they are reached, or come again',
        body,
        answer: JOBS,
      }),
    },
    async ({ body }) => {
      const { selector, command, input = '', limit_s: limit, every = null, expires } = body
      const { user = null } = body
      const bytes = new TextEncoder().encode(input)
      const later = { line: command, input: bytes, limit, every, user }
      const devices = selected(context, selector)
      const jobs = await queueLater(context, devices, later, { expires, timeoutMs: TIMEOUT_MS })
      return { jobs: jobs.map(jobValue) }
    },
  )
}
