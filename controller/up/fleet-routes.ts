/** Routes about the fleet as it is known here: devices, their tags, names, what runs this. */

import type { FastifyInstance } from 'fastify'
import { VERSION } from '../../src/base/version.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { recordText, typeName } from '../../src/gns/record-text.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { findEgo } from '../ego.ts'
import { lookUp } from '../name-lookup.ts'
import { PUBLISH_PATIENCE_MS, publishZone } from '../names.ts'
import { dropDesired } from '../push/desired.ts'
import type { FleetTexts } from './fleet-texts.ts'
import type { FleetWatch } from './fleet-watch.ts'
import {
  ABOUT,
  about,
  aboutOne,
  DEVICE,
  DEVICES,
  FORGOTTEN,
  HISTORY,
  NAME,
  options,
  RENAMED,
  TAGS,
} from './schemas.ts'

const NAME_TIMEOUT_MS = 10_000
/** A device has 32 of them. */
const TAGS_MAX = 32

type Named = { Params: { name: string } }

export interface FleetParts {
  readonly watch: FleetWatch
  readonly texts: FleetTexts
  readonly mesh: Mesh
}

export function fleetRoutes(
  app: FastifyInstance,
  context: Context,
  { watch, texts, mesh }: FleetParts,
): void {
  const startedAt = new Date(context.clock.now()).toISOString()
  app.get(
    '/v1/about',
    { schema: about({ summary: 'What runs here', answer: ABOUT }) },
    async () => {
      const { engine, neighbours } = mesh.status()
      const ego = findEgo(context.state)
      return {
        version: VERSION,
        name: ego?.name ?? null,
        id: ego && zoneToText(ego.secret.zone),
        peer: encodeBase32(mesh.self),
        engine,
        hubs_connected: neighbours.filter(({ state }) => state === 'up').length,
        started_at: startedAt,
      }
    },
  )
  app.get(
    '/v1/devices',
    { schema: about({ summary: 'All devices, and how they are', answer: DEVICES }) },
    async (_request, reply) =>
      reply
        .type('application/json; charset=utf-8')
        .send(`{"devices":[${texts.by(reply).all().join()}]}`),
  )
  app.get<Named>(
    '/v1/devices/:name',
    { schema: aboutOne({ summary: 'How a device is', answer: DEVICE }) },
    async ({ params }) => watch.device(params.name),
  )
  app.get<Named>(
    '/v1/devices/:name/history',
    { schema: aboutOne({ summary: 'How a device was, by the minute', answer: HISTORY }) },
    async ({ params }) => {
      const { at, series } = watch.history(params.name)
      return { at: at.map(ms => new Date(ms).toISOString()), series }
    },
  )
  const tags = { type: 'array', items: { type: 'string' }, maxItems: TAGS_MAX }
  app.post<Named & { Body: { add?: string[]; remove?: string[] } }>(
    '/v1/devices/:name/tags',
    {
      schema: aboutOne({
        summary: 'Adds tags to a device, and takes some away',
        body: options({ add: tags, remove: tags }),
        answer: TAGS,
      }),
    },
    async ({ params, body }) => {
      const { tags } = await context.fleet.tag(params.name, body.add ?? [], body.remove ?? [])
      watch.look()
      return { tags }
    },
  )
  nameRoutes(app, context, watch)
}

/** Names: those we gave to devices, and those of GNS. */
function nameRoutes(app: FastifyInstance, context: Context, watch: FleetWatch): void {
  const { fleet, state } = context
  const to = { type: 'string', minLength: 1, maxLength: 255 }
  app.post<Named & { Body: { to: string } }>(
    '/v1/devices/:name/rename',
    {
      schema: aboutOne({
        summary: 'Another name for a device, which is not asked: the name is ours',
        body: options({ to }, ['to']),
        answer: RENAMED,
      }),
    },
    async ({ params, body }) => {
      const { name, zone } = await fleet.rename(params.name, body.to)
      watch.look()
      return { name, was: params.name, zone: zoneToText(zone) }
    },
  )
  app.delete<Named & { Querystring: { lost?: 'true' | 'false' } }>(
    '/v1/devices/:name',
    {
      schema: aboutOne({
        summary:
          'Forgets a device; it still trusts us. With `lost`, its name leads nowhere at once',
        querystring: options({ lost: { type: 'string', enum: ['true', 'false'] } }),
        answer: FORGOTTEN,
      }),
    },
    async ({ params, query: { lost } }) => {
      const { name, zone } = await fleet.remove(params.name)
      await dropDesired(state, zone)
      watch.look()
      if (lost === 'true') await publishZone(context, { waitMs: PUBLISH_PATIENCE_MS })
      return { name, zone: zoneToText(zone) }
    },
  )
  app.get<Named & { Querystring: { type?: string } }>(
    '/v1/names/:name',
    {
      schema: aboutOne({
        summary: 'What a name of the GNU Name System has',
        querystring: options({ type: { type: 'string', maxLength: 32 } }),
        answer: NAME,
      }),
    },
    async ({ params: { name }, query }) => {
      const limits = { timeoutMs: NAME_TIMEOUT_MS }
      const { records, zone } = await lookUp(context, name, query.type ?? null, limits)
      return {
        name,
        zone: zoneToText(zone),
        records: records.map(({ type, data, expiresAt }) => ({
          type: typeName(type),
          value: recordText(type, data),
          expires_at: new Date(expiresAt).toISOString(),
        })),
      }
    },
  )
}
