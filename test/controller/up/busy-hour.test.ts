import { get, type IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, expect, test } from 'vitest'
import { variablesOf } from '../../../agent/probes.ts'
import { NO_SERVICES } from '../../../agent/watched-services.ts'
import { AlertSight } from '../../../controller/alerts/alert-sight.ts'
import { type Context, createContext } from '../../../controller/context.ts'
import { Output } from '../../../controller/output.ts'
import { createApi } from '../../../controller/up/api.ts'
import { POINT_EVERY_MS } from '../../../controller/up/fleet-history.ts'
import { FleetWatch, type FollowDevice } from '../../../controller/up/fleet-watch.ts'
import { RoomHall } from '../../../controller/up/room-hall.ts'
import { TalkHall } from '../../../controller/up/talk-hall.ts'
import { ownToken } from '../../../controller/up/token.ts'
import { WarmShells } from '../../../controller/up/warm-shells.ts'
import { silentLog } from '../../../src/base/log.ts'
import { NO_ALERTS } from '../../../src/box/alert/report.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { FakeNet } from '../../sim/fake-mesh.ts'
import { World } from '../../sim/world.ts'
import { memoryState } from './memory-state.ts'

const DEVICES = 500
const CHANGES_PER_SECOND = 100
const QUARTER_S = 900
const STEP_MS = 100
const MIB = 2 ** 20
/** What V8 does to itself meanwhile; an hour of changes that is kept would be 200 MiB. */
const SLACK = 4 * MIB

type Events = Parameters<FollowDevice>[3]

/** 500 devices, the whole API over them, on a clock of ours. */
async function busyHouse() {
  const world = new World(11)
  const end = new AbortController()
  const nowhere = { isTerminal: false, write: () => {} }
  const net = new FakeNet({ clock: world, random: world.random })
  const context: Context = createContext({
    ...{ clock: world, random: world.random, log: silentLog, state: memoryState() },
    stdio: {
      ...{ input: new PassThrough(), output: new PassThrough(), errors: new PassThrough() },
      isTerminal: false,
    },
    engine: { mesh: 'embedded', gnunetConf: null },
    output: new Output({ json: true, out: nowhere, err: nowhere, clock: world }),
    ...{ box: ['box'], commands: [], signal: end.signal },
    startMesh: async () => net.peer(),
  })
  for (let i = 0; i < DEVICES; i++) {
    const { zone } = ZoneSecret.generate('EDKEY', world.random)
    await context.fleet.add({ name: `d${i}`, zone, tags: [], pairedAt: world.now(), last: null })
  }
  const told: Events[] = []
  const sight = new AlertSight(context)
  const watch = new FleetWatch(context, sight, async ({ signal }, _device, _options, events) => {
    told.push(events)
    await new Promise<void>(resolve => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  })
  const token = await ownToken(context.state, world.random)
  const mesh = await context.mesh()
  const app = await createApi({
    ...{ context, watch, hall: new RoomHall(context), talk: new TalkHall(context) },
    ...{ mesh, token, shells: new WarmShells(context), files: new Map() },
    alerts: { sight, deliveries: () => ({ waiting: 0, failed: 0 }) },
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  // They say nothing at once, so that each keeps its turn (turns.ts) for three seconds.
  await world.pass(120_000)
  const stop = async () => {
    await app.close()
    end.abort(new Error('the test is over'))
    await watch.close()
    await context.close()
  }
  return { world, context, watch, told, token, url, stop }
}

type Busy = Awaited<ReturnType<typeof busyHouse>>

const listen = ({ url, token }: Busy): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` }
    get(`${url}/v1/events`, { headers }, resolve).once('error', reject)
  })

const figures = (load: number, now: number) => ({
  ...{ load, processors: 4, bootedAt: now - 1_000_000, system: 'Debian GNU/Linux 13 (trixie)' },
  memory: { total: 4_000_000_000, available: 1_000_000_000 + load },
  disks: new Map([['/', { total: 32_000_000_000, used: 11_000_000_000 + load }]]),
  temperatures: new Map([['cpu', 41_000 + load]]),
  addresses: ['192.168.1.10'],
  interfaces: new Map([['eth0', { received: load, sent: load }]]),
  configuration: null,
  alerts: NO_ALERTS,
  probes: [],
  services: NO_SERVICES,
  clock: null,
})

/** What is really kept: nothing that nobody needs any more. */
function kept(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

let busy: Busy | null = null
afterAll(() => busy?.stop())

test('box up keeps nothing of an hour of 500 devices with 100 changes a second, whether listeners read or not', {
  timeout: 600_000,
}, async () => {
  busy = await busyHouse()
  const { world, told, watch } = busy
  expect(told).toHaveLength(DEVICES)
  const sayings = Array.from({ length: 397 }, (_, i) => variablesOf(figures(i, world.now()), 'd'))
  let heard = 0
  const reads = await listen(busy)
  reads.on('data', (piece: Buffer) => {
    heard += piece.length
  })
  // Nothing of this one is ever read.
  const sleeps = await listen(busy)
  let changes = 0
  const quarters: number[] = []
  for (let quarter = 0; quarter < 4; quarter++) {
    for (let step = 0; step < (QUARTER_S * 1_000) / STEP_MS; step++) {
      for (let i = 0; i < (CHANGES_PER_SECOND * STEP_MS) / 1_000; i++) {
        changes += 1
        const one = told[(changes * 7) % DEVICES]!
        if (changes % 50 === 0) one.stale(null)
        else one.fresh(new Map(sayings[changes % sayings.length]!))
      }
      await world.pass(STEP_MS)
    }
    quarters.push(kept())
  }
  const mib = quarters.map(bytes => (bytes / MIB).toFixed(1))
  console.log(
    `${changes} changes, heard ${Math.round(heard / MIB)} MiB; MiB after each quarter: ${mib}`,
  )
  expect(changes).toBe(360_000)
  expect(heard).toBeGreaterThan(20 * MIB)
  for (const later of quarters.slice(1)) expect(later).toBeLessThan(quarters[0]! + SLACK)
  // An hour of points, and the latest.
  const points = watch.history('d0').at.length
  expect(points).toBeGreaterThanOrEqual((4 * QUARTER_S * 1_000) / POINT_EVERY_MS)
  sleeps.destroy()
  reads.destroy()
})
