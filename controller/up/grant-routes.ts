/** Routes that let somebody in on a device, and out. */

import type { FastifyInstance } from 'fastify'
import { RIGHTS, type Right } from '../../src/box/grant.ts'
import { scopeLists } from '../../src/box/scope.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { scopeFor, type WantedScope } from '../granted-scope.ts'
import { letIn, putOut, untilIn } from '../granting.ts'
import { aboutOne, GRANTED, options, REVOKED } from './schemas.ts'

const LIMITS = { timeoutMs: 30_000 }
/** As many as a grant can hold. */
const LIST_MAX = 64
const TEXT_MAX = 4_096

interface GrantBody extends WantedScope {
  readonly person: string
  readonly as: string
  readonly rights: readonly Right[]
  readonly until?: string
}

type Named<B> = { Params: { name: string }; Body: B }

const text = { type: 'string', minLength: 1, maxLength: 255 }
const list = {
  type: 'array',
  items: { type: 'string', minLength: 1, maxLength: TEXT_MAX },
  // An empty one would look as if nothing were narrowed.
  minItems: 1,
  maxItems: LIST_MAX,
}

export function grantRoutes(app: FastifyInstance, context: Context): void {
  const rights = { type: 'array', items: { enum: RIGHTS }, minItems: 1, uniqueItems: true }
  const truth = { type: 'boolean' }
  const lists = { users: list, commands: list, paths: list, targets: list }
  const narrowed = { ...lists, recorded: truth, approved: truth }
  app.post<Named<GrantBody>>(
    '/v1/devices/:name/grants',
    {
      schema: aboutOne({
        summary: 'Lets somebody in, in place of what they had before; `person` is a zone key',
        body: options({ person: text, as: text, rights, until: text, ...narrowed }, [
          ...['person', 'as', 'rights'],
        ]),
        answer: GRANTED,
      }),
    },
    async ({ params, body }) => {
      const { person, as, rights } = body
      const until = body.until === undefined ? null : untilIn(body.until, context.clock.now())
      const device = context.fleet.device(params.name)
      const scope = scopeFor(rights, body)
      await letIn(context, device, { person, as, rights, scope, until }, LIMITS)
      return {
        ...{ holder: as, rights, scope: scopeLists(scope) },
        ...{ recorded: scope.recorded, approved: scope.approved },
        until: until === null ? null : new Date(until).toISOString(),
      }
    },
  )
  app.post<Named<{ person: string }>>(
    '/v1/devices/:name/revoke',
    {
      schema: aboutOne({
        summary: 'Ends what somebody was granted, and their sessions; `person` is a name or a key',
        body: options({ person: text }, ['person']),
        answer: REVOKED,
      }),
    },
    async ({ params, body }) => {
      const device = context.fleet.device(params.name)
      const { holder, zone } = await putOut(context, device, body.person, LIMITS)
      return { holder, holder_zone: zoneToText(zone) }
    },
  )
}
