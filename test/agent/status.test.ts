/** The status place of a device: the whole state at once, changes that matter, and who may see it. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Figures } from '../../agent/probes.ts'
import { StatusPlace, settled } from '../../agent/status.ts'
import { NO_SERVICES } from '../../agent/watched-services.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { NO_ALERTS } from '../../src/box/alert/report.ts'
import { acceptHandshake, authenticate, type Session } from '../../src/box/handshake.ts'
import { clockReading, readClockReading } from '../../src/box/other-clock.ts'
import { servicePort } from '../../src/box/ports.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { forgetfulLedger } from '../../src/psyc/history.ts'
import { PlaceGuest } from '../../src/psyc/place-guest.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'

const FIGURES: Figures = {
  load: 100,
  processors: 4,
  memory: { total: 1_000_000, available: 500_000 },
  disks: new Map([['/', { total: 1_000, used: 400 }]]),
  temperatures: new Map([['cpu', 50_000]]),
  bootedAt: 1_800_000_000_000,
  addresses: ['192.0.2.7'],
  interfaces: new Map([['eth0', { received: 1, sent: 2 }]]),
  system: 'Debian',
  configuration: null,
  alerts: NO_ALERTS,
  probes: [],
  services: NO_SERVICES,
  clock: null,
}

let world: World
let net: FakeNet
let deviceMesh: FakeMesh
let status: StatusPlace
let figures: Figures
let device: ZoneSecret
const allowed = new Set<string>()
const met: Session[] = []
const guests: PlaceGuest[] = []

beforeEach(() => {
  world = new World(1)
  net = new FakeNet({ clock: world, random: world.random })
  deviceMesh = net.peer()
  device = ZoneSecret.generate('EDKEY', world.random)
  figures = FIGURES
  allowed.clear()
  guests.length = 0
  met.length = 0
  const { random } = world
  status = new StatusPlace({
    ...{ mesh: deviceMesh, device: device.zone, name: 'kitchen', clock: world, random },
    log: silentLog,
    allows: zone => allowed.has(`${zone}`),
    look: () => figures,
    met: session => met.push(session),
  })
  deviceMesh.listen(servicePort('place', device.zone), channel => {
    void acceptHandshake(channel, {
      ...{ self: deviceMesh.self, purpose: 'place', own: device, clock: world, random },
      admit: () => ({ payload: status.key }),
    }).then(
      session => status.serve(session),
      () => {},
    )
  })
})

afterEach(async () => {
  for (const guest of guests) guest.close()
  status.close()
  await world.pass(60_000)
  expect(world.pending).toBe(0)
})

/** Somebody who wants to see the status, and what became of it. */
function watcher(own = ZoneSecret.generate('EDKEY', world.random)) {
  const mesh = net.peer()
  const seen = { refused: 0, said: 0 }
  const node = { peer: deviceMesh.self, zone: device.zone }
  const guest = new PlaceGuest({
    ...{ place: status.key, host: node, self: { peer: mesh.self, zone: own.zone } },
    ...{ clock: world, random: world.random, store: memoryStore(), name: 'status' },
    ledger: forgetfulLedger,
    dial: async (_, signal) => {
      const channel = await mesh.connect(deviceMesh.self, servicePort('place', device.zone), {
        signal,
      })
      const session = await authenticate(channel, {
        ...{ self: mesh.self, purpose: 'place', own, device: device.zone, clock: world },
        ...{ random: world.random, signal, payload: () => clockReading(world.now()) },
      })
      return { zone: device.zone, channel: session.channel }
    },
    request: { method: '_request_enter' },
    events: {
      entered: () => {},
      refused: () => seen.refused++,
      said: () => seen.said++,
      attached: () => {},
    },
  })
  guests.push(guest)
  guest.enter()
  return { guest, seen, zone: own.zone }
}

const allow = (zone: ZoneKey) => allowed.add(`${zone}`)
const text = (guest: PlaceGuest, name: string) => {
  const value = guest.state.get(name)
  return value && Buffer.from(value).toString()
}

