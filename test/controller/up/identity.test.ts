/** Who we are, over the API: another key while `box up` goes on, and the end of somebody's key. */

import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { addHub } from '../../../controller/hubs.ts'
import { readSshKey } from '../../../controller/ssh-key.ts'
import { addByKey } from '../../../controller/talk/acquaintance.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { systemRandom } from '../../../src/sys/random.ts'
import { Friend } from './friend.ts'
import { House } from './house.ts'
import { linesOf } from './up-over.ts'

// In real time: what others do is looked for every two seconds.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })
const POLL = { timeout: 50_000, interval: 50 }

const house = new House()
let ada: Friend

beforeAll(async () => {
  await house.start()
  const hub = house.home.net.peer()
  await addHub(house.context.state, hub.hello())
  const mesh = await house.context.mesh()
  mesh.introduce(hub.hello())
  house.hall.stay(mesh)
  ada = await Friend.at(house, hub, 'ada')
})
afterAll(async () => {
  await ada.stop()
  await house.stop()
})

const id = () => zoneToText(house.context.ego().secret.zone)
const rotate = (body: object) => house.ask('POST', '/v1/rotate', body)
const about = async () => (await house.ask('GET', '/v1/about')).json()
const known = async () => (await house.ask('GET', '/v1/devices/kitchen')).json()
const runs = async () => {
  const exec = { selector: 'kitchen', command: 'echo on' }
  return (await house.ask('POST', '/v1/exec', exec)).payload
}
const talk = async (text: string) => {
  const said = { text, wait: true }
  return (await house.ask('POST', '/v1/contacts/ada/messages', said)).json()
}

test('a new key has to be said twice, and nothing else is rotated so', async () => {
  const before = id()
  for (const body of [{ key: 'ego' }, { key: 'ego', confirm: '' }, { key: 'device' }, {}])
    expect((await rotate(body)).statusCode, JSON.stringify(body)).toBe(400)
  const wrong = await rotate({ key: 'ego', confirm: 'kitchen' })
  expect(wrong.json().error).toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringContaining('"confirm" has to be "home"'),
  })
  expect(id()).toBe(before)
})

test('a new key is told to device, room and contact, and all that was open goes on by it', async () => {
  await ada.come()
  await addByKey(ada.context, ada.book, house.context.ego().secret.zone, 'home')
  await house.ask('POST', '/v1/contacts', { as: 'ada', key: ada.key })
  await expect.poll(async () => (await talk('before')).is, POLL).toBe('heard')
  expect((await house.ask('POST', '/v1/rooms', { name: 'ops', on: 'kitchen' })).statusCode).toBe(
    200,
  )
  await house.ask('POST', '/v1/rooms/ops/messages', { text: 'before' })
  await expect.poll(async () => (await known()).stale, POLL).toBe(false)
  expect(await runs()).toContain('"exit_code":0')
  const before = id()

  const [first, second] = [
    rotate({ key: 'ego', confirm: 'home' }),
    rotate({ key: 'ego', confirm: 'home' }),
  ]
  const answers = await Promise.all([first, second])
  expect(answers.map(({ statusCode }) => statusCode).toSorted()).toEqual([200, 409])
  const lines = linesOf(answers.find(({ statusCode }) => statusCode === 200)!)
  expect(lines).toEqual([
    { key: 'ego', id: id(), before },
    { name: 'kitchen', result: 'done', error: null },
    { room: 'ops', result: 'done', error: null },
    { contact: 'ada', result: 'done', error: null },
    { exit_code: 0 },
  ])
  expect(JSON.stringify(lines)).not.toContain(
    Buffer.from(house.context.ego().secret.bytes).toString('hex'),
  )
  expect(id()).not.toBe(before)
  expect((await about()).id).toBe(id())

  expect(await runs()).toContain('"exit_code":0')
  await expect.poll(async () => (await known()).stale, POLL).toBe(false)
  const { grants } = (await house.ask('GET', '/v1/devices/kitchen/grants')).json()
  expect(grants.map((one: { holder_zone: string }) => one.holder_zone)).toContain(id())
  expect(ada.book.contacts().map(({ zone }) => zoneToText(zone))).toEqual([id()])
  expect(await talk('after')).toMatchObject({ is: 'heard' })
  await ada.say('home', 'I know')
  await expect
    .poll(async () => (await house.ask('GET', '/v1/contacts/ada/messages')).payload, POLL)
    .toContain('I know')
  expect((await house.ask('POST', '/v1/rooms/ops/messages', { text: 'after' })).statusCode).toBe(
    200,
  )
  const { messages, failure } = (await house.ask('GET', '/v1/rooms/ops/history')).json()
  expect(failure).toBeNull()
  expect(messages.flatMap(({ text }: { text?: string }) => text ?? [])).toEqual(['before', 'after'])
})

