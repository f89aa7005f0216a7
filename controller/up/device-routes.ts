/** Routes that ask a device: its grants, its audit journal, its configurations, what a bundle would change. */

import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { makeOut } from '../../src/box/bundle/make-out.ts'
import { readDrift, readStatus } from '../../src/box/push-report.ts'
import { scopeLists } from '../../src/box/scope.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { checkAudit } from '../audit-check.ts'
import { goodBundle } from '../bundle-directory.ts'
import type { Context } from '../context.ts'
import { auditOf, grantsOf } from '../device-pages.ts'
import { openShell } from '../device-shell.ts'
import type { Device } from '../fleet.ts'
import { inParallel } from '../parallel.ts'
import { openPushTalk } from '../push/delivery.ts'
import { previewOn } from '../push/preview.ts'
import { selected } from '../push/selection.ts'
import { recordingsOn, recordingValue } from '../recording.ts'
import {
  AUDIT,
  about,
  aboutOne,
  DRIFT,
  GENERATIONS,
  GRANTS,
  options,
  PLAN,
  RECORDINGS,
} from './schemas.ts'

const LIMITS = { timeoutMs: 30_000 }
const AUDIT_LAST = 50
/** Enough to keep one line busy. */
const PARALLEL = 16

type Named = { Params: { name: string } }

const dateText = (ms: number): string => new Date(ms).toISOString()

export function deviceRoutes(app: FastifyInstance, context: Context): void {
  app.get<Named>(
    '/v1/devices/:name/grants',
    { schema: aboutOne({ summary: 'Who may do what on a device', answer: GRANTS }) },
    async ({ params }) => {
      const all = await grantsOf(context, context.fleet.device(params.name), LIMITS)
      return {
        grants: all
          .filter(({ rights }) => rights.length > 0)
          .map(({ holder, zone, rights, scope, since, until }) => ({
            ...{ holder, holder_zone: zoneToText(zone), rights },
            ...{ scope: scopeLists(scope), recorded: scope.recorded },
            since: dateText(since),
            until: until === null ? null : dateText(until),
          })),
      }
    },
  )
  app.get<Named & { Querystring: { last?: string } }>(
    '/v1/devices/:name/audit',
    {
      schema: aboutOne({
        summary: 'Who did what on a device; `fault` says what is wrong with its journal',
        querystring: options({
          last: { type: 'string', pattern: '^[1-9]\\d{0,3}$', description: 'At most so many.' },
        }),
        answer: AUDIT,
      }),
    },
    async ({ params, query }) => {
      const device = context.fleet.device(params.name)
      const all = await auditOf(context, device, LIMITS, 0)
      const entries = all
        .slice(-Number(query.last ?? AUDIT_LAST))
        .map(entry => ({ ...entry, at: dateText(entry.at) }))
      return { entries, fault: await checkAudit(context, device, all) }
    },
  )
  app.get<Named>(
    '/v1/devices/:name/generations',
    { schema: aboutOne({ summary: 'The configurations of a device', answer: GENERATIONS }) },
    async ({ params }) => await generationsOf(context, context.fleet.device(params.name)),
  )
  app.get<Named>(
    '/v1/devices/:name/drift',
    { schema: aboutOne({ summary: 'Files that are not as they were pushed', answer: DRIFT }) },
    async ({ params }) => {
      const talk = await openPushTalk(context, context.fleet.device(params.name), LIMITS.timeoutMs)
      try {
        return { drift: readDrift(await talk.ask('drift', {})) }
      } finally {
        talk.close()
      }
    },
  )
  recordingsRoute(app, context)
  planRoute(app, context)
}

function recordingsRoute(app: FastifyInstance, context: Context): void {
  app.get<Named>(
    '/v1/devices/:name/recordings',
    {
      schema: aboutOne({
        summary: 'Sessions that a device has recorded; it takes the right admin',
        answer: RECORDINGS,
      }),
    },
    async ({ params }) => {
      const { ssh } = await openShell(context, context.fleet.device(params.name), LIMITS)
      try {
        return { recordings: (await recordingsOn(ssh)).map(recordingValue) }
      } finally {
        await ssh.leave(context.clock)
      }
    },
  )
}

async function generationsOf(context: Context, device: Device): Promise<object> {
  const talk = await openPushTalk(context, device, LIMITS.timeoutMs)
  try {
    const { generations, generation, open } = readStatus(await talk.ask('status', {}))
    return {
      generations: generations.map(({ number, name, at, files }) => ({
        ...{ number, name, at: dateText(at), files, holds: number === generation },
      })),
      unconfirmed: open?.name ?? null,
    }
  } finally {
    talk.close()
  }
}

function planRoute(app: FastifyInstance, context: Context): void {
  const text = { type: 'string', minLength: 1, maxLength: 4_096 }
  app.post<{ Body: { selector: string; bundle: string } }>(
    '/v1/plan',
    {
      schema: about({
        summary: 'What a bundle, a directory of this machine, would change on devices',
        body: options({ selector: text, bundle: text }, ['selector', 'bundle']),
        answer: PLAN,
      }),
    },
    async ({ body }) => {
      if (!body.bundle.startsWith('/'))
        throw new BoxError('INPUT_INVALID', 'The bundle is no path from the root.')
      const bundle = goodBundle(body.bundle)
      const owner = context.ego().secret
      const { random } = context
      const devices = selected(context, body.selector)
      const plans = await inParallel(devices, PARALLEL, async device => {
        const make = (device: Device, sequence: number) =>
          makeOut({ bundle, device, owner, sequence, random })
        try {
          const changes = await previewOn(context, device, LIMITS.timeoutMs, make, true)
          return { name: device.name, error: null, changes }
        } catch (error) {
          if (!(error instanceof BoxError)) throw error
          const { code, message } = error
          return { name: device.name, error: { code, message }, changes: [] }
        }
      })
      return { devices: plans }
    },
  )
}
