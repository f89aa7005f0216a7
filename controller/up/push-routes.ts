/**
 * Routes that change the configuration of devices. The answer goes on: a line for each thing that is being done,
 * one for what became of each device. Whoever goes away in between does not stop it: half a push would be put back.
 */

import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { goodBundle } from '../bundle-directory.ts'
import type { Context } from '../context.ts'
import { bringTo, made, takeBack } from '../push/bring.ts'
import { deliveredValue, verdictOf } from '../push/report.ts'
import { rollOut } from '../push/rollout.ts'
import { selected } from '../push/selection.ts'
import { answerInLines, atMost, type Lines } from './line-answer.ts'
import { about, aboutOne, options, streamed } from './schemas.ts'
import { tooMany } from './streams.ts'

const TIMEOUT_MS = 30_000
/** As box push has it. */
const CANARY = 1
const BATCH = 10
/** Each goes on by itself. */
const RUNNING_MAX = 8
const DEVICES_MAX = 10_000

interface PushBody {
  readonly selector: string
  readonly bundle: string
  readonly canary?: number
  readonly batch?: number
  readonly max_failures?: number
}

type BackRequest = { Params: { name: string }; Body: { generation?: number | null } }

export function pushRoutes(app: FastifyInstance, context: Context): void {
  const limited = atMost(RUNNING_MAX, () => tooMany('Too much is being pushed already.'))
  const text = { type: 'string', minLength: 1, maxLength: 4_096 }
  const whole = (minimum: number) => ({ type: 'integer', minimum, maximum: DEVICES_MAX })
  const numbers = { canary: whole(0), batch: whole(1), max_failures: whole(0) }
  const answer = streamed(
    'application/x-ndjson',
    'Lines of JSON: `name` and `doing`, then `name` and `result` of each device, as box push --json.',
  )
  app.post<{ Body: PushBody }>(
    '/v1/push',
    {
      schema: about({
        summary: 'Brings a bundle, a directory of this machine, to devices',
        body: options({ selector: text, bundle: text, ...numbers }, ['selector', 'bundle']),
        answer,
      }),
    },
    async ({ body }, reply) => {
      const work = prepared(context, body)
      return await limited(() => answerInLines(context, reply, ({ say }) => work(say)))
    },
  )
  app.post<BackRequest>(
    '/v1/devices/:name/rollback',
    {
      schema: aboutOne({
        summary: 'Takes a device back to an earlier configuration, or to the one before',
        body: options({ generation: { type: ['integer', 'null'], minimum: 0 } }),
        answer,
      }),
    },
    async ({ params, body }, reply) => {
      const device = context.fleet.device(params.name)
      const back = async ({ say }: Lines) => {
        const note = (doing: string) => say({ name: device.name, doing })
        const following = { timeoutMs: TIMEOUT_MS, note }
        const taken = await takeBack(context, device, body.generation ?? null, following)
        say(deliveredValue(device.name, taken))
      }
      return await limited(() => answerInLines(context, reply, back))
    },
  )
}

/** What can be wrong with it is found before anything is sent. */
function prepared(context: Context, { selector, bundle: path, ...numbers }: PushBody) {
  if (!path.startsWith('/'))
    throw new BoxError('INPUT_INVALID', 'The bundle is no path from the root.')
  const bundle = goodBundle(path)
  const devices = selected(context, selector)
  for (const device of devices) made(context, bundle, device, 1)
  const { canary = CANARY, batch = BATCH, max_failures: failuresMax = 0 } = numbers
  return async (say: (value: object) => void): Promise<void> => {
    const { untried } = await rollOut(
      devices,
      { canary, batch, failuresMax },
      async device => {
        const { name } = device
        const note = (doing: string) => say({ name, doing })
        const delivered = await bringTo(context, bundle, device, { timeoutMs: TIMEOUT_MS, note })
        say(deliveredValue(name, delivered))
        return delivered
      },
      verdictOf,
    )
    for (const { name } of untried) say({ name, result: 'not_tried' })
  }
}
