import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Command } from '../../controller/command.ts'
import { completion } from '../../controller/commands/completion.ts'
import { doctor } from '../../controller/commands/doctor.ts'
import { hub } from '../../controller/commands/hub.ts'
import { id } from '../../controller/commands/id.ts'
import { init } from '../../controller/commands/init.ts'
import { ls } from '../../controller/commands/ls.ts'
import { pair } from '../../controller/commands/pair.ts'
import { rename } from '../../controller/commands/rename.ts'
import { rm } from '../../controller/commands/rm.ts'
import { tag } from '../../controller/commands/tag.ts'
import { memoryStore } from '../../src/base/store.ts'
import { formatPairingCode } from '../../src/box/pairing-code.ts'
import type { WindowEnd } from '../../src/box/pairing-window.ts'
import { parseName, zoneToText } from '../../src/gns/name.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { type Controller, deviceOf, Rig, RigDevice } from './rig.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig(7)
})
afterEach(() => rig.clean())

/** Runs a command as the command line would, until it and what it left running have ended. */
async function run(controller: Controller, command: Command, args: object): Promise<number> {
  const common = { json: controller.context.output.json, state: undefined, timeout: 20 }
  const running = command.run(controller.context, { ...common, ...args })
  const code = await rig.world.until(running, 120_000)
  return code ?? 0
}

const linesOf = (text: string) => text.trimEnd().split('\n')
const codeOf = (device: RigDevice, ended: (end: WindowEnd) => void = () => {}) =>
  formatPairingCode(device.desk.open(10, [rig.hub.hello()], ended))

test('id says who we are, the same each time; init makes nobody else', async () => {
  const controller = await rig.controller()
  await run(controller, id, {})
  const zone = zoneToText(controller.context.ego().secret.zone)
  expect(controller.said.out).toBe(`${zone}\n`)
  await expect(run(controller, init, { ego: 'other' })).rejects.toMatchObject({
    code: 'NAME_TAKEN',
  })
  expect(controller.context.ego().name).toBe('home')
})

test('pair takes a device in, both show the same words, and everybody can resolve its name', async () => {
  const controller = await rig.controller({ json: true })
  const device = new RigDevice(rig)
  const ends: WindowEnd[] = []
  const code = codeOf(device, end => ends.push(end))
  expect(await run(controller, pair, { code: [code], as: 'Kitchen', tag: ['lab'] })).toBe(0)
  const said = JSON.parse(controller.said.out)
  expect(said).toMatchObject({
    name: 'kitchen',
    zone: zoneToText(device.secret.zone),
    full_name: 'kitchen.home',
    hops: 2,
  })
  expect(ends).toEqual([
    {
      is: 'paired',
      owner: {
        zone: controller.context.ego().secret.zone,
        holder: 'home',
        deviceName: 'kitchen',
      },
      checkWords: said.check_words,
    },
  ])
  expect(deviceOf(controller, 'kitchen')).toMatchObject({
    tags: ['lab'],
    last: { record: device.record() },
  })
  await rig.world.until(controller.context.close(), 10_000)

  const stranger = new Resolver({
    mesh: rig.net.peer(),
    clock: rig.world,
    zones: () => null,
    database: new ZoneDatabase(memoryStore()),
  })
  const name = parseName(`kitchen.${zoneToText(controller.context.ego().secret.zone)}`)
  const { zone } = await rig.world.until(stranger.resolve(name, 'any'), 20_000)
  expect(zone).toEqual(device.secret.zone)
})

test('a wrong, a used and an unreadable code change nothing', async () => {
  const controller = await rig.controller()
  const device = new RigDevice(rig)
  const old = codeOf(device)
  const code = codeOf(device)
  const pairing = (code: string) => run(controller, pair, { code: [code], as: 'kitchen', tag: [] })
  await expect(pairing(old)).rejects.toMatchObject({ code: 'PAIRING_REFUSED' })
  await expect(pairing('nonsense')).rejects.toMatchObject({ code: 'CODE_INVALID' })
  expect(controller.context.fleet.devices()).toEqual([])
  await pairing(code)
  const other = await rig.controller()
  await expect(run(other, pair, { code: [code], as: 'mine', tag: [] })).rejects.toMatchObject({
    code: 'PAIRING_REFUSED',
  })
  expect(other.context.fleet.devices()).toEqual([])
  expect(device.owners).toHaveLength(1)
})

test('a name that is taken is refused before the device is asked', async () => {
  const controller = await rig.controller()
  await rig.device(controller, 'kitchen')
  const device = new RigDevice(rig)
  const pairing = run(controller, pair, { code: [codeOf(device)], as: 'kitchen', tag: [] })
  await expect(pairing).rejects.toMatchObject({ code: 'NAME_TAKEN' })
  expect(device.owners).toEqual([])
})

