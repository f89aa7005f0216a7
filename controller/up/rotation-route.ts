/** The route that gives a device new keys. */

import type { FastifyInstance } from 'fastify'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { publishZone } from '../names.ts'
import { rotateDevice, rotateHost } from '../rotation.ts'
import type { FleetWatch } from './fleet-watch.ts'
import { aboutOne, options, ROTATED } from './schemas.ts'

const LIMITS = { timeoutMs: 30_000 }
const KEYS = ['device', 'host'] as const

type Asked = { Params: { name: string }; Body: { key: (typeof KEYS)[number] } }

export function rotationRoute(app: FastifyInstance, context: Context, watch: FleetWatch): void {
  app.post<Asked>(
    '/v1/devices/:name/rotate',
    {
      schema: aboutOne({
        summary: 'Gives a device another zone key, or another host key for SSH',
        body: options({ key: { enum: KEYS } }, ['key']),
        answer: ROTATED,
      }),
    },
    async ({ params, body: { key } }) => {
      const device = context.fleet.device(params.name)
      if (key === 'host') await rotateHost(context, device, LIMITS)
      else await rotateDevice(context, device, LIMITS)
      const after = context.fleet.device(params.name)
      if (key === 'device') {
        // It is followed by its new key from now on, and nobody has to wait for the DHT.
        watch.look()
        context.meanwhile(publishZone(context))
      }
      return { key, name: after.name, zone: zoneToText(after.zone), was: zoneToText(device.zone) }
    },
  )
}