test('a late subscriber has everything at once, then hears what changes', async () => {
  const own = ZoneSecret.generate('EDKEY', world.random)
  allow(own.zone)
  await world.pass(3_600_000)
  const { guest, seen } = watcher(own)
  await world.pass(1_000)
  expect(text(guest, '_nick')).toBe('kitchen')
  expect(text(guest, '_amount_load_hundredths')).toBe('100')
  expect(seen.said).toBe(0)
  figures = { ...FIGURES, load: 300 }
  await world.pass(11_000)
  expect(text(guest, '_amount_load_hundredths')).toBe('300')
  expect(seen.said).toBe(1)
})

test('whoever comes says what time it is, between two moments of ours', async () => {
  const own = ZoneSecret.generate('EDKEY', world.random)
  allow(own.zone)
  watcher(own)
  await world.pass(1_000)
  const { payload, exchange } = met[0]!
  const time = readClockReading(payload)!
  // The two clocks of this world are one.
  const since = world.now() - world.elapsed()
  expect(time).toBeGreaterThan(exchange.askedAt + since)
  expect(time).toBeLessThan(exchange.cameAt + since)
})

test('a clock that is known a little better or worse is not told again', () => {
  const clock = { offsetMs: 100, errorMs: 40, comparedAt: 0 }
  const told = { ...FIGURES, clock }
  const next = (change: object) =>
    settled(told, { ...FIGURES, clock: { ...clock, ...change } }).clock!
  expect(next({ offsetMs: 130, errorMs: 45 })).toBe(clock)
  expect(next({ offsetMs: 3_600_100 }).offsetMs).toBe(3_600_100)
  expect(next({ errorMs: 4_000 }).errorMs).toBe(4_000)
  expect(settled({ ...FIGURES, clock: null }, told).clock).toBe(clock)
})

test('what changes while somebody follows is heard within two seconds', async () => {
  const own = ZoneSecret.generate('EDKEY', world.random)
  allow(own.zone)
  const { guest } = watcher(own)
  await world.pass(1_000)
  for (const load of [300, 500, 700]) {
    figures = { ...FIGURES, load }
    await world.pass(2_000)
    expect(text(guest, '_amount_load_hundredths')).toBe(`${load}`)
    await world.pass(777)
  }
})

test('what hardly changes is not sent, and counters once a minute', async () => {
  const own = ZoneSecret.generate('EDKEY', world.random)
  allow(own.zone)
  const { guest, seen } = watcher(own)
  await world.pass(1_000)
  let received = 1
  for (let i = 0; i < 60; i++) {
    received += 100
    figures = {
      ...FIGURES,
      load: 100 + (i % 5),
      memory: { total: 1_000_000, available: 500_000 + i },
      interfaces: new Map([['eth0', { received, sent: 2 }]]),
    }
    await world.pass(10_000)
  }
  expect(seen.said).toBeGreaterThan(5)
  expect(seen.said).toBeLessThan(15)
  expect(text(guest, '_amount_load_hundredths')).toBe('100')
})

test('who has no right is not let in; who loses it hears nothing more', async () => {
  const eve = watcher()
  const kris = watcher()
  allow(kris.zone)
  await world.pass(1_000)
  expect(eve.seen.refused).toBe(1)
  expect(eve.guest.state.under('')).toEqual([])
  expect(text(kris.guest, '_nick')).toBe('kitchen')
  allowed.clear()
  figures = { ...FIGURES, load: 900 }
  await world.pass(60_000)
  expect(kris.seen.refused).toBe(1)
  expect(text(kris.guest, '_amount_load_hundredths')).toBe('100')
})

test('small changes are not followed until they add up', () => {
  let told = FIGURES
  for (let used = 400; used < 409; used++)
    told = settled(told, { ...FIGURES, disks: new Map([['/', { total: 1_000, used }]]) })
  expect(told.disks.get('/')!.used).toBe(400)
  told = settled(told, { ...FIGURES, disks: new Map([['/', { total: 1_000, used: 410 }]]) })
  expect(told.disks.get('/')!.used).toBe(410)
  expect(settled(null, FIGURES)).toBe(FIGURES)
})
