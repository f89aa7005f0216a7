import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fleet } from '../../controller/fleet.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { type Controller, deviceOf, Rig } from './rig.ts'

let rig: Rig
let controller: Controller
beforeEach(async () => {
  rig = new Rig(3)
  controller = await rig.controller()
})
afterEach(() => rig.clean())

test('what one command writes, another reads, and changes at once do not lose each other', async () => {
  const { state, fleet } = controller.context
  const zoneOf = () => ZoneSecret.generate('EDKEY', rig.world.random).zone
  const names = Array.from({ length: 8 }, (_, i) => `device${i}`)
  const adding = names.map(name =>
    new Fleet(state).add({ name, zone: zoneOf(), tags: [], pairedAt: 1, last: null }),
  )
  await rig.world.until(Promise.all(adding), 10_000)
  expect(fleet.devices().map(({ name }) => name)).toEqual(names)
})

test('the same device under another name is still one device', async () => {
  const device = await rig.device(controller, 'kitchen')
  const { fleet } = controller.context
  const { zone } = device.secret
  await fleet.add({ name: 'pantry', zone, tags: [], pairedAt: 2, last: null })
  expect(fleet.devices().map(({ name }) => name)).toEqual(['pantry'])
})

test('a host key is for OpenSSH to read, and is forgotten with its fingerprint', async () => {
  const device = await rig.device(controller, 'kitchen')
  const { fleet, state } = controller.context
  const hostKey = Uint8Array.of(1, 2, 3)
  const record = device.record()
  await fleet.remember(device.secret.zone, { record, hostKey, at: 1 })
  await fleet.remember(device.secret.zone, { record, hostKey: null, at: 2 })
  expect(deviceOf(controller, 'kitchen').last?.hostKey).toEqual(hostKey)
  expect(state.readText('known_hosts')).toBe('kitchen.box ssh-ed25519 AQID\n')
  await fleet.rename('kitchen', 'pantry')
  expect(state.readText('known_hosts')).toBe('pantry.box ssh-ed25519 AQID\n')
  const changed = { ...record, hostKey: new Uint8Array(32) }
  await fleet.remember(device.secret.zone, { record: changed, hostKey: null, at: 3 })
  expect(state.readText('known_hosts')).toBe('')
})

test('a damaged list is refused, and left as it is', async () => {
  const { fleet, state } = controller.context
  for (const text of ['', '{', '{"version":2,"devices":[]}', '{"version":1,"devices":[{}]}']) {
    writeFileSync(join(state.directory, 'fleet'), text)
    expect(() => fleet.devices()).toThrow(expect.objectContaining({ code: 'STATE_UNREADABLE' }))
    await expect(fleet.remove('kitchen')).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
    expect(state.readText('fleet')).toBe(text)
  }
})

test('a record that only a newer version can read is worth no more than none', async () => {
  const device = await rig.device(controller, 'kitchen')
  const { fleet, state } = controller.context
  const last = { record: device.record(), hostKey: null, at: 1 }
  await fleet.remember(device.secret.zone, last)
  const text = state.readText('fleet')!
  writeFileSync(join(state.directory, 'fleet'), text.replace('box1 ', 'box9 '))
  expect(deviceOf(controller, 'kitchen').last).toBeNull()
})
