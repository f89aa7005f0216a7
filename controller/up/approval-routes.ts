/** Routes about what waits on devices until another person approves it. */

import type { FastifyInstance } from 'fastify'
import type { Observed } from '../alerts/fleet-alerts.ts'
import {
  judge,
  requestLines,
  requestValue,
  type WaitingRequest,
  waitingCalled,
  waitingOn,
  waitingOnEach,
} from '../approving.ts'
import type { Context } from '../context.ts'
import { type Device, hasZone } from '../fleet.ts'
import { selectOrAll } from '../selector.ts'
import type { FleetWatch } from './fleet-watch.ts'
import { ALL_APPROVALS, APPROVALS, about, aboutOne, JUDGED, options } from './schemas.ts'

const LIMITS = { timeoutMs: 30_000 }
const ID = { type: 'string', minLength: 1, maxLength: 64 }

interface Named {
  readonly name: string
}

/** As programs have it, and as people read it: what a line hides from the eye is seen in that alone. */
const asked = (request: WaitingRequest, device: string) => ({
  ...requestValue(request, device),
  lines: requestLines(request, device),
})

export function approvalRoutes(app: FastifyInstance, context: Context, watch: FleetWatch): void {
  everywhereRoute(app, context, watch)
  app.get<{ Params: Named }>(
    '/v1/devices/:name/approvals',
    {
      schema: aboutOne({
        summary: 'What waits there for another person: ours, and what we may approve',
        answer: APPROVALS,
      }),
    },
    async ({ params: { name } }) => {
      const waiting = await waitingOn(context, context.fleet.device(name), LIMITS)
      return { approvals: waiting.map(request => asked(request, name)) }
    },
  )
  const verdicts = ['approve', 'deny'] as const
  app.post<{ Params: Named; Body: { id: string; verdict: (typeof verdicts)[number] } }>(
    '/v1/devices/:name/approvals',
    {
      schema: aboutOne({
        summary: 'Approves or denies what somebody else asks for; `id` may be its first letters',
        body: options({ id: ID, verdict: { enum: verdicts } }, ['id', 'verdict']),
        answer: JUDGED,
      }),
    },
    async ({ params: { name }, body: { id, verdict } }) => {
      const device = context.fleet.device(name)
      const request = await waitingCalled(context, device, id, LIMITS)
      await judge(context, device, request, { isApproved: verdict === 'approve', ...LIMITS })
      return { verdict, approval: asked(request, name) }
    },
  )
}

/** Devices that are away are not asked: nobody would wait for that. */
function everywhereRoute(app: FastifyInstance, context: Context, watch: FleetWatch): void {
  const selector = { type: 'string', minLength: 1, maxLength: 255 }
  app.get<{ Querystring: { selector?: string } }>(
    '/v1/approvals',
    {
      schema: about({
        summary:
          'What waits on any device that is reachable; `away` are those that are not, `failed` those that did not answer',
        querystring: options({ selector }),
        answer: ALL_APPROVALS,
      }),
    },
    async ({ query }) => {
      // One that does not tell us its status is there all the same.
      const away = watch.views().filter(view => isAwayTo(view.observed()))
      const isAway = (device: Device) => away.some(view => hasZone(device, view.device.zone))
      const meant = selectOrAll(context, query.selector)
      const answers = await waitingOnEach(
        context,
        meant.filter(one => !isAway(one)),
        LIMITS,
      )
      return {
        approvals: answers.flatMap(({ device, waiting }) =>
          waiting.map(request => asked(request, device.name)),
        ),
        away: meant.filter(isAway).map(({ name }) => name),
        failed: answers.flatMap(({ device: { name }, error }) =>
          error === null ? [] : [{ name, code: error.code, message: error.message }],
        ),
      }
    },
  )
}

const isAwayTo = ({ knownAt, refuses }: Observed): boolean => knownAt !== null && !refuses
