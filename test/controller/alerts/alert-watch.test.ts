/** Alerts at a controller in simulated time: silence, who is told, once, over restarts, and who has taken note. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { acknowledge } from '../../../controller/alerts/ack-book.ts'
import type { AlertEvent } from '../../../controller/alerts/alert-book.ts'
import type { CommandEnd } from '../../../controller/alerts/alert-command.ts'
import { ALERTS_FILE } from '../../../controller/alerts/alert-config.ts'
import { AlertSight } from '../../../controller/alerts/alert-sight.ts'
import { AlertWatch } from '../../../controller/alerts/alert-watch.ts'
import type { ShownAlert } from '../../../controller/alerts/shown-alert.ts'
import { StatusView } from '../../../controller/status-view.ts'
import { BoxError } from '../../../src/base/errors.ts'
import type { AlertRecord } from '../../../src/box/alert/keeper.ts'
import { alertVariables } from '../../../src/box/alert/report.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { toHex } from '../../vectors.ts'
import { type Controller, deviceOf, Rig } from '../rig.ts'

const MINUTE = 60_000
const utf8 = (text: string) => new TextEncoder().encode(text)

let rig: Rig
let controller: Controller
let view: StatusView
/** What the command was told, and what was said in the room. */
let told: string[]
let said: { text: string; tag: string }[]
let ends: CommandEnd['is'][]
let happened: ShownAlert[]
let roomFailure: Error | null
let watches: { end: AbortController; done: Promise<void> }[]

beforeEach(async () => {
  rig = new Rig()
  controller = await rig.controller()
  await rig.device(controller, 'kitchen')
  told = []
  said = []
  ends = []
  happened = []
  watches = []
  roomFailure = null
})
afterEach(async () => {
  for (const watch of watches) await stop(watch)
  rig.clean()
})

const zone = () => zoneToText(deviceOf(controller, 'kitchen').zone)
const configure = (value: object) =>
  controller.context.state.exclusively(() =>
    controller.context.state.writeText(ALERTS_FILE, JSON.stringify(value)),
  )

const tell = async (_words: readonly string[], { is, device, record }: AlertEvent) => {
  told.push(`${is} ${device} ${record.rule}`)
  return { is: ends.shift() ?? 'done', why: '' } as const
}
const say = async (_room: string, text: string, tag: Uint8Array) => {
  if (roomFailure) throw roomFailure
  if (!said.some(one => one.tag === toHex(tag))) said.push({ text, tag: toHex(tag) })
}

/** A `box up`, as far as alerts go. */
async function up() {
  const { context } = controller
  const sight = new AlertSight(context)
  view = new StatusView(context, deviceOf(controller, 'kitchen'), sight)
  const watch = new AlertWatch(context, {
    ...{ sight, tell, say, views: () => [view], changed: () => {} },
    happened: alert => void happened.push(alert),
  })
  const end = new AbortController()
  const one = { end, done: watch.run(end.signal), watch }
  watches.push(one)
  await rig.world.pass(100)
  return one
}

async function stop({ end, done }: (typeof watches)[number]): Promise<void> {
  end.abort()
  await rig.world.until(done, 60_000)
}

const heard = (load = 100, records: readonly AlertRecord[] = []) =>
  view.fresh(
    new Map([
      ['_amount_load_hundredths', utf8(`${load}`)],
      ...alertVariables({ records, rules: records.map(({ rule }) => rule), fault: null }),
    ]),
  )

const COMMAND = { deliver: [{ command: '/bin/page' }] }
const recordOf = (since: number, until: number | null = null): AlertRecord => ({
  ...{ rule: 'disk', when: 'disk_used_ratio > 90 % for 5m', value: '93 %', since, until },
})
/** As a status tells it: whole seconds. */
const seconds = () => Math.floor(rig.world.now() / 1_000) * 1_000

