/** Routes about alerts: which there are, and that somebody has taken note of one. */

import type { FastifyInstance } from 'fastify'
import { acknowledgeAlert } from '../alerts/acknowledging.ts'
import type { AlertParts } from '../alerts/alert-watch.ts'
import type { Context } from '../context.ts'
import type { FleetWatch } from './fleet-watch.ts'
import { ALERTS, about, aboutOne, NOTHING, options } from './schemas.ts'

const FOR_S_MAX = 365 * 86_400

type Named = { Params: { name: string } }

export function alertRoutes(
  app: FastifyInstance,
  context: Context,
  { watch, sight }: Pick<AlertParts, 'sight'> & { readonly watch: FleetWatch },
): void {
  app.get(
    '/v1/alerts',
    { schema: about({ summary: 'Alerts that fire, and the last that did', answer: ALERTS }) },
    async () => {
      const devices = watch.views().map(view => view.observed())
      const alerts = devices.flatMap(one => [...sight.alertsOf(one), ...sight.pendingOf(one)])
      return { alerts, fault: sight.fault }
    },
  )
  app.post<Named & { Body: { rule: string; for_s?: number } }>(
    '/v1/devices/:name/alerts/ack',
    {
      schema: aboutOne({
        summary: 'Takes note of an alert: nobody is told of it until it is over, or for a time',
        body: options(
          {
            rule: { type: 'string', minLength: 1, maxLength: 64 },
            for_s: { type: 'number', minimum: 0, maximum: FOR_S_MAX },
          },
          ['rule'],
        ),
        answer: NOTHING,
      }),
    },
    async ({ params, body }) => {
      const device = context.fleet.device(params.name)
      const view = watch.views().find(one => one.device.name === device.name)
      await acknowledgeAlert(context, device, {
        rule: body.rule,
        forMs: body.for_s === undefined ? null : body.for_s * 1_000,
        alerts: view?.alerts() ?? [],
      })
      return {}
    },
  )
}
