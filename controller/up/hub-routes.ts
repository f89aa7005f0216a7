/** Routes about where the mesh is entered: the hubs we were told of; and devices that others let us in on. */

import type { FastifyInstance } from 'fastify'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { type Context, introduce } from '../context.ts'
import { addHub, addressesOf, peerOf, readHubs, removeHub } from '../hubs.ts'
import { publishZone } from '../names.ts'
import type { FleetWatch } from './fleet-watch.ts'
import { about, options } from './schemas.ts'
import { ADDED, HUB, HUBS } from './upkeep-schemas.ts'

const HELLO_MAX = 4_096

const text = { type: 'string', minLength: 1, maxLength: 255 }

interface HubParts {
  readonly watch: Pick<FleetWatch, 'look'>
  readonly mesh: Mesh
}

export function hubRoutes(app: FastifyInstance, context: Context, { watch, mesh }: HubParts): void {
  const { state } = context
  app.get(
    '/v1/hubs',
    { schema: about({ summary: 'The hubs we use besides those of our devices', answer: HUBS }) },
    async () => ({ hubs: readHubs(state).map(hubValue) }),
  )
  app.post<{ Body: { hello: string } }>(
    '/v1/hubs',
    {
      schema: about({
        summary: 'Uses a hub from now on; `hello` is what box-agent status prints there',
        body: options({ hello: { ...text, maxLength: HELLO_MAX } }, ['hello']),
        answer: HUB,
      }),
    },
    async ({ body: { hello } }) => {
      await addHub(state, hello)
      introduce(mesh, hello, context.log)
      return hubValue(hello)
    },
  )
  app.delete<{ Params: { peer: string } }>(
    '/v1/hubs/:peer',
    {
      schema: {
        params: options({ peer: text }, ['peer']),
        ...about({ summary: 'Forgets the hub whose peer begins so', answer: HUB }),
      },
    },
    async ({ params: { peer } }) => hubValue(await removeHub(state, peer)),
  )
  app.post<{ Body: { zone: string; as: string } }>(
    '/v1/devices',
    {
      schema: about({
        summary: 'Takes in a device by its zone key, where its owner has let us in, as box add',
        body: options({ zone: text, as: text }, ['zone', 'as']),
        answer: ADDED,
      }),
    },
    async ({ body }) => {
      const zone = zoneFromText(body.zone)
      const pairedAt = context.clock.now()
      await context.fleet.add({ name: body.as, zone, tags: [], pairedAt, last: null })
      watch.look()
      context.meanwhile(publishZone(context))
      return { name: body.as, zone: zoneToText(zone) }
    },
  )
}

const hubValue = (hello: string) => ({ peer: peerOf(hello), hello, addresses: addressesOf(hello) })
