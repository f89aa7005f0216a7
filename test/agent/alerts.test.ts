/** The alerts of a device: rules that a bundle brings, what is kept, and what a room hears, once. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AlertRules, readDeviceRules } from '../../agent/alert-rules.ts'
import { DeviceAlerts } from '../../agent/alerts.ts'
import { AuditNotes } from '../../agent/audit-notes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { AuditLog, memoryEntries } from '../../src/box/audit.ts'
import { GrantBook } from '../../src/box/grant.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { World } from '../sim/world.ts'
import { toHex } from '../vectors.ts'

const MINUTE = 60_000
const LOOK = 10_000

let world: World
let directory: string
let store = memoryStore()
let said: [room: string, text: string, tag: string][]
let isRoomThere: boolean
let audit: AuditNotes

beforeEach(() => {
  world = new World(1)
  directory = mkdtempSync(join(tmpdir(), 'box-alerts-'))
  store = memoryStore()
  said = []
  isRoomThere = true
  const device = { zone: ZoneSecret.generate('EDKEY', world.random).zone }
  const grants = new GrantBook(memoryStore())
  audit = new AuditNotes({
    ...{ audit: new AuditLog(memoryEntries()), grants, device, clock: world, log: silentLog },
  })
})
afterEach(() => rmSync(directory, { recursive: true }))

const path = () => join(directory, 'alerts.json')
const push = (text: string) => writeFileSync(path(), text)

const start = (own: unknown = []) =>
  new DeviceAlerts({
    ...{ clock: world, log: silentLog, store, audit },
    rules: new AlertRules(readDeviceRules(own), path()),
    say: (room, text, tag) => {
      if (!isRoomThere) throw new BoxError('ROOM_UNKNOWN')
      const id = toHex(tag)
      if (!said.some(one => one[2] === id)) said.push([room, text, id])
    },
  })

async function pass(alerts: DeviceAlerts, ms: number, load: number): Promise<void> {
  for (let at = 0; at < ms; at += LOOK) {
    alerts.look(() => new Map([['_amount_load_hundredths', new TextEncoder().encode(`${load}`)]]))
    await world.pass(LOOK)
  }
}

const stateOf = (alerts: DeviceAlerts) =>
  alerts
    .look(() => new Map())
    .records.map(({ rule, until }) => `${rule} ${until === null ? 'fires' : 'over'}`)
const texts = () => said.map(([, text]) => text)

const BUSY = { name: 'busy', when: 'load > 5', for: '1m', room: 'ops' }

test('a rule fires and is over, in the audit journal, and in its room once each', async () => {
  const alerts = start([BUSY])
  await pass(alerts, 3 * MINUTE, 600)
  expect(stateOf(alerts)).toEqual(['busy fires'])
  await pass(alerts, 3 * MINUTE, 100)
  expect(stateOf(alerts)).toEqual(['busy over'])
  expect(texts()).toEqual(['ALERT busy: load 6 (load > 5 for 1m)', 'over: busy (load 6)'])
  expect(audit.all().map(({ what, detail, result, who }) => [who, what, detail, result])).toEqual([
    ['the device itself', 'alert', 'busy: load > 5 for 1m: load 6', 'fires'],
    ['the device itself', 'alert', 'busy: load > 5 for 1m: load 6', 'over'],
  ])
})

test('a restart makes no alert new, and what could not be said is said then, once', async () => {
  isRoomThere = false
  await pass(start([BUSY]), 3 * MINUTE, 600)
  expect(said).toEqual([])
  isRoomThere = true
  const again = start([BUSY])
  await pass(again, 3 * MINUTE, 600)
  await pass(start([BUSY]), 3 * MINUTE, 600)
  expect(texts()).toEqual(['ALERT busy: load 6 (load > 5 for 1m)'])
  expect(audit.all().length).toBe(1)
})

test('after an hour what could not be said is no news any more', async () => {
  isRoomThere = false
  const alerts = start([BUSY])
  await pass(alerts, 90 * MINUTE, 600)
  isRoomThere = true
  await pass(alerts, 5 * MINUTE, 600)
  expect(said).toEqual([])
  expect(stateOf(alerts)).toEqual(['busy fires'])
})

test('rules in a file come and go with it; one that is wrong leaves those before, and says where', async () => {
  const alerts = start()
  expect(alerts.look(() => new Map())).toEqual({ records: [], rules: [], fault: null })
  push(JSON.stringify([BUSY]))
  await pass(alerts, 3 * MINUTE, 600)
  expect(stateOf(alerts)).toEqual(['busy fires'])
  push('[{ "name": "busy", "when": "load >> 5" }]')
  await pass(alerts, LOOK, 600)
  const { rules, fault } = alerts.look(() => new Map())
  expect(rules).toEqual(['busy'])
  expect(fault).toBe(
    `${path()}: "when" of the rule "busy": Column 7 of the condition: a variable, a number or a text is expected, not ">".`,
  )
  rmSync(path())
  // Also where it is another run of the agent that finds the rule gone.
  const again = start()
  await pass(again, LOOK, 600)
  expect(again.look(() => new Map()).fault).toBeNull()
  expect(stateOf(again)).toEqual(['busy over'])
  expect(texts()).toEqual(['ALERT busy: load 6 (load > 5 for 1m)', 'over: busy (load 6)'])
})

test('a pushed rule takes the place of one of agent.json that has its name', () => {
  push(JSON.stringify([{ ...BUSY, when: 'load > 9' }]))
  const rules = new AlertRules(readDeviceRules([BUSY, { ...BUSY, name: 'other' }]), path())
  expect(rules.all().map(({ name, text }) => [name, text])).toEqual([
    ['other', 'load > 5 for 1m'],
    ['busy', 'load > 9 for 1m'],
  ])
})

test('what is kept and damaged is found out anew, and a full disk keeps no alert back', async () => {
  store.set('alerts', new TextEncoder().encode('{"version":1,"records":[{}]}'))
  store.set = () => {
    throw new BoxError('STATE_UNWRITABLE')
  }
  const alerts = start([BUSY])
  await pass(alerts, 3 * MINUTE, 600)
  expect(stateOf(alerts)).toEqual(['busy fires'])
  expect(texts().length).toBe(1)
})
