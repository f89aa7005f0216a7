/**
 * Routes that bring another version of the agent to devices, as box upgrade: releases that are handed over, what they
 * would do, and doing it. It goes on also where nobody listens: half of an upgrade would give way.
 */

import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { inParallel } from '../parallel.ts'
import { selected } from '../push/selection.ts'
import { plannedValue, planUpgrade } from '../upgrade/plan.ts'
import { answerInLines, inTheWay } from './line-answer.ts'
import { BYTES_BODY, bodyOf, takingBytes } from './raw-bytes.ts'
import { RELEASE_BYTES_MAX, ReleaseShelf } from './release-shelf.ts'
import { about, NOTHING, options, streamed } from './schemas.ts'
import { UpgradeRun } from './upgrade-run.ts'
import { LINES, RELEASE, RELEASES, UPGRADE, UPGRADE_PLAN } from './upkeep-schemas.ts'

const TIMEOUT_MS = 30_000
/** As box upgrade has it. */
const CANARY = 1
const BATCH = 5
const DEVICES_MAX = 10_000
const PARALLEL = 16
/** One for each kind of machine. */
const RELEASES_MAX = 8

interface PlanBody {
  readonly selector: string
  readonly releases: readonly string[]
}

interface UpgradeBody extends PlanBody {
  readonly downgrade?: boolean
  readonly canary?: number
  readonly batch?: number
  readonly max_failures?: number
}

const text = { type: 'string', minLength: 1, maxLength: 255 }
const chosen = {
  selector: { ...text, description: 'A name, @tag, or @all.' },
  releases: { type: 'array', items: text, minItems: 1, maxItems: RELEASES_MAX },
}

export function upgradeRoutes(app: FastifyInstance, context: Context): void {
  const shelf = new ReleaseShelf(context)
  app.addHook('onClose', async () => shelf.close())
  releaseRoutes(app, shelf)
  takingBytes(app, inner => uploadRoute(inner, context, shelf))
  app.post<{ Body: PlanBody }>(
    '/v1/upgrade/plan',
    {
      schema: about({
        summary: 'What an upgrade would do to each device; nothing is changed',
        body: options(chosen, ['selector', 'releases']),
        answer: UPGRADE_PLAN,
      }),
    },
    async ({ body: { selector, releases: ids } }) => {
      const devices = selected(context, selector)
      const { releases, giveBack } = shelf.lend(ids)
      try {
        const planned = await inParallel(devices, PARALLEL, async device =>
          plannedValue(device.name, await planUpgrade(context, device, releases, TIMEOUT_MS)),
        )
        return { devices: planned }
      } finally {
        giveBack()
      }
    },
  )
  runRoutes(app, context, shelf)
}

function releaseRoutes(app: FastifyInstance, shelf: ReleaseShelf): void {
  app.get(
    '/v1/releases',
    { schema: about({ summary: 'The releases that were handed over', answer: RELEASES }) },
    async () => ({ releases: shelf.all() }),
  )
  app.delete<{ Params: { id: string } }>(
    '/v1/releases/:id',
    {
      schema: {
        params: options({ id: text }, ['id']),
        ...about({ summary: 'Takes a release away', answer: RELEASE }),
      },
    },
    async ({ params: { id } }) => shelf.remove(id),
  )
}

function uploadRoute(app: FastifyInstance, { clock }: Context, shelf: ReleaseShelf): void {
  app.post(
    '/v1/releases',
    {
      schema: {
        ...about({
          summary: 'Hands over a release; it is kept for an hour after it was used last',
          answer: RELEASE,
        }),
        body: BYTES_BODY,
      },
    },
    async (request, reply) => {
      if (Number(request.headers['content-length'] ?? 0) > RELEASE_BYTES_MAX)
        throw Object.assign(new BoxError('RELEASE_REFUSED', 'It is too large.'), {
          statusCode: 413,
        })
      return await shelf.take(bodyOf(request, reply, clock))
    },
  )
}

function runRoutes(app: FastifyInstance, context: Context, shelf: ReleaseShelf): void {
  let last: UpgradeRun | null = null
  app.get(
    '/v1/upgrade',
    {
      schema: about({ summary: 'The upgrade that goes on, or was the last one', answer: UPGRADE }),
    },
    async () => ({ upgrade: last?.value() ?? null }),
  )
  const whole = (minimum: number) => ({ type: 'integer', minimum, maximum: DEVICES_MAX })
  const numbers = { canary: whole(0), batch: whole(1), max_failures: whole(0) }
  const body = options({ ...chosen, downgrade: { type: 'boolean' }, ...numbers }, [
    'selector',
    'releases',
  ])
  app.post<{ Body: UpgradeBody }>(
    '/v1/upgrade',
    {
      schema: about({
        summary: 'Brings releases to devices: one first, then some at a time',
        body,
        answer: streamed(
          LINES,
          'Lines of JSON: `name` and `doing`, then `name` and `result` of each device, as box upgrade --json. It goes on also where the connection is closed.',
        ),
      }),
    },
    async ({ body }, reply) => {
      if (last?.goesOn) throw inTheWay('An upgrade goes on already.')
      const { selector, releases: ids, downgrade = false } = body
      const { canary = CANARY, batch = BATCH, max_failures: failuresMax = 0 } = body
      const devices = selected(context, selector)
      const { releases, giveBack } = shelf.lend(ids)
      const wish = { releases, downgrade }
      const pace = { canary, batch, failuresMax }
      const run = new UpgradeRun({ devices, wish, pace }, context.clock.now())
      last = run
      try {
        return await answerInLines(context, reply, ({ say }) => run.run(context, say))
      } finally {
        giveBack()
      }
    },
  )
  app.post(
    '/v1/upgrade/stop',
    {
      schema: about({
        summary: 'Begins with no other device; versions on trial are waited for',
        answer: NOTHING,
      }),
    },
    async () => {
      if (!last?.goesOn) throw inTheWay('No upgrade goes on.')
      last.stop()
      return {}
    },
  )
}
