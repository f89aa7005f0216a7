/**
 * Routes about the end of a zone in GNS: how it is, the work for its certificate, which goes on in a process of its own,
 * and telling the network, for good.
 */

import type { FastifyInstance } from 'fastify'
import { pause } from '../../src/base/clock.ts'
import { BoxError, ERRORS, type ErrorCode } from '../../src/base/errors.ts'
import { isWords, type Words } from '../../src/wire/json-words.ts'
import type { Context } from '../context.ts'
import {
  askWhetherRevoked,
  meantZone,
  publishCertificate,
  readyCertificate,
  workState,
  YEARS_MAX,
  zoneValue,
} from '../zone-revocation.ts'
import { answerInLines, atMost, inTheWay, type Lines, mustBeConfirmed } from './line-answer.ts'
import { RevocationWorker, type WorkEnd } from './revocation-worker.ts'
import { about, NOTHING, options, streamed } from './schemas.ts'
import { LINES, REVOCATION, ZONE_REVOKED } from './upkeep-schemas.ts'

const TIMEOUT_MS = 30_000
/** What has been found is on the disk every ten seconds. */
const LOOK_EVERY_MS = 2_000

const device = {
  ...{ type: 'string', minLength: 1, maxLength: 255 },
  description: 'A device of ours; without it, it is about ourselves.',
}

type AboutDevice<B = object> = { Body: B & { readonly device?: string } }

export function revocationRoutes(app: FastifyInstance, context: Context): void {
  const worker = new RevocationWorker(context.box)
  app.addHook('onClose', () => worker.close())
  app.get<{ Querystring: { device?: string } }>(
    '/v1/revocation',
    {
      schema: about({
        summary:
          'Whether the zone of a device, or our own, is revoked in GNS, as box revocation check',
        querystring: options({ device }),
        answer: REVOCATION,
      }),
    },
    async ({ query: { device } }) => {
      const meant = ours(context, device)
      const known = await askWhetherRevoked(context, meant.zone)
      const certificate = workState(context, meant.zone)
      const working = worker.isWorkingFor(device ?? null)
      return { ...zoneValue(meant), ...known, certificate, working }
    },
  )
  makeRoutes(app, context, worker)
  publishRoute(app, context)
}

/** No zone of others, and no file: only what we can make a certificate for. Throws DEVICE_UNKNOWN, NO_EGO. */
const ours = (context: Context, device: string | undefined) =>
  device === undefined ? meantZone(context, undefined) : context.fleet.device(device)

function makeRoutes(app: FastifyInstance, context: Context, worker: RevocationWorker): void {
  const years = { type: 'integer', minimum: 1, maximum: YEARS_MAX }
  app.post<AboutDevice<{ readonly years?: number }>>(
    '/v1/revocation/make',
    {
      schema: about({
        summary: 'Works for the certificate, which takes days; it goes on where it was',
        body: options({ device, years }),
        answer: streamed(
          LINES,
          'Lines of JSON: `tries`, `expected_tries` and `done_percent` as they change; `exit_code` or `error` is the last one. The work goes on also where the connection is closed.',
        ),
      }),
    },
    async ({ body: { device, years = 1 } }, reply) => {
      const { zone } = ours(context, device)
      const ended = worker.begin({ device: device ?? null, years })
      return await answerInLines(context, reply, async ({ say }) => {
        await follow(context, ended, () => workState(context, zone), say)
      })
    },
  )
  app.post<AboutDevice>(
    '/v1/revocation/stop',
    {
      schema: about({
        summary: 'Ends that work; what was found is kept for the next time',
        body: options({ device }),
        answer: NOTHING,
      }),
    },
    async ({ body: { device } }) => {
      await worker.stop(device ?? null)
      return {}
    },
  )
}

/** Says how far it is whenever that is known to be further, and how it ended. */
async function follow(
  { clock, signal }: Context,
  ended: Promise<WorkEnd>,
  look: () => ReturnType<typeof workState>,
  say: Lines['say'],
): Promise<void> {
  const over = new AbortController()
  const end = ended.finally(() => over.abort())
  const either = AbortSignal.any([signal, over.signal])
  let told = ''
  const tell = () => {
    const value = look()
    const text = JSON.stringify(value)
    if (value === null || text === told) return
    told = text
    const { tries, expected_tries, done_percent } = value
    say({ tries, expected_tries, done_percent })
  }
  while (!either.aborted) {
    tell()
    await pause(clock, LOOK_EVERY_MS, either)
  }
  signal.throwIfAborted()
  const { code, errors } = await end
  tell()
  const error = code === 0 ? null : errorIn(errors)
  if (error) throw error
  say({ exit_code: code })
}

/** What a command says with --json where it fails. */
function errorIn(errors: string): BoxError | null {
  const { code, message } = wordsIn(errors.trim().split('\n').at(-1) ?? '')
  if (typeof code !== 'string' || !(code in ERRORS) || typeof message !== 'string') return null
  const sentence = ERRORS[code as ErrorCode][1]
  return new BoxError(code as ErrorCode, message.replace(sentence, '').trim())
}

function wordsIn(line: string): Words {
  try {
    const { error } = JSON.parse(line) as Words
    return isWords(error) ? error : {}
  } catch {
    return {}
  }
}

function publishRoute(app: FastifyInstance, context: Context): void {
  const once = atMost(1, () => inTheWay('A zone is being revoked already.'))
  const confirm = { type: 'string', minLength: 1, maxLength: 255 }
  app.post<AboutDevice<{ readonly confirm: string }>>(
    '/v1/revocation/publish',
    {
      schema: about({
        summary:
          'Ends the zone of a device, or our own, for everybody and for good; `confirm` is its name',
        body: options({ device, confirm }, ['confirm']),
        answer: ZONE_REVOKED,
      }),
    },
    async ({ body: { device, confirm } }) => {
      const meant = ours(context, device)
      mustBeConfirmed(confirm, meant.name)
      const certificate = readyCertificate(context, meant)
      const until = await once(() => publishCertificate(context, certificate, TIMEOUT_MS))
      return { ...zoneValue(meant), until }
    },
  )
}