test('a device that is silent for ten minutes is an alert, and none once it is heard', async () => {
  await configure(COMMAND)
  await up()
  heard()
  await rig.world.pass(60 * MINUTE)
  expect(told).toEqual([])
  view.stale(new BoxError('CHANNEL_LOST'))
  await rig.world.pass(9 * MINUTE)
  expect(told).toEqual([])
  await rig.world.pass(2 * MINUTE)
  expect(told).toEqual(['fires kitchen silent'])
  expect(view.alerts()).toMatchObject([{ rule: 'silent', origin: 'controller', state: 'firing' }])
  expect(view.cells().at(-2)).toBe('silent')
  heard()
  await rig.world.pass(2 * MINUTE)
  expect(told).toEqual(['fires kitchen silent', 'over kitchen silent'])
  expect(happened.map(({ state }) => state)).toEqual(['firing', 'over'])
})

test('a restart of box up neither tells of it again nor takes it for over', async () => {
  await configure(COMMAND)
  const first = await up()
  await rig.world.pass(11 * MINUTE)
  expect(told).toEqual(['fires kitchen silent'])
  await stop(first)
  await rig.world.pass(30 * MINUTE)
  const second = await up()
  await rig.world.pass(30 * MINUTE)
  expect(told).toEqual(['fires kitchen silent'])
  await stop(second)
  await up()
  heard()
  await rig.world.pass(2 * MINUTE)
  expect(told).toEqual(['fires kitchen silent', 'over kitchen silent'])
})

test('without a hub it is us who are silent', async () => {
  await configure(COMMAND)
  const mesh = await controller.context.mesh()
  await up()
  rig.hub.stop()
  expect(mesh.status().neighbours).toEqual([])
  await rig.world.pass(60 * MINUTE)
  expect(told).toEqual([])
})

test('a device that answers, and refuses, is not silent', async () => {
  await configure(COMMAND)
  await up()
  view.stale(new BoxError('NOT_PERMITTED'))
  await rig.world.pass(60 * MINUTE)
  expect(told).toEqual([])
})

test('rules about what devices say hold here too, and what is old changes nothing', async () => {
  await configure({ rules: [{ name: 'busy', when: 'load > 5', for: '1m' }], ...COMMAND })
  await up()
  heard(600)
  await rig.world.pass(30_000)
  view.stale(null)
  await rig.world.pass(60 * MINUTE)
  expect(told).toEqual([])
  heard(601)
  await rig.world.pass(2 * MINUTE)
  expect(told).toEqual(['fires kitchen busy'])
  view.stale(null)
  await rig.world.pass(60 * MINUTE)
  heard(100)
  await rig.world.pass(3 * MINUTE)
  expect(told).toEqual(['fires kitchen busy', 'over kitchen busy'])
})

test('what a device tells of is told once, also when it was over before anybody looked', async () => {
  await configure({ ...COMMAND, rules: [] })
  const first = await up()
  const since = seconds()
  heard(100, [recordOf(since - 7_000_000, since - 6_000_000)])
  await rig.world.pass(MINUTE)
  expect(told, 'what was over before the device was first heard').toEqual([])
  heard(100, [recordOf(since)])
  await rig.world.pass(MINUTE)
  heard(100, [{ ...recordOf(since), value: '94 %' }])
  await rig.world.pass(MINUTE)
  expect(told).toEqual(['fires kitchen disk'])
  await stop(first)
  await up()
  await rig.world.pass(MINUTE)
  expect(told, 'before the device is heard again').toEqual(['fires kitchen disk'])
  const over = recordOf(since, since + 60_000)
  heard(100, [over])
  await rig.world.pass(MINUTE)
  expect(told).toEqual(['fires kitchen disk', 'over kitchen disk'])
  heard(100, [recordOf(since + 120_000, since + 180_000), over])
  await rig.world.pass(MINUTE)
  expect(told.slice(2)).toEqual(['fires kitchen disk', 'over kitchen disk'])
})

