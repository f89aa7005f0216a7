/** Routes about what waits on devices until another person approves it. */

import type { FastifyInstance } from 'fastify'
import { judge, requestValue, waitingCalled, waitingOn } from '../approving.ts'
import type { Context } from '../context.ts'
import { APPROVALS, aboutOne, JUDGED, options } from './schemas.ts'

const LIMITS = { timeoutMs: 30_000 }
const ID = { type: 'string', minLength: 1, maxLength: 64 }

interface Named {
  readonly name: string
}

export function approvalRoutes(app: FastifyInstance, context: Context): void {
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
      return { approvals: waiting.map(request => requestValue(request, name)) }
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
      return { verdict, approval: requestValue(request, name) }
    },
  )
}
