/** Members of a room who have another key: the same people, who read on; and nobody by the key before. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { membersIn } from '../../src/psyc/member-list.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { RoomHouse } from './room-house.ts'

const SECOND_MS = 1_000

let house: RoomHouse
beforeEach(() => {
  house = new RoomHouse(1)
})
afterEach(async () => {
  await house.close()
  expect(house.world.pending).toBe(0)
})

test.for([false, true])(
  'whoever has another key reads on where they were, over a restart, deniable: %s',
  async isDeniable => {
    house.isDeniable = isDeniable
    const place = house.create()
    const ada = house.person()
    house.invite(place, 'ada', ada.zone)
    const [home, other] = [house.visit(place, house.owner), house.visit(place, ada)]
    await house.world.pass(SECOND_MS)
    await other.say('one')
    await house.world.pass(SECOND_MS)
    other.stop()
    await home.say('two')
    const key = house.person()
    expect(house.rooms.succeed(ada.zone, key.zone)).toBe(true)
    expect(house.rooms.succeed(ada.zone, key.zone)).toBe(false)
    await home.say('three')
    house.restart()
    await house.world.pass(60 * SECOND_MS)
    // Whoever has the key before, with all that was kept under it.
    other.return()
    await house.world.pass(60 * SECOND_MS)
    expect(other.refused?.code).toBe('NOT_PERMITTED')
    expect(other.texts).not.toContain('three')
    other.stop()
    other.own = key
    other.refused = null
    other.return()
    await house.world.pass(60 * SECOND_MS)
    expect(other.refused).toBe(null)
    await other.say('four')
    await house.world.pass(60 * SECOND_MS)
    for (const { texts } of [home, other]) expect(texts).toEqual(['one', 'two', 'three', 'four'])
    const { entity } = home.heard.at(-1)!
    const author = entity.find(({ name }) => name === '_nym_author')!.value
    expect(new TextDecoder().decode(author)).toBe(encodeBase32(key.zone))
    const listed = [house.owner, key].map(one => encodeBase32(one.zone))
    for (const { guest } of [home, other])
      expect(membersIn(guest.state).map(({ nym }) => nym)).toEqual(listed)
    const people = house.ask({ do: 'show', place }).people.map(({ nick, isIn }) => [nick, isIn])
    expect(people).toEqual([
      ['home', true],
      ['ada', true],
    ])
  },
)

test('whoever was invited by both is in once, by the new one, and who has not come may come by it', async () => {
  const place = house.create()
  const [ada, key, bob, heir] = Array.from({ length: 4 }, () => house.person())
  house.invite(place, 'ada', ada!.zone)
  house.invite(place, 'ada again', key!.zone)
  house.invite(place, 'bob', bob!.zone)
  const visitors = [ada!, key!].map(own => house.visit(place, own))
  await house.world.pass(SECOND_MS)
  house.rooms.succeed(ada!.zone, key!.zone)
  house.rooms.succeed(bob!.zone, heir!.zone)
  await house.world.pass(60 * SECOND_MS)
  expect(visitors.map(({ refused }) => refused?.code)).toEqual(['NOT_PERMITTED', undefined])
  const late = house.visit(place, heir!)
  await house.world.pass(10 * SECOND_MS)
  expect(late.guest.isIn).toBe(true)
  const { people } = house.ask({ do: 'show', place })
  expect(people.map(({ nick }) => nick)).toEqual(['home', 'ada', 'bob'])
})
