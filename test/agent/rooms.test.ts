/** The rooms of a device: who may come, what survives a restart and a full disk, and how much anybody may take. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PEOPLE_MAX, ROOMS_MAX, Rooms } from '../../agent/rooms.ts'
import type { Log } from '../../src/base/log.ts'
import { membersIn } from '../../src/psyc/member-list.ts'
import { modifier } from '../../src/psyc/packet.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { RoomHouse, type Visitor } from './room-house.ts'

const SECOND_MS = 1_000

let house: RoomHouse
let noted: string[]
const log: Log = { note: (level, area, event) => void noted.push(`${level} ${area} ${event}`) }

beforeEach(() => {
  noted = []
  house = new RoomHouse(1, log)
})
afterEach(async () => {
  await house.close()
  expect(house.world.pending).toBe(0)
})

/** A room with its owner and Ada in it. */
async function withTwo(isOpen = false) {
  const place = house.create('ops', isOpen)
  const ada = house.person()
  house.invite(place, 'ada', ada.zone)
  const visitors = [house.visit(place, house.owner), house.visit(place, ada)] as const
  await house.world.pass(SECOND_MS)
  return { place, ada, visitors }
}

const authorsOf = ({ heard }: Visitor) =>
  heard.flatMap(({ method, entity }) => {
    const text = (name: string) =>
      new TextDecoder().decode(entity.find(one => one.name === name)?.value)
    return method === '_message' ? [[text('_nick_author'), text('_nym_author')]] : []
  })