test('of what somebody has taken note of nobody is told, nor that it is over', async () => {
  await configure({ ...COMMAND, rules: [] })
  await up()
  const { state, clock } = controller.context
  const since = seconds()
  const ack = { zone: zone(), rule: 'disk', sinces: [], at: clock.now() }
  await rig.world.until(acknowledge(state, { ...ack, until: clock.now() + 60 * MINUTE }), 1_000)
  heard(100, [recordOf(since)])
  await rig.world.pass(30 * MINUTE)
  expect(told).toEqual([])
  expect(view.alerts()).toMatchObject([{ acknowledged: true }])
  expect(view.cells().at(-2)).toBe('(disk)')
  heard(100, [recordOf(since, seconds())])
  await rig.world.pass(MINUTE)
  expect(told).toEqual([])
  heard(100, [recordOf(since + 600_000)])
  await rig.world.pass(28 * MINUTE)
  expect(told).toEqual([])
  await rig.world.pass(5 * MINUTE)
  expect(told, 'once its time is over').toEqual(['fires kitchen disk'])
})

test('a command that says later is asked again, one that fails is not', async () => {
  await configure({ ...COMMAND, rules: [] })
  const { watch } = await up()
  heard()
  ends = ['later', 'later', 'done', 'failed']
  const since = seconds()
  heard(100, [recordOf(since)])
  await rig.world.pass(10 * MINUTE)
  expect(told).toEqual(Array(3).fill('fires kitchen disk'))
  heard(100, [])
  await rig.world.pass(10 * MINUTE)
  expect(told.slice(3)).toEqual(['over kitchen disk'])
  expect(watch.deliveries).toEqual({ waiting: 0, failed: 1 })
})

test('a room hears it once its host is there, all that waits in one message, and once over a kill', async () => {
  await configure({ deliver: [{ room: 'ops' }], rules: [] })
  roomFailure = new BoxError('PEER_UNREACHABLE')
  const first = await up()
  heard()
  const since = seconds()
  heard(100, [recordOf(since)])
  await rig.world.pass(MINUTE)
  const { state } = controller.context
  const killed = state.readText('alert-book')!
  heard(100, [recordOf(since, since + 1_000)])
  await rig.world.pass(MINUTE)
  expect(first.watch.deliveries.waiting).toBe(2)
  roomFailure = null
  await rig.world.pass(20 * MINUTE)
  expect(said.map(({ text }) => text)).toEqual([
    'ALERT kitchen: disk: 93 % (disk_used_ratio > 90 % for 5m)',
    'over: kitchen: disk (93 %)',
  ])
  await stop(first)
  // As it was when box up was killed while it said so: the tag is the same.
  await state.exclusively(() => state.writeText('alert-book', killed))
  await up()
  await rig.world.pass(20 * MINUTE)
  expect(said.filter(({ text }) => text.startsWith('ALERT')).length).toBe(1)
})

test('the end of box up in the midst of saying something is no failure, and it is said after', async () => {
  await configure({ deliver: [{ room: 'ops' }], rules: [] })
  const first = await up()
  heard()
  roomFailure = new Error('what a visit fails with when the person pressed ^C')
  controller.interrupt(roomFailure)
  heard(100, [recordOf(seconds())])
  await rig.world.pass(MINUTE)
  await stop(first)
  expect(first.watch.deliveries).toEqual({ waiting: 1, failed: 0 })
})

test('what cannot be written down is told to nobody', async () => {
  await configure({ ...COMMAND, rules: [] })
  await up()
  heard()
  await rig.world.pass(MINUTE)
  const { state } = controller.context
  const write = state.writeText
  Object.assign(state, {
    writeText: () => {
      throw new BoxError('STATE_UNWRITABLE')
    },
  })
  heard(100, [recordOf(seconds())])
  await rig.world.pass(10 * MINUTE)
  expect(told).toEqual([])
  Object.assign(state, { writeText: write })
  await rig.world.pass(MINUTE)
  expect(told).toEqual(['fires kitchen disk'])
})

test('rules that become wrong leave those before, and say what is wrong', async () => {
  await configure(COMMAND)
  await up()
  await configure({ rules: [{ name: 'a', when: 'load >' }] })
  await rig.world.pass(11 * MINUTE)
  expect(told).toEqual(['fires kitchen silent'])
  expect(new AlertSight(controller.context).fault).toContain('Column 7')
})
