/**
 * Members that hand on beside those that only listen: the host hands on to few, whoever is lost is replaced, and
 * nobody stays outside because the others cannot take them.
 */

import { expect, test } from 'vitest'
import { PlaceForward } from '../../src/psyc/messages.ts'
import { type Person, PlaceWorld, textOf } from './place-world.ts'

const FANOUT = 3
const open = (seed: number) => new PlaceWorld(seed, { fanout: FANOUT, overflowMax: 100 })

const joinLeaf = (place: PlaceWorld): Person =>
  place.join(undefined, place.newZone(), { isLeaf: true })

async function come(place: PlaceWorld, count: number, join: (place: PlaceWorld) => Person) {
  const people: Person[] = []
  for (let i = 0; i < count; i++) {
    people.push(join(place))
    await place.world.pass(500)
  }
  return people
}

/** Says something; how many times the host sent it. */
async function say(place: PlaceWorld, text: string): Promise<number> {
  let sent = 0
  place.seen = raw => {
    if (raw[8] === PlaceForward.type >> 8 && raw[9] === (PlaceForward.type & 0xff)) {
      const { hop } = PlaceForward.decode(raw.subarray(6, 6 + (raw[4]! << 8) + raw[5]!))
      if (hop === 1) sent++
    }
  }
  place.say(text)
  await place.world.pass(5_000)
  return sent
}

const heard = ({ heard: all }: Person) => all.map(textOf)

test('leaves hang below members that hand on, and the host sends no more than its fan-out', async () => {
  const place = open(1)
  const leaves = await come(place, 5, joinLeaf)
  // Nobody else is there: the host takes all.
  expect(place.host.children.size).toBe(5)
  const relays = await come(place, 5, one => one.join())
  await place.world.pass(60_000)
  expect(place.host.children.size).toBe(FANOUT)
  expect(await say(place, 'hello')).toBe(FANOUT)
  for (const one of [...leaves, ...relays]) expect(heard(one), one.name).toEqual(['hello'])
  for (const one of relays) expect(one.guest!.childCount).toBeLessThanOrEqual(FANOUT)
  await place.close()
  expect(place.world.pending).toBe(0)
})

test('who loses the one above finds another, and nothing is missed', async () => {
  const place = open(2)
  const relays = await come(place, 5, one => one.join())
  const leaves = await come(place, 4, joinLeaf)
  await place.world.pass(60_000)
  const parent = relays.find(({ guest }) => guest!.childCount > 0)!
  place.kill(parent)
  await say(place, 'while nobody is there')
  await place.world.pass(60_000)
  const others = [...relays, ...leaves].filter(one => one !== parent)
  for (const one of others) {
    expect(one.isAttached, one.name).toBe(true)
    expect(heard(one), one.name).toEqual(['while nobody is there'])
  }
  expect(await say(place, 'after')).toBeLessThanOrEqual(FANOUT)
  await place.close()
})

test('who finds no place below others is taken by the host after all', async () => {
  const place = open(3)
  // Two can hand on, to three each; one of them cannot be dialled.
  const [hidden, relay] = await come(place, 2, one => one.join())
  await place.world.pass(1_000)
  place.hide(hidden!)
  const leaves = await come(place, 8, joinLeaf)
  await place.world.pass(120_000)
  for (const one of leaves) expect(one.isAttached, one.name).toBe(true)
  expect(relay!.guest!.childCount).toBe(FANOUT)
  await say(place, 'all')
  for (const one of leaves) expect(heard(one), one.name).toEqual(['all'])
  // Once there are others who hand on, they are found, one after the other.
  const direct = place.host.children.size
  expect(direct).toBeGreaterThan(FANOUT)
  await come(place, 4, one => one.join())
  await place.world.pass(8 * 5 * 60_000)
  expect(place.host.children.size).toBe(FANOUT)
  for (const one of leaves) expect(one.isAttached, one.name).toBe(true)
  await place.close()
})

test('when the host was away, its members hang in a tree again and not all below it', async () => {
  const place = open(4)
  const relays = await come(place, 10, one => one.join())
  await place.world.pass(30_000)
  place.killHost()
  await place.world.pass(90_000)
  place.reviveHost()
  await place.world.pass(180_000)
  for (const one of relays) expect(one.isAttached, one.name).toBe(true)
  expect(place.host.children.size).toBeLessThanOrEqual(FANOUT)
  await place.close()
})
