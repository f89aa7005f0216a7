/** box room: from the command line to the device that hosts the room, and what is kept between two commands. */

import type { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { room } from '../../../controller/commands/room.ts'
import { Interrupted } from '../../../controller/output.ts'
import { RoomBook } from '../../../controller/room/book.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { type Controller, Rig } from '../rig.ts'
import { Hosting } from './hosting.ts'

let rig: Rig
let owner: Controller
let ada: Controller
let hosting: Hosting

const DEFAULTS = {
  ...{ words: [], on: undefined, as: undefined, open: false, last: 50, listen: false },
  deniable: false,
  ...{ forget: false, timeout: 20, state: undefined },
}

function begin(controller: Controller, action: string, name?: string, more: object = {}) {
  const { json } = controller.context.output
  const args = { ...DEFAULTS, json, action, room: name, ...more }
  return room.run(controller.context, args as never)
}

/** What it printed, and its exit code. */
async function run(controller: Controller, action: string, name?: string, more: object = {}) {
  controller.said.out = ''
  controller.said.err = ''
  const code = await rig.world.until(begin(controller, action, name, more), 200_000)
  return { code, ...controller.said }
}

const say = (controller: Controller, name: string, ...words: string[]) =>
  run(controller, 'say', name, { words })
const zoneOf = ({ context }: Controller) => zoneToText(context.ego().secret.zone)
const type = ({ context }: Controller, text: string) =>
  (context.stdio.input as PassThrough).write(text)
const end = ({ context }: Controller) => void (context.stdio.input as PassThrough).end()
/** Lines without the time. */
const talk = (text: string) => text.replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d /gm, '')

beforeEach(async () => {
  rig = new Rig(5)
  owner = await rig.controller()
  ada = await rig.controller({ ego: 'ada', input: null })
  hosting = new Hosting(rig, await rig.device(owner, 'kitchen'))
  await rig.world.pass(5_000)
})
afterEach(async () => {
  for (const { context } of [owner, ada]) await rig.world.until(context.close(), 60_000)
  rig.clean()
})

/** A room with both invited; the address Ada was given. */
async function made(more: object = {}): Promise<string> {
  await run(owner, 'create', 'ops', { on: 'kitchen', ...more })
  const { out } = await run(owner, 'invite', 'ops', { words: [zoneOf(ada)], as: 'adele' })
  return out.trim().split(' ').at(-1)!
}

describe('a room', () => {
  test('is created, entered by its address, talked in, and read', async () => {
    const address = await made()
    expect(address).toMatch(/^ops@000G\w{54}\.\w{52}$/)
    expect(await say(ada, address, 'hello', 'all')).toMatchObject({ code: 0, out: '' })
    await say(owner, 'ops', 'hello ada')
    expect(talk((await run(owner, 'history', 'ops')).out)).toBe(
      '-- home invites adele\n-- adele enters\nadele: hello all\nhome: hello ada\n',
    )
    // A newcomer has what was said since; and oneself is called as one calls oneself.
    const { out } = await run(ada, 'history', 'ops', { last: 3 })
    expect(talk(out)).toBe('ada: hello all\nhome: hello ada\n')
    expect((await run(ada, 'who', 'ops')).out).toBe(
      `home  ${zoneOf(owner)}\nada   ${zoneOf(ada)}\n`,
    )
    expect((await run(ada, 'ls')).out).toBe(`ops  -  provable  ${address}\n`)
    expect((await run(owner, 'ls')).out).toBe(`ops  kitchen  provable  ${address}\n`)
    expect((await run(owner, 'ls', undefined, { on: 'kitchen' })).out).toBe(
      `ops  provable  home adele  ${address}\n`,
    )
  })

  test('that is open shows newcomers what was said before', async () => {
    await run(owner, 'create', 'ops', { on: 'kitchen', open: true })
    await say(owner, 'ops', 'before')
    const { out } = await run(owner, 'invite', 'ops', { words: [zoneOf(ada)] })
    const staying = begin(ada, 'enter', out.trim().split(' ').at(-1)!)
    await rig.world.pass(5_000)
    end(ada)
    expect(await rig.world.until(staying, 30_000)).toBe(0)
    expect(talk(ada.said.out)).toBe(
      '-- home enters\nhome: before\n-- home invites ada\n-- ada enters\n',
    )
  })

  test('refuses who is not invited, who then does not keep it', async () => {
    const address = await made()
    const eve = await rig.controller({ ego: 'eve' })
    const refused = { code: 'NOT_PERMITTED' }
    for (const action of ['enter', 'say', 'history', 'who'])
      await expect(run(eve, action, address, { words: ['x'] })).rejects.toMatchObject(refused)
    expect(new RoomBook(eve.context.state).rooms()).toEqual([])
    await rig.world.until(eve.context.close(), 60_000)
  })

  test('is closed to who is put out, who still has what was heard; and gone for all once deleted', async () => {
    const address = await made()
    await say(ada, address, 'hello')
    await run(ada, 'history', 'ops')
    await run(owner, 'remove', 'ops', { words: ['adele'] })
    await say(owner, 'ops', 'without her')
    await expect(say(ada, 'ops', 'hello?')).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    const { code, out, err } = await run(ada, 'history', 'ops')
    expect([code, talk(out)]).toEqual([77, 'ada: hello\n'])
    expect(err).toContain('not invited')
    await run(owner, 'delete', 'ops')
    await expect(say(owner, 'ops', 'anybody')).rejects.toMatchObject({ code: 'ROOM_UNKNOWN' })
    await run(ada, 'leave', 'ops')
    expect(new RoomBook(ada.context.state).rooms()).toEqual([])
  })

  test('can be left, and is forgotten with all that was kept', async () => {
    await say(ada, await made(), 'bye')
    await run(ada, 'leave', 'ops')
    await expect(say(ada, 'ops', 'back')).rejects.toMatchObject({ code: 'ROOM_UNKNOWN' })
    expect(talk((await run(owner, 'history', 'ops')).out)).toMatch(/-- adele leaves\n$/)
  })

  test('whose host is away: what is known is shown, and nothing is said', async () => {
    await say(ada, await made(), 'hello')
    await run(ada, 'history', 'ops')
    hosting.stop()
    const { code, out, err } = await run(ada, 'history', 'ops')
    expect([code, talk(out)]).toEqual([75, 'ada: hello\n'])
    expect(err).toContain('This is what is known here.')
    await expect(say(ada, 'ops', 'anybody?')).rejects.toMatchObject({ family: 'unreachable' })
    await expect(run(ada, 'leave', 'ops')).rejects.toMatchObject({ family: 'unreachable' })
    await run(ada, 'leave', 'ops', { forget: true })
    expect(new RoomBook(ada.context.state).rooms()).toEqual([])
  })
})

