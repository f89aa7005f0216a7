/**
 * Routes that change the configuration of devices. The answer goes on: a line for each thing that is being done,
 * one for what became of each device. Whoever goes away in between does not stop it: half a push would be put back.
 */

import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { goodBundle } from '../bundle-directory.ts'
import type { Context } from '../context.ts'
import { bringTo, made, takeBack } from '../push/bring.ts'
import { deliveredValue, verdictOf } from '../push/report.ts'
import { rollOut } from '../push/rollout.ts'
import { selected } from '../push/selection.ts'
import { about, aboutOne, options, streamed } from './schemas.ts'
import { beginStream, tooMany } from './streams.ts'

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
  const limited = limiter(RUNNING_MAX)
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
      await limited(async () => {
        const raw = beginStream(reply, 'application/x-ndjson')
        await ending(context, raw, () => work(value => line(raw, value)))
      })
      return reply
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
      await limited(async () => {
        const raw = beginStream(reply, 'application/x-ndjson')
        const note = (doing: string) => line(raw, { name: device.name, doing })
        await ending(context, raw, async () => {
          const following = { timeoutMs: TIMEOUT_MS, note }
          const back = await takeBack(context, device, body.generation ?? null, following)
          line(raw, deliveredValue(device.name, back))
        })
      })
      return reply
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

function limiter(runningMax: number): (run: () => Promise<void>) => Promise<void> {
  let running = 0
  return async run => {
    if (running >= runningMax) throw tooMany('Too much is being pushed already.')
    running += 1
    try {
      await run()
    } finally {
      running -= 1
    }
  }
}

const line = (raw: ServerResponse, value: object): void => {
  if (!raw.destroyed) raw.write(`${JSON.stringify(value)}\n`)
}

/** The answer has begun: what fails now is one of its lines, or its breaking off when we end. */
async function ending(
  context: Context,
  raw: ServerResponse,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run()
    raw.end()
  } catch (error) {
    if (!context.signal.aborted) throw error
    raw.destroy()
  }
}
