import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { create } from '../../../controller/room/owning.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { systemRandom } from '../../../src/sys/random.ts'
import { House } from './house.ts'

const house = new House()
let url = ''

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
  const options = {
    on: 'kitchen',
    as: undefined,
    isOpen: false,
    isDeniable: false,
    timeoutMs: 10_000,
  }
  await create(house.context, 'ops', options)
})
afterAll(() => house.stop())

/** Follows the room until it has said so much; all that was said. */
async function follow(path: string, wanted: string, gone: AbortController): Promise<string> {
  const headers = { authorization: `Bearer ${house.token}` }
  const answer = await fetch(url + path, { headers, signal: gone.signal })
  let text = ''
  for await (const piece of answer.body!) {
    text += new TextDecoder().decode(piece)
    if (text.includes(wanted)) break
  }
  return text
}

const say = async (text: string, room = 'ops') =>
  (await house.ask('POST', `/v1/rooms/${room}/messages`, { text })).statusCode

describe('rooms in the local API', () => {
  test('are listed with who hosts them', async () => {
    const { rooms } = (await house.ask('GET', '/v1/rooms')).json()
    expect(rooms).toEqual([
      {
        name: 'ops',
        host: 'kitchen',
        mode: 'provable',
        address: expect.stringMatching(/^ops@000G/),
      },
    ])
  })

  test('tell what was said before, then what is being said, each once, to all who listen', async () => {
    expect(await say('before')).toBe(200)
    const gone = new AbortController()
    const listening = [1, 2].map(() => follow('/v1/rooms/ops/events', '"text":"after"', gone))
    await follow('/v1/rooms/ops/events', '"text":"before"', gone)
    expect(await say('after')).toBe(200)
    for (const text of await Promise.all(listening))
      for (const word of ['before', 'after'])
        expect(text.split(`"text":"${word}"`), text).toHaveLength(2)
    gone.abort()
  })

  test('tell what was said and who is in it, while somebody listens and while nobody does', async () => {
    const history = async (query = '') =>
      (await house.ask('GET', `/v1/rooms/ops/history${query}`)).json()
    const both = [
      { room: 'ops', what: 'message', text: 'before', author: 'home' },
      { room: 'ops', what: 'message', text: 'after', author: 'home' },
    ]
    expect(await history('?last=2')).toMatchObject({ failure: null, messages: both })
    const gone = new AbortController()
    await follow('/v1/rooms/ops/events', '"text":"after"', gone)
    expect(await history('?last=1')).toMatchObject({ failure: null, messages: both.slice(1) })
    gone.abort()
    const zone = zoneToText(house.home.owner.zone)
    expect((await house.ask('GET', '/v1/rooms/ops/members')).json()).toEqual({
      ...{ members: [{ name: 'home', zone }], failure: null },
    })
    for (const path of ['ops/history?last=0', 'ops/history?last=x', 'ops/history?first=1'])
      expect((await house.ask('GET', `/v1/rooms/${path}`)).statusCode, path).toBe(400)
    for (const path of ['attic/history', 'attic/members'])
      expect((await house.ask('GET', `/v1/rooms/${path}`)).statusCode, path).toBe(404)
  })

  test('are left, also while somebody listens, who is told so', async () => {
    await house.ask('POST', '/v1/rooms', { name: 'den', on: 'kitchen' })
    expect(await say('hello', 'den')).toBe(200)
    const gone = new AbortController()
    const over = follow('/v1/rooms/den/events', 'event: over', gone)
    const rest = follow('/v1/rooms/den/events', '"text":"hello"', gone)
    await rest
    const leave = (body: object) => house.ask('POST', '/v1/rooms/den/leave', body)
    expect((await leave({ forget: 'yes' })).statusCode).toBe(400)
    expect((await leave({})).json()).toEqual({})
    expect(await over).toContain('event: over')
    expect((await leave({})).statusCode).toBe(404)
    const { rooms } = (await house.ask('GET', '/v1/rooms')).json()
    expect(rooms.map(({ name }: { name: string }) => name)).toEqual(['ops'])
  })

  test('take nothing that is empty or too long, and nothing for a room that there is not', async () => {
    expect(await say('')).toBe(400)
    expect(await say('x'.repeat(20_000))).toBe(400)
    expect(await say('hello', 'attic')).toBe(404)
    expect((await house.ask('GET', '/v1/rooms/attic/events')).statusCode).toBe(404)
    expect((await house.ask('GET', '/v1/rooms/..%2fops/events')).statusCode).toBe(400)
  })

  test('are made, opened to somebody, and deleted with what was said', async () => {
    const made = await house.ask('POST', '/v1/rooms', { name: 'lab', on: 'kitchen' })
    expect(made.json()).toEqual({
      ...{
        name: 'lab',
        host: 'kitchen',
        mode: 'provable',
        address: expect.stringMatching(/^lab@000G/),
      },
    })
    const again = await house.ask('POST', '/v1/rooms', { name: 'lab', on: 'kitchen' })
    expect([again.statusCode, again.json().error.code]).toEqual([400, 'NAME_TAKEN'])
    const nowhere = await house.ask('POST', '/v1/rooms', { name: 'den', on: 'attic' })
    expect(nowhere.statusCode).toBe(404)
    const person = zoneToText(ZoneSecret.generate('EDKEY', systemRandom).zone)
    const invited = await house.ask('POST', '/v1/rooms/lab/invite', { person, as: 'ada' })
    expect(invited.json()).toEqual({
      ...{ room: 'lab', person_zone: person, address: made.json().address },
    })
    const out = () => house.ask('POST', '/v1/rooms/lab/remove', { person: 'ada' })
    expect((await out()).json()).toEqual({})
    expect((await out()).statusCode).not.toBe(200)
    expect(await say('hello', 'lab')).toBe(200)
    expect((await house.ask('DELETE', '/v1/rooms/lab')).json()).toEqual({})
    expect(await say('hello', 'lab')).toBe(404)
  })
})
