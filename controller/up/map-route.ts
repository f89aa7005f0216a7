/** Who reaches whom through which hub, as this peer sees it now: nodes, and the ways between them. */

import type { FastifyInstance } from 'fastify'
import { zoneToText } from '../../src/gns/name.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import type { FleetWatch } from './fleet-watch.ts'
import { about, MAP } from './schemas.ts'

/** What a page can draw; a person reads far less. */
const DEVICES_MAX = 1_000

interface Parts {
  readonly watch: FleetWatch
  readonly mesh: Mesh
}

export function mapRoute(app: FastifyInstance, { fleet }: Context, { watch, mesh }: Parts): void {
  app.get(
    '/v1/map',
    { schema: about({ summary: 'Who reaches whom through which hub', answer: MAP }) },
    async () => {
      const { neighbours, tunnels } = mesh.status()
      const known = new Map(fleet.devices().map(device => [zoneToText(device.zone), device]))
      const ways = new Map(tunnels.map(({ peer, paths }) => [encodeBase32(peer), paths]))
      return {
        self: encodeBase32(mesh.self),
        neighbours: neighbours.map(({ peer, address, state }) => ({
          ...{ peer: encodeBase32(peer), address, is_up: state === 'up' },
        })),
        devices: watch
          .devices()
          .slice(0, DEVICES_MAX)
          .map(({ name, zone, stale }) => {
            const record = known.get(zone)?.last?.record
            const peer = record ? encodeBase32(record.pid) : null
            const paths = (peer === null ? undefined : ways.get(peer)) ?? []
            return {
              ...{ name, stale, peer },
              hubs: record?.hubs.map(({ pid }) => encodeBase32(pid)) ?? [],
              // The way that is used: it begins with us, and ends with the device.
              path: paths[0]?.map(encodeBase32) ?? [],
            }
          }),
      }
    },
  )
}
