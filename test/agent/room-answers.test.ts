/** A device that is asked in a room: whom it answers, what, and how often. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Figures } from '../../agent/probes.ts'
import { statusLine } from '../../agent/room-answers.ts'
import { NO_SERVICES } from '../../agent/watched-services.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { memoryStore } from '../../src/base/store.ts'
import { NO_ALERTS } from '../../src/box/alert/report.ts'
import { GrantBook, type Right } from '../../src/box/grant.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { RoomHouse, type Visitor } from './room-house.ts'

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000

const figures = (now: number): Figures => ({
  ...{ load: 12, processors: 4, memory: { total: 1_000, available: 370 } },
  disks: new Map([
    ['/', { total: 100, used: 41 }],
    ['/srv', { total: 100, used: 90 }],
  ]),
  temperatures: new Map([
    ['cpu', 48_400],
    ['board', 31_000],
  ]),
  ...{ bootedAt: now - 76 * HOUR_MS, addresses: [], interfaces: new Map(), system: 'Debian' },
  ...{ configuration: null, alerts: NO_ALERTS, probes: [], services: NO_SERVICES, clock: null },
})
const LINE = 'up 3 d 4 h, load 0.12 of 4, memory 63 %, /srv 90 %, / 41 %, 48 °C, no alert'

let house: RoomHouse
let grants: GrantBook

beforeEach(() => {
  house = new RoomHouse(1)
  grants = new GrantBook(memoryStore())
  const look = () => figures(house.world.now())
  house.asked = { name: 'pi3', grants, look }
  house.restart()
})
afterEach(async () => {
  await house.close()
  expect(house.world.pending).toBe(0)
})

const grant = (
  zone: ZoneKey,
  rights: readonly Right[],
  deviceName: string,
  until: number | null = null,
) =>
  grants.set({
    ...{ zone, holder: 'somebody', deviceName, rights, until, since: house.world.now() },
    ...{ scope: WHOLE_SCOPE, number: 0 },
  })

/** A room with its owner, who calls the device kitchen, and Ada, who has no right there. */
async function withTwo() {
  const place = house.create('ops')
  const ada = house.person()
  house.invite(place, 'ada', ada.zone)
  grant(house.owner.zone, ['status', 'admin'], 'kitchen')
  const home = house.visit(place, house.owner)
  const other = house.visit(place, ada)
  await house.world.pass(SECOND_MS)
  return { place, ada, home, other }
}

/** Says it; what was said in the room after it. */
async function asked(who: Visitor, text: string, tag?: Uint8Array): Promise<string[]> {
  const before = who.texts.length
  await who.say(text, tag)
  await house.world.pass(5 * SECOND_MS)
  return who.texts.slice(before)
}

describe('a device that is asked how it is', () => {
  test('answers whoever has the right status, for all in the room, and as itself', async () => {
    const { home, other } = await withTwo()
    expect(await asked(home, '@kitchen status')).toEqual(['@kitchen status', LINE])
    expect(other.texts).toEqual(['@kitchen status', LINE])
    const { entity } = home.heard.at(-1)!
    const text = (name: string) =>
      new TextDecoder().decode(entity.find(one => one.name === name)?.value)
    expect(text('_nym_author')).toBe(encodeBase32(house.device.zone))
    expect(text('_nick_author')).toBe('pi3')
  })

  test('tells nobody else, whose right has ended included; and takes it back with the right', async () => {
    const { home, other, ada } = await withTwo()
    const refusal = 'I tell my status to whoever has the right status here.'
    expect(await asked(other, '@kitchen status')).toEqual(['@kitchen status', refusal])
    grant(ada.zone, ['shell', 'files'], 'hut')
    expect(await asked(other, '@kitchen status')).toEqual(['@kitchen status', refusal])
    grant(ada.zone, ['status'], 'hut', house.world.now() + HOUR_MS)
    expect(await asked(other, '@hut status')).toEqual(['@hut status', LINE])
    await house.world.pass(HOUR_MS)
    expect(await asked(other, '@kitchen status')).toEqual(['@kitchen status', refusal])
    grants.remove(house.owner.zone)
    expect((await asked(home, '@pi3 status')).at(-1)).toBe(refusal)
  })

  test.for([
    ['@PI3 status', true],
    ['@kitchen: status?', true],
    ['@kitchen, status', true],
    ['@pantry status', false],
    ['kitchen status', false],
    ['the @kitchen status', false],
    ['@kitchen statuses are nice', false],
    ['@kitchen', false],
  ] as const)('%j is meant: %j', async ([text, isMeant]) => {
    const { home } = await withTwo()
    expect((await asked(home, text)).slice(1)).toEqual(isMeant ? [LINE] : [])
  })

  test('says what it can be asked to whoever has a right there, and nothing to others', async () => {
    const { home, other } = await withTwo()
    expect((await asked(home, '@kitchen reboot')).slice(1)).toEqual(['I answer to: status'])
    expect((await asked(other, '@kitchen reboot')).slice(1)).toEqual([])
  })

  test('answers once, however often the question comes, over its own death as well', async () => {
    const { home } = await withTwo()
    const tag = house.world.random.bytes(16)
    expect(await asked(home, '@kitchen status', tag)).toHaveLength(2)
    expect(await asked(home, '@kitchen status', tag)).toEqual([])
    house.restart()
    await house.world.pass(120 * SECOND_MS)
    expect(await asked(home, '@kitchen status', tag)).toEqual([])
  })

  test('grows tired of whoever asks without end, and of nobody else', async () => {
    const { home, other } = await withTwo()
    for (let i = 0; i < 12; i++) await home.say('@kitchen status')
    await house.world.pass(5 * SECOND_MS)
    expect(home.texts.filter(text => text === LINE).length).toBeLessThanOrEqual(6)
    expect((await asked(other, '@kitchen status')).slice(1)).toHaveLength(1)
    await house.world.pass(60 * SECOND_MS)
    expect(await asked(home, '@kitchen status')).toEqual(['@kitchen status', LINE])
  })
})

test('a machine that knows little of itself says that', () => {
  const bare = {
    ...figures(0),
    ...{ load: null, memory: null, bootedAt: null, disks: new Map(), temperatures: new Map() },
  }
  expect(statusLine(bare, 0)).toBe('no alert')
  const record = { rule: 'disk', when: '', value: '', since: 1, until: null }
  const alerts = { ...NO_ALERTS, records: [record as never] }
  expect(statusLine({ ...bare, bootedAt: 0, alerts }, 3 * HOUR_MS)).toBe('up 3 h 0 min, ALERT disk')
})
