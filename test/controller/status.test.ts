/** box status: what is shown, what is kept, and what becomes of a device that is away. */

import { afterEach, expect, test } from 'vitest'
import { StatusPlace } from '../../agent/status.ts'
import { NO_SERVICES } from '../../agent/watched-services.ts'
import { status } from '../../controller/commands/status.ts'
import { age, cellsOf, detailLines, reportOf, statusTable } from '../../controller/status-report.ts'
import { followStatus } from '../../controller/status-watch.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { NO_ALERTS } from '../../src/box/alert/report.ts'
import { acceptHandshake } from '../../src/box/handshake.ts'
import { readClockReading } from '../../src/box/other-clock.ts'
import { servicePort } from '../../src/box/ports.ts'
import { type Controller, deviceOf, Rig, type RigDevice } from './rig.ts'

const bytes = (values: Record<string, string>) =>
  new Map(Object.entries(values).map(([name, text]) => [name, new TextEncoder().encode(text)]))

const VALUES = bytes({
  _nick: 'kitchen',
  _amount_load_hundredths: '142',
  _amount_memory_total: '1000',
  _amount_memory_available: '250',
  _dict_disks_total: '{/} 1000{/mnt} 500',
  _dict_disks_used: '{/} 100{/mnt} 450',
  _dict_temperatures_thousandths: '{cpu} 48312',
  _date_boot: '0',
  _list_addresses: '| 192.0.2.7',
  _version_agent: '0.1.0',
  _configuration_state: 'put_back',
  _configuration_bundle: 'firewall',
  _configuration_last: '"dns" was put back: Nobody confirmed it within 90 s.',
  _amount_configuration_generation: '3',
  _amount_configuration_version: '1763000000000',
  _amount_configuration_drift: '2',
  _dict_services_state: '{nginx} failed{ssh} running{process:dnsmasq} stopped',
  _dict_services_since: '{nginx} 3600{ssh} 60',
  _amount_clock_offset_milliseconds: '-2500',
  _amount_clock_error_milliseconds: '40',
  _date_clock_compared: '7200',
  _degree_mood: '7',
})
/** A day, two hours and some after the epoch of PSYC, at which this machine started. */
const NOW = 1_440_444_041_000 + 26.5 * 3_600_000

test('a status is read as numbers, and what is not known is kept as it is', () => {
  const report = reportOf(VALUES)
  expect(report).toMatchObject({
    load: 1.42,
    memory: { total: 1_000, available: 250 },
    disks: { '/': { total: 1_000, used: 100 }, '/mnt': { total: 500, used: 450 } },
    temperatures: { cpu: 48.312 },
    addresses: ['192.0.2.7'],
    configuration: {
      ...{ state: 'put_back', generation: 3, bundle: 'firewall', version: 1_763_000_000_000 },
      ...{
        unconfirmed: null,
        last: '"dns" was put back: Nobody confirmed it within 90 s.',
        drift: 2,
      },
    },
    services: {
      nginx: { state: 'failed', since: '2015-08-24T20:20:41.000Z' },
      ssh: { state: 'running', since: '2015-08-24T19:21:41.000Z' },
      'process:dnsmasq': { state: 'stopped', since: null },
    },
    clock: { offset_ms: -2_500, error_ms: 40, compared_at: '2015-08-24T21:20:41.000Z' },
    other: { _degree_mood: '7' },
  })
  expect(detailLines(report, NOW)).toEqual([
    'nginx: failed for 1 d 1 h',
    'ssh: running for 1 d 2 h',
    'process:dnsmasq: stopped',
    'clock: 2.5 s behind, ± 40 ms',
  ])
  expect(cellsOf('kitchen', report, null, NOW)).toEqual([
    ...[
      'kitchen',
      '1.42',
      '75 %',
      '90 %',
      '48 °C',
      '1 d 2 h',
      '2 do not run',
      '3, put back, 2 drifted',
    ],
    ...['0.1.0', 'now'],
  ])
  expect(cellsOf('kitchen', report, 300_000, NOW).at(-1)).toBe('stale, 5 min ago')
  expect(cellsOf('kitchen', null, 0, NOW).at(-1)).toBe('never')
})

test('values that make no sense are left out', () => {
  const report = reportOf(
    bytes({ _dict_disks_total: '{', _amount_load_hundredths: 'x', _list_addresses: 'a|b' }),
  )
  expect(report).toMatchObject({ load: null, disks: {}, addresses: [] })
  expect(cellsOf('k', report, null, NOW).slice(1, 8)).toEqual(['-', '-', '-', '-', '-', '-', '-'])
})

test.for([
  [{ _configuration_state: 'none', _amount_configuration_generation: '0' }, '-'],
  [{ _configuration_state: 'confirmed', _amount_configuration_generation: '3' }, '3'],
  [{ _configuration_state: 'waiting', _amount_configuration_generation: '3' }, '3, waiting'],
] as const)('what was pushed is one cell: %j', ([values, cell]) => {
  expect(cellsOf('k', reportOf(bytes(values)), null, NOW)[7]).toBe(cell)
})