test('devices are listed, renamed, tagged, selected and forgotten', async () => {
  const controller = await rig.controller()
  for (const name of ['shed', 'kitchen', 'attic']) await rig.device(controller, name)
  await run(controller, rename, { name: 'shed', to: 'Garage' })
  await run(controller, tag, { name: 'garage', changes: ['+cold', '+lab'] })
  await run(controller, tag, { name: 'garage', changes: ['-lab', '+Out'] })
  await run(controller, rm, { name: 'attic' })
  controller.said.out = ''
  await run(controller, ls, {})
  expect(linesOf(controller.said.out).map(line => line.split(/\s{2,}/).slice(0, 2))).toEqual([
    ['garage', '@cold @out'],
    ['kitchen', 'never seen'],
  ])
  controller.said.out = ''
  await run(controller, ls, { selector: '@cold' })
  expect(linesOf(controller.said.out)).toHaveLength(1)
  const asking = [
    run(controller, rename, { name: 'nobody', to: 'x' }),
    run(controller, rm, { name: 'attic' }),
    run(controller, ls, { selector: '@none' }),
  ]
  for (const answer of asking)
    await expect(answer).rejects.toMatchObject({ code: 'DEVICE_UNKNOWN' })
  await expect(run(controller, rename, { name: 'garage', to: 'kitchen' })).rejects.toMatchObject({
    code: 'NAME_TAKEN',
  })
  for (const name of ['a b', '', '-x', 'a.b', '@', 'x\u001b[2J'])
    await expect(run(controller, rename, { name: 'garage', to: name })).rejects.toMatchObject({
      code: 'NAME_INVALID',
    })
})

test('hubs are added, listed and removed by how they begin', async () => {
  const controller = await rig.controller()
  const hello = `gnunet://hello/${encodeBase32(rig.hub.self)}+20300101000000+tcp+tcp.0.192.0.2.1:123`
  await run(controller, hub, { action: 'add', hub: hello })
  await run(controller, hub, { action: 'add', hub: hello.replace(':123', ':456') })
  controller.said.out = ''
  await run(controller, hub, { action: 'ls' })
  expect(controller.said.out).toBe(`${hello.replace(':123', ':456')}\n`)
  await expect(run(controller, hub, { action: 'add', hub: 'http://x' })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  })
  const peer = encodeBase32(rig.hub.self)
  await expect(
    run(controller, hub, { action: 'add', hub: `gnunet://hello/${peer}` }),
  ).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  await run(controller, hub, { action: 'rm', hub: peer.slice(0, 4) })
  await expect(run(controller, hub, { action: 'rm', hub: 'ZZ' })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  })
})

test('completion knows commands, devices and tags', async () => {
  const controller = await rig.controller()
  const { context, said } = controller
  const device = await rig.device(controller, 'kitchen')
  await context.fleet.tag('kitchen', ['lab'], [])
  const complete = async (typed: string) => {
    said.out = ''
    const known = { ...controller, context: { ...context, commands: ['ssh', 'ls'] } }
    await run(known, completion, { shell: 'bash', for: typed })
    return linesOf(said.out)
  }
  expect(await complete('')).toEqual(['ls', 'ssh'])
  expect(await complete('ssh')).toEqual(['kitchen'])
  expect(await complete('exec')).toEqual(['@lab', 'kitchen'])
  expect(await complete('exec @lab')).toEqual([''])
  device.stop()
})

test('doctor goes the whole way to a device, and says where it ends', async () => {
  const controller = await rig.controller({ json: true })
  const device = await rig.device(controller, 'kitchen')
  const last = { record: device.record(), hostKey: null, at: rig.world.now() }
  await controller.context.fleet.remember(device.secret.zone, last)
  const examine = async () => {
    controller.said.out = ''
    const code = await run(controller, doctor, { name: 'kitchen' })
    const found = linesOf(controller.said.out).map(line => JSON.parse(line))
    return { code, checks: Object.fromEntries(found.map(({ check, ok }) => [check, ok])), found }
  }
  const well = await examine()
  expect(well.code).toBe(0)
  expect(well.checks).toEqual({
    identity: true,
    devices: true,
    hubs: true,
    'name kitchen': true,
    'way to kitchen': true,
  })
  expect(well.found.at(-1)).toMatchObject({ device: { hostName: 'hut' } })
  device.stop()
  const off = await examine()
  expect(off.code).toBe(75)
  expect(off.checks).toMatchObject({ 'name kitchen': true, 'way to kitchen': false })
})

test('doctor says when no hub is known', async () => {
  const controller = await rig.controller({ hub: false })
  expect(await run(controller, doctor, {})).toBe(75)
  expect(controller.said.out).toContain('FAIL  hubs: None is known')
})
