import { afterEach, beforeEach, expect, test } from 'vitest'
import { name } from '../../controller/commands/name.ts'
import { addHub } from '../../controller/hubs.ts'
import { formatDeviceRecord } from '../../src/box/device-record.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { type Controller, Rig } from './rig.ts'

const HOST_KEY = '07'.repeat(32)

let rig: Rig
beforeEach(() => {
  rig = new Rig(9)
})
afterEach(() => rig.clean())

async function controller(json = false): Promise<Controller> {
  const made = await rig.controller({ json })
  await addHub(made.context.state, rig.hub.hello())
  return made
}

function lookUp({ context }: Controller, of: string, type?: string): Promise<number | undefined> {
  const args = { action: 'lookup', name: of, type, timeout: 5, json: context.output.json }
  return rig.world.until(name.run(context, { ...args, state: undefined }), 60_000)
}

test('all records of a device are printed, each with its type', async () => {
  const one = await controller()
  const device = await rig.device(one, 'kitchen')
  await lookUp(one, 'kitchen.home')
  expect(one.said.out.trimEnd().split('\n').sort()).toEqual([
    `SSHFP 4 2 ${HOST_KEY}`,
    `TXT ${formatDeviceRecord(device.record())}`,
  ])
})

test('of one type only the values are printed, whoever asks by the key of the zone', async () => {
  const one = await controller()
  const device = await rig.device(one, 'kitchen')
  const stranger = await controller()
  await lookUp(stranger, zoneToText(device.secret.zone), 'sshfp')
  expect(stranger.said.out).toBe(`4 2 ${HOST_KEY}\n`)
})

test('as JSON there is an object for each record', async () => {
  const one = await controller(true)
  const device = await rig.device(one, 'kitchen')
  await lookUp(one, 'kitchen.home', 'SSHFP')
  expect(JSON.parse(one.said.out)).toEqual({
    name: 'kitchen.home',
    type: 'SSHFP',
    value: `4 2 ${HOST_KEY}`,
    zone: zoneToText(device.secret.zone),
    expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  })
})

test('a name nobody publishes, a type there is not, a word that is no zone: each is told', async () => {
  const one = await controller()
  const device = await rig.device(one, 'kitchen')
  const nobody = zoneToText(device.secret.zone)
  await expect(lookUp(one, `www.${nobody}`)).rejects.toMatchObject({ code: 'PEER_TIMEOUT' })
  await expect(lookUp(one, 'kitchen.home', 'A')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
  await expect(lookUp(one, 'kitchen.home', 'NONSENSE')).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  })
  await expect(lookUp(one, 'kitchen.elsewhere')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
  await expect(lookUp(one, 'kitchen..home')).rejects.toMatchObject({ code: 'NAME_INVALID' })
})

test('without a hub there is nobody to ask', async () => {
  const alone = await rig.controller({ hub: false })
  await expect(lookUp(alone, 'kitchen.home')).rejects.toMatchObject({ code: 'NO_HUB' })
})