test('an age has its two largest units', () => {
  expect([900, 59_000, 61_000, 3_700_000, 90_000_000].map(age)).toEqual([
    ...['0 s', '59 s', '1 min', '1 h 1 min', '1 d 1 h'],
  ])
})

let rig: Rig
let place: StatusPlace | null = null
/** What time those who came said it was. */
const times: (number | null)[] = []
afterEach(() => {
  times.length = 0
  place?.close()
  place = null
  rig?.clean()
})

/** The status place of an agent, on the device of the rig. */
function publish(device: RigDevice, isAllowed: () => boolean): void {
  const { world, net } = rig
  const mesh = net.find(device.pid)!
  const { secret } = device
  const made = new StatusPlace({
    ...{ mesh, device: secret.zone, name: 'kitchen', clock: world, random: world.random },
    ...{ log: silentLog, allows: isAllowed },
    met: ({ payload }) => times.push(readClockReading(payload)),
    look: () => ({
      ...{ load: 142, processors: 2, memory: { total: 1_000, available: 250 } },
      ...{ disks: new Map(), temperatures: new Map(), interfaces: new Map() },
      ...{ bootedAt: world.now(), addresses: [], system: 'Debian', configuration: null },
      alerts: NO_ALERTS,
      probes: [],
      services: NO_SERVICES,
      clock: null,
    }),
  })
  place = made
  mesh.listen(servicePort('place', secret.zone), channel => {
    void acceptHandshake(channel, {
      ...{ self: mesh.self, purpose: 'place', own: secret, clock: world, random: world.random },
      admit: () => (isAllowed() ? { payload: made.key } : { refused: 'NOT_PERMITTED' }),
    }).then(
      session => made.serve(session),
      () => {},
    )
  })
}

const run = (controller: Controller) =>
  rig.world.until(
    status.run(controller.context, {
      ...{ selector: undefined, watch: false, timeout: 5, json: true, state: undefined },
    } as never),
    60_000,
  )
const said = ({ said: { out } }: Controller) =>
  JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, unknown>

test('shows a device as it is, then as it was with its age, then refuses those without the right', async () => {
  rig = new Rig()
  const controller = await rig.controller({ json: true })
  const device = await rig.device(controller, 'kitchen')
  let isAllowed = true
  publish(device, () => isAllowed)
  await rig.world.pass(5_000)
  expect(await run(controller)).toBe(0)
  expect(said(controller)).toMatchObject({
    ...{ name: 'kitchen', stale: false, age_ms: 0, error: null },
    status: { load: 1.42, system: 'Debian' },
  })
  expect(times).toEqual([expect.any(Number)])
  expect(Math.abs(times[0]! - rig.world.now())).toBeLessThan(60_000)
  isAllowed = false
  expect(await run(controller)).toBe(77)
  expect(said(controller)).toMatchObject({ stale: true, error: { code: 'NOT_PERMITTED' } })
  place?.close()
  place = null
  device.stop()
  await rig.world.pass(3_600_000)
  expect(await run(controller)).toBe(75)
  const old = said(controller)
  expect(old).toMatchObject({ stale: true, status: { load: 1.42 } })
  expect(old.age_ms).toBeGreaterThanOrEqual(3_600_000)
})

test('there is a column about services where a device has some, and else none', () => {
  const cells = (services: string) => cellsOf('attic', null, null, NOW).with(6, services)
  expect(statusTable([cells('-')])[0]).not.toContain('SERVICES')
  expect(statusTable([cells('-'), cells('3 run')])[0]).toMatch(/UP +SERVICES +PUSHED/)
})

test('a device that was never heard of has no status', async () => {
  rig = new Rig()
  const controller = await rig.controller({ json: true })
  await rig.device(controller, 'kitchen', { publishes: false })
  expect(await run(controller)).not.toBe(0)
  expect(said(controller)).toMatchObject({ stale: true, age_ms: null, status: null })
})

test('stays with a device that it has found, also where somebody watches it through the same peer', async () => {
  rig = new Rig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen')
  publish(device, () => true)
  await rig.world.pass(5_000)
  const all = [0, 1].map(() => {
    const heard = { fresh: 0, stale: 0 }
    const over = followStatus(
      controller.context,
      deviceOf(controller, 'kitchen'),
      { timeoutMs: 10_000, once: false },
      { fresh: () => void heard.fresh++, stale: () => void heard.stale++ },
    )
    return { heard, over }
  })
  await rig.world.pass(10 * 60_000)
  for (const { heard } of all) {
    expect(heard.fresh).toBeGreaterThan(0)
    expect(heard.stale).toBe(0)
  }
  controller.interrupt(new BoxError('ENGINE_CLOSED'))
  await rig.world.until(Promise.all(all.map(({ over }) => over)), 60_000)
})