describe('a deniable room', () => {
  const deniable = { deniable: true }

  test('says so in its address, in lists and at the door, and is talked in like any other', async () => {
    const address = await made(deniable)
    expect(address).toMatch(/^ops@000G\w{54}:deniable:\w{52}$/)
    const staying = begin(ada, 'enter', address)
    await rig.world.pass(5_000)
    expect(ada.said.err).toContain('-- ops is deniable: ')
    await say(owner, 'ops', 'hello ada')
    type(ada, 'hello all\n')
    await rig.world.pass(5_000)
    hosting.stop()
    await rig.world.pass(60_000)
    hosting.comeBack()
    await rig.world.pass(180_000)
    await say(owner, 'ops', 'again')
    end(ada)
    expect(await rig.world.until(staying, 60_000)).toBe(0)
    expect(talk(ada.said.out)).toBe('home: hello ada\nada: hello all\nhome: again\n')
    expect((await run(owner, 'ls')).out).toBe(`ops  kitchen  deniable  ${address}\n`)
    expect((await run(owner, 'ls', undefined, { on: 'kitchen' })).out).toContain('  deniable  ')
    const who = await run(owner, 'who', 'ops')
    expect(who.err).toContain('ops is deniable')
    expect(talk((await run(owner, 'history', 'ops')).out)).toContain(
      'adele: hello all\nhome: again\n',
    )
  })

  test('is beside those that are not, in files that versions without such rooms leave alone', async () => {
    await made(deniable)
    await run(owner, 'create', 'lab', { on: 'kitchen' })
    const { state } = owner.context
    const list = (file: string) => JSON.parse(state.readText(file)!).rooms.map(nameIn)
    const nameIn = ({ address }: { address: string }) => address.split('@')[0]
    expect([list('rooms'), list('deniable-rooms')]).toEqual([['lab'], ['ops']])
    await run(owner, 'delete', 'ops')
    expect(new RoomBook(state).rooms().map(({ name }) => name)).toEqual(['lab'])
    await run(owner, 'delete', 'lab')
    expect(new RoomBook(state).rooms()).toEqual([])
  })

  test('is not entered by an address of the other mode', async () => {
    const address = await made(deniable)
    const other = address.replace(':deniable:', '.')
    // Who does not know it is not let in: it takes another proof, and the host knows no such room.
    await expect(say(ada, other, 'hello')).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    await say(ada, address, 'hello')
    await expect(say(ada, other, 'hello')).rejects.toMatchObject({ code: 'PLACE_MODE' })
  })

  test('is not made by a device that knows only the other kind', async () => {
    const handle = hosting.device.handleRooms
    hosting.device.handleRooms = (request, zone) =>
      handle(request.do === 'create' ? { ...request, isDeniable: false } : request, zone)
    await expect(run(owner, 'create', 'ops', { on: 'kitchen', ...deniable })).rejects.toMatchObject(
      {
        code: 'PLACE_MODE',
        message: expect.stringContaining('box upgrade'),
      },
    )
    expect((await run(owner, 'ls', undefined, { on: 'kitchen' })).out).toBe('')
    expect(new RoomBook(owner.context.state).rooms()).toEqual([])
  })

  test('does not take a key that can only sign', async () => {
    await made(deniable)
    const { zone } = ZoneSecret.generate('PKEY', rig.world.random)
    const words = [zoneToText(zone)]
    await expect(run(owner, 'invite', 'ops', { words })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
  })
})

describe('who stays', () => {
  test('hears and is heard, over the death of the host, each word once', async () => {
    const staying = begin(ada, 'enter', await made(), { timeout: 120 })
    await rig.world.pass(5_000)
    type(ada, 'one\n')
    await rig.world.pass(5_000)
    await say(owner, 'ops', 'two')
    hosting.stop()
    await rig.world.pass(60_000)
    type(ada, 'three\n')
    await rig.world.pass(10_000)
    expect(ada.said.err).toContain('out of reach')
    hosting.comeBack()
    await rig.world.pass(180_000)
    await say(owner, 'ops', 'four')
    end(ada)
    expect(await rig.world.until(staying, 60_000)).toBe(0)
    expect(ada.said.err).toContain('there again')
    const words = 'ada: one\nhome: two\nada: three\nhome: four\n'
    expect(talk(ada.said.out)).toBe(words)
    // The next time: what was said since, and nothing twice.
    await say(owner, 'ops', 'five')
    const listening = expect(begin(ada, 'enter', 'ops', { listen: true })).rejects.toBeInstanceOf(
      Interrupted,
    )
    await rig.world.pass(5_000)
    ada.interrupt(new Interrupted())
    await rig.world.pass(5_000)
    await listening
    expect(talk(ada.said.out)).toBe(`${words}home: five\n`)
  })

  test('and ends the line says all that was typed, however fast, and comes back', async () => {
    const staying = begin(ada, 'enter', await made())
    const typed = Array.from({ length: 40 }, (_, i) => `line ${i}`)
    type(ada, `${typed.join('\n')}\n`)
    end(ada)
    expect(await rig.world.until(staying, 200_000)).toBe(0)
    expect(ada.said.err).toContain('more than the place takes at once')
    expect(talk(ada.said.out)).toBe(typed.map(text => `ada: ${text}\n`).join(''))
  })

  test('is told what is too long, and goes on', async () => {
    const staying = begin(ada, 'enter', await made())
    type(ada, `${'x'.repeat(10_000)}\nshort\n`)
    end(ada)
    expect(await rig.world.until(staying, 60_000)).toBe(64)
    expect(ada.said.err).toContain('not said')
    expect(talk(ada.said.out)).toBe('ada: short\n')
  })

  test('and is put out, is told so', async () => {
    const staying = begin(ada, 'enter', await made())
    const ended = expect(staying).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    await rig.world.pass(5_000)
    await run(owner, 'remove', 'ops', { words: [zoneOf(ada)] })
    await rig.world.pass(60_000)
    await ended
  })
})

test('several processes of one person: what each has learnt is put together', async () => {
  const address = await made()
  await say(ada, address, 'one')
  const staying = begin(ada, 'enter', 'ops')
  await rig.world.pass(5_000)
  // Others come and go meanwhile, and keys change with them.
  for (const text of ['two', 'three']) {
    const guest = await rig.controller({ ego: text })
    const { out } = await run(owner, 'invite', 'ops', { words: [zoneOf(guest)], as: text })
    await say(guest, out.trim().split(' ').at(-1)!, text)
    await run(owner, 'remove', 'ops', { words: [text] })
    await Promise.all([run(ada, 'history', 'ops'), say(owner, 'ops', `after ${text}`)])
    await rig.world.until(guest.context.close(), 60_000)
  }
  end(ada)
  expect(await rig.world.until(staying, 60_000)).toBe(0)
  const wanted = ['ada: one', 'two: two', 'home: after two', 'three: three', 'home: after three']
  const { out } = await run(ada, 'history', 'ops')
  expect(
    talk(out)
      .split('\n')
      .filter(line => line.includes(': ')),
  ).toEqual(wanted)
  hosting.stop()
  const kept = await run(ada, 'history', 'ops')
  expect(kept.out).toBe(out)
})

test.for([
  ['enter', undefined, {}, 'INPUT_INVALID'],
  ['enter', 'nowhere', {}, 'ROOM_UNKNOWN'],
  ['enter', 'ops@nowhere', {}, 'NAME_INVALID'],
  ['create', 'ops', {}, 'INPUT_INVALID'],
  ['create', 'my room', { on: 'kitchen' }, 'NAME_INVALID'],
  ['create', 'ops', { on: 'attic' }, 'DEVICE_UNKNOWN'],
] as const)('%s %s %j is %s', async ([action, name, more, code]) => {
  await expect(run(owner, action, name, more)).rejects.toMatchObject({ code })
})