describe('who comes', () => {
  test('speaks and is heard, under the name and key that the host vouches for', async () => {
    const { ada, visitors } = await withTwo()
    const [home] = visitors
    await visitors[1].say('hello')
    await house.world.pass(SECOND_MS)
    expect(home.texts).toEqual(['hello'])
    expect(authorsOf(home)).toEqual([['ada', encodeBase32(ada.zone)]])
    const forged = visitors[1].guest.talk({
      method: '_message',
      entity: [modifier(':', '_nym_author', encodeBase32(house.owner.zone))],
    })
    await expect(house.world.until(forged, 10_000)).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
  })

  test('uninvited, is refused before it has said anything, like whoever names no room', async () => {
    const { place } = await withTwo()
    const eve = house.visit(place, house.person())
    const lost = house.visit(new Uint8Array(32), house.owner)
    await house.world.pass(SECOND_MS)
    for (const { refused, guest } of [eve, lost]) {
      expect(refused?.code).toBe('NOT_PERMITTED')
      expect([guest.isIn, guest.last]).toEqual([false, 0n])
    }
  })

  test('later than what was said, catches up; a newcomer only where the room is open', async () => {
    const { place, visitors } = await withTwo(true)
    const [home, ada] = visitors
    ada.stop()
    await home.say('one')
    await home.say('two')
    const bert = house.person()
    house.invite(place, 'bert', bert.zone)
    const newcomer = house.visit(place, bert)
    ada.return()
    await house.world.pass(60 * SECOND_MS)
    expect(ada.texts).toEqual(['one', 'two'])
    const all = newcomer.guest.messages({ method: '_message' })
    expect(all.map(({ data }) => `${new TextDecoder().decode(data)}`)).toEqual(['one', 'two'])
    expect(newcomer.guest.messages({}).map(({ id }) => id)).toEqual(
      home.guest.messages({}).map(({ id }) => id),
    )
  })

  test('and is put out, reads nothing more and is not let in again', async () => {
    const { place, ada, visitors } = await withTwo()
    const [home, out] = visitors
    house.ask({ do: 'remove', place, person: 'ada' })
    await home.say('among us')
    await house.world.pass(120 * SECOND_MS)
    expect(out.texts).toEqual([])
    expect(out.refused?.code).toBe('NOT_PERMITTED')
    expect(home.heard.some(({ method }) => method === '_notice_place_leave_removed')).toBe(true)
    expect(() => house.ask({ do: 'remove', place, person: 'ada' })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
    // Again in, it reads what is said from then on.
    house.invite(place, 'ada', ada.zone)
    out.stop()
    out.return()
    await house.world.pass(10 * SECOND_MS)
    await home.say('welcome back')
    await house.world.pass(60 * SECOND_MS)
    expect(out.texts).toEqual(['welcome back'])
  })

  test('and leaves, needs to be invited again', async () => {
    const { place, visitors } = await withTwo()
    const [, ada] = visitors
    await house.world.until(ada.guest.leave(), 10 * SECOND_MS)
    ada.stop()
    ada.return()
    await house.world.pass(60 * SECOND_MS)
    expect(ada.refused?.code).toBe('NOT_PERMITTED')
    expect(house.ask({ do: 'show', place }).people.map(({ nick }) => nick)).toEqual(['home'])
  })

  test('is called as the one who invited says, and no two alike', async () => {
    const { place, ada, visitors } = await withTwo()
    for (const nick of ['home', 'HOME'])
      expect(() => house.invite(place, nick)).toThrow(
        expect.objectContaining({ code: 'NAME_TAKEN' }),
      )
    house.invite(place, 'adele', ada.zone)
    await visitors[1].say('hello')
    await house.world.pass(SECOND_MS)
    expect(authorsOf(visitors[0])).toEqual([['adele', encodeBase32(ada.zone)]])
    const nicks = new TextDecoder().decode(visitors[0].guest.state.get('_dict_nicks')!)
    expect(nicks).toContain(`{${encodeBase32(ada.zone)}} adele`)
    expect(nicks).not.toMatch(/} ada($|{)/)
  })
})

test('processes of one person that share a peer do not push each other out', async () => {
  const { place, ada, visitors } = await withTwo()
  const other = house.visit(place, ada, visitors[1].mesh)
  await house.world.pass(60 * SECOND_MS)
  let messages = 0
  house.net.tamper = raw => {
    messages++
    return raw
  }
  await visitors[0].say('hello')
  await house.world.pass(SECOND_MS)
  expect([visitors[1].texts, other.texts]).toEqual([['hello'], ['hello']])
  expect(messages).toBeLessThan(20)
})

describe('killed and started again', () => {
  test('it has all that was accepted, once, and the same people', async () => {
    const { place, visitors } = await withTwo()
    const [home, ada] = visitors
    const tag = new Uint8Array(16).fill(3)
    await home.say('one')
    await home.say('two', tag)
    house.restart()
    // The answer was lost: it is asked again, and said once.
    await home.say('two', tag)
    await home.say('three')
    await house.world.pass(120 * SECOND_MS)
    for (const { texts } of [home, ada]) expect(texts).toEqual(['one', 'two', 'three'])
    expect(house.ask({ do: 'show', place }).people.map(({ isIn }) => isIn)).toEqual([true, true])
    await ada.say('four')
    await house.world.pass(SECOND_MS)
    expect(home.texts.at(-1)).toBe('four')
  })

  test('a room that is damaged is said to be so, can be deleted, and keeps no other down', async () => {
    const place = house.create('ops')
    const other = house.create('other')
    const name = `room-${encodeBase32(place)}`
    house.store.set(name, new TextEncoder().encode('{'))
    house.restart()
    expect(noted).toContain('error rooms not hosted')
    expect(() => house.invite(place, 'ada')).toThrow(
      expect.objectContaining({ code: 'STATE_UNREADABLE' }),
    )
    const home = house.visit(other, house.owner)
    await house.world.pass(SECOND_MS)
    expect(home.guest.isIn).toBe(true)
    house.ask({ do: 'delete', place })
    expect(house.store.names().filter(one => one.startsWith(name))).toEqual([])
    expect(house.rooms.handle({ do: 'list' }, { zone: house.owner.zone, nick: '' })).toHaveLength(1)
  })

  test('what a deletion has left behind goes', () => {
    const place = house.create()
    const files = () => house.store.names().filter(name => name.startsWith('room-'))
    expect(files()).toHaveLength(2)
    const book = house.store.get('rooms')!
    house.ask({ do: 'delete', place })
    expect(files()).toEqual([])
    house.store.set('rooms', book)
    house.restart()
    expect(files()).toHaveLength(2)
    house.store.set('rooms', new TextEncoder().encode('{"version":1,"rooms":[]}'))
    house.restart()
    expect(files()).toEqual([])
  })
})

describe('a deniable room', () => {
  beforeEach(() => {
    house.isDeniable = true
  })

  test('goes on over a restart, with the state that it had', async () => {
    const { place, visitors } = await withTwo(true)
    await visitors[1].say('one')
    house.restart()
    await house.world.pass(300_000)
    await visitors[1].say('two')
    await house.world.pass(4 * 3_600_000)
    expect(visitors[0].texts).toEqual(['one', 'two'])
    expect(house.ask({ do: 'show', place }).isDeniable).toBe(true)
  })

  test('lies in files of its own, which a version without such rooms neither hosts nor deletes', async () => {
    house.isDeniable = false
    const signed = house.create('signed')
    house.isDeniable = true
    const place = house.create('ops')
    const names = house.store.names()
    expect(names.filter(name => name.startsWith('room-'))).toHaveLength(2)
    expect(names).toContain(`deniable-room-${encodeBase32(place)}`)
    const book = new TextDecoder().decode(house.store.get('rooms')!)
    expect(JSON.parse(book).rooms.map(({ name }: { name: string }) => name)).toEqual(['signed'])
    house.restart()
    house.ask({ do: 'delete', place: signed })
    house.restart()
    const { rooms } = house
    const left = rooms.handle({ do: 'list' }, { zone: house.owner.zone, nick: '' })
    expect(left.map(({ name, isDeniable }) => [name, isDeniable])).toEqual([['ops', true]])
  })

  test('is not there for whoever comes to prove by a signature that they were in it', async () => {
    const place = house.create('ops')
    house.isDeniable = false
    const signing = house.visit(place, house.owner)
    await house.world.pass(SECOND_MS)
    expect(signing.refused?.code).toBe('NOT_PERMITTED')
    expect(signing.guest.isIn).toBe(false)
  })
})

test('with a full disk it says so, takes nothing, and goes on when there is room', async () => {
  const { place, visitors } = await withTwo()
  const [home, ada] = visitors
  house.room = 0
  await expect(ada.say('lost')).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' })
  expect(() => house.invite(place, 'bert')).toThrow(
    expect.objectContaining({ code: 'STATE_UNWRITABLE' }),
  )
  // However far it comes before the disk is full again: it is done by doing it again.
  let failures = 0
  for (let isOut = false; !isOut && failures < 10; ) {
    house.room = failures
    try {
      house.ask({ do: 'remove', place, person: 'ada' })
      isOut = true
    } catch (error) {
      expect(error).toMatchObject({ code: 'STATE_UNWRITABLE' })
      failures++
    }
    await house.world.pass(SECOND_MS)
  }
  house.room = Infinity
  expect(failures).toBeGreaterThan(2)
  expect(house.ask({ do: 'show', place }).people).toHaveLength(1)
  await home.say('we are well')
  await house.world.pass(180 * SECOND_MS)
  expect(home.texts).toEqual(['we are well'])
  expect(ada.texts).toEqual([])
  expect(membersIn(home.guest.state).map(({ nick }) => nick)).toEqual(['home'])
})

describe('nobody fills the disk', () => {
  test('by talking much: so much at once, then so much a minute', async () => {
    const { visitors } = await withTwo()
    const [home, ada] = visitors
    let said = 0
    await expect(
      (async () => {
        for (; said < 1_000; said++) await ada.say(`${said}`)
      })(),
    ).rejects.toMatchObject({ code: 'TALK_TOO_FAST' })
    expect(said).toBeLessThan(60)
    await home.say('others are heard all the same')
    await house.world.pass(60 * SECOND_MS)
    await ada.say('again')
  })

  test('by talking long', async () => {
    const { visitors } = await withTwo()
    await visitors[1].say('x'.repeat(4_096))
    await expect(visitors[1].say('x'.repeat(5_000))).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
  })

  test('by rooms, or by people in them', () => {
    for (let i = 0; i < ROOMS_MAX; i++) house.create(`room${i}`)
    expect(() => house.create('one-more')).toThrow(expect.objectContaining({ code: 'ROOM_LIMIT' }))
    expect(() => house.create('room1')).toThrow(expect.objectContaining({ code: 'NAME_TAKEN' }))
    const [room] = house.rooms.handle({ do: 'list' }, { zone: house.owner.zone, nick: '' })
    for (let i = 1; i < PEOPLE_MAX; i++) house.invite(room!.place, `p${i}`)
    expect(() => house.invite(room!.place, 'more')).toThrow(
      expect.objectContaining({ code: 'ROOM_LIMIT' }),
    )
  })

  test('by coming again and again', async () => {
    const { place, ada } = await withTwo()
    let writes = 0
    const { set } = house.store
    house.store.set = (name, value) => {
      writes++
      set(name, value)
    }
    house.restart()
    writes = 0
    // Each has a secret of its own, which the host would have to write down.
    for (let i = 0; i < 40; i++) {
      const one = house.visit(place, ada)
      await house.world.pass(100)
      one.stop()
    }
    expect(writes).toBeGreaterThan(0)
    expect(writes).toBeLessThan(12)
  })
})

test('a list of rooms that is damaged is told at the start', () => {
  house.store.set('rooms', new TextEncoder().encode('{"version":1,"rooms":[{}]}'))
  const { world, store, mesh, device } = house
  expect(
    () =>
      new Rooms({
        ...{ clock: world, random: world.random, log, store },
        self: { peer: mesh.self, zone: device.zone },
        openLedger: () => {
          throw new Error('nothing to open')
        },
      }),
  ).toThrow(expect.objectContaining({ code: 'STATE_UNREADABLE' }))
})

test('what the device says itself is heard once under its name, also over a restart', async () => {
  const { visitors } = await withTwo()
  const tag = new Uint8Array(16).fill(7)
  const say = () => house.rooms.say('ops', 'ALERT disk', { nick: 'hut', tag })
  say()
  say()
  await house.world.pass(SECOND_MS)
  house.restart()
  say()
  await house.world.pass(60 * SECOND_MS)
  expect(visitors[0].texts).toEqual(['ALERT disk'])
  expect(authorsOf(visitors[0])).toEqual([['hut', encodeBase32(house.device.zone)]])
  expect(() => house.rooms.say('none', 'x', { nick: 'hut', tag })).toThrow('no such room')
})