test('ssh gets another key, which devices need not know', async () => {
  const before = await readSshKey(house.context.state)
  expect(linesOf(await rotate({ key: 'ssh' }))).toEqual([{ key: 'ssh' }, { exit_code: 0 }])
  expect(await readSshKey(house.context.state)).not.toEqual(before)
  house.shells.close()
  expect(await runs()).toContain('"exit_code":0')
})

test('the key of somebody is ended on all devices, where it is said twice, and never our own', async () => {
  const person = zoneToText(ZoneSecret.generate('EDKEY', systemRandom).zone)
  const revoke = (body: object) => house.ask('POST', '/v1/revoke', body)
  const granted = { person, as: 'eve', rights: ['status'] }
  await house.ask('POST', '/v1/devices/kitchen/grants', granted)
  for (const body of [
    ...[{}, { person }, { person, confirm: person.slice(1) }],
    ...[
      { person: id(), confirm: id() },
      { person: 'nobody', confirm: 'nobody' },
    ],
  ])
    expect((await revoke(body)).statusCode, JSON.stringify(body)).toBe(400)
  expect(readdirSync(house.directory)).not.toContain('revocations')
  expect(linesOf(await revoke({ person: 'eve', confirm: 'eve' }))).toEqual([
    { revoked: person },
    { name: 'kitchen', result: 'done', error: null },
    { exit_code: 0 },
  ])
  const { grants } = (await house.ask('GET', '/v1/devices/kitchen/grants')).json()
  expect(grants.map((one: { holder: string }) => one.holder)).not.toContain('eve')
  const kept = house.context.state.readText('revocations')!
  expect(JSON.parse(kept).revocations).toMatchObject([{ untold: [] }])
})

test('hubs are listed, taken and forgotten, and a device that others let us in on is taken in', async () => {
  const hub = house.home.net.peer()
  const hello = hub.hello()
  const added = await house.ask('POST', '/v1/hubs', { hello })
  expect([added.statusCode, added.json().hello]).toEqual([200, hello])
  const { peer } = added.json()
  expect((await house.ask('GET', '/v1/hubs')).json().hubs).toContainEqual(added.json())
  expect((await house.ask('POST', '/v1/hubs', { hello: 'nonsense' })).statusCode).toBe(400)
  expect((await house.ask('DELETE', `/v1/hubs/${peer.slice(0, 8)}`)).json()).toMatchObject({ peer })
  expect((await house.ask('GET', '/v1/hubs')).json().hubs).not.toContainEqual(added.json())
  const zone = zoneToText(ZoneSecret.generate('EDKEY', systemRandom).zone)
  const published = () => house.context.state.readText('published')
  const without = published()
  const add = (body: object) => house.ask('POST', '/v1/devices', body)
  expect((await add({ zone, as: 'hut' })).json()).toEqual({ name: 'hut', zone })
  expect((await house.ask('GET', '/v1/devices/hut')).json()).toMatchObject({ zone, stale: true })
  await expect.poll(published, POLL).not.toBe(without)
  const before = published()
  const gone = await house.ask('DELETE', '/v1/devices/hut?lost=true')
  expect(gone.json()).toEqual({ name: 'hut', zone })
  // Its name is out of the mesh by then.
  expect(published()).not.toBe(before)
  expect((await house.ask('DELETE', '/v1/devices/kitchen?lost=perhaps')).statusCode).toBe(400)
  expect((await add({ zone, as: 'kitchen' })).statusCode).toBe(400)
  expect((await add({ zone: 'x', as: 'hut2' })).statusCode).toBe(400)
})
