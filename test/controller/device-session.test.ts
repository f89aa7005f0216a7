import { afterEach, expect, test } from 'vitest'
import { reach } from '../../controller/device-session.ts'
import { Interrupted } from '../../controller/output.ts'
import { deviceOf, Rig } from './rig.ts'

const rigs: Rig[] = []
afterEach(() => {
  for (const rig of rigs.splice(0)) rig.clean()
})
const newRig = (seed?: number) => {
  const rig = new Rig(seed)
  rigs.push(rig)
  return rig
}

test('a device is found by its name alone, and both sides know who the other is', async () => {
  const rig = newRig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen')
  const { context } = controller
  const payload = new TextEncoder().encode('hello')
  const session = await rig.world.until(
    reach(context, deviceOf(controller, 'kitchen'), { service: 'ssh', payload }),
    60_000,
  )
  expect(session.peerZone).toEqual(device.secret.zone)
  expect(session.path).toEqual([(await context.mesh()).self, rig.hub.self, device.pid])
  expect(session.resolveMs).toBeGreaterThan(0)
  expect(device.payloads).toEqual([payload])
  await rig.world.until(context.close(), 10_000)
  expect(deviceOf(controller, 'kitchen').last?.record).toEqual(device.record())
})

test('where it was the last time is tried at once', async () => {
  const rig = newRig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen', { publishes: false })
  const last = { record: device.record(), hostKey: null, at: rig.world.now() }
  await controller.context.fleet.remember(device.secret.zone, last)
  const session = await rig.world.until(
    reach(controller.context, deviceOf(controller, 'kitchen'), { service: 'ssh' }),
    60_000,
  )
  expect(session.record).toEqual(device.record())
  expect(session.resolveMs).toBeNull()
})

test('a device that moved is found where it is now', async () => {
  const rig = newRig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen')
  const last = { record: device.record(), hostKey: null, at: rig.world.now() }
  await controller.context.fleet.remember(device.secret.zone, last)
  await rig.world.pass(1_000)
  device.move()
  await rig.world.pass(1_000)
  const session = await rig.world.until(
    reach(controller.context, deviceOf(controller, 'kitchen'), { service: 'ssh' }),
    60_000,
  )
  expect(session.path.at(-1)).toEqual(device.pid)
})

test('a device that is just moving is found as soon as it is back', async () => {
  const rig = newRig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen')
  const last = { record: device.record(), hostKey: null, at: rig.world.now() }
  await controller.context.fleet.remember(device.secret.zone, last)
  device.stop()
  rig.world.after(8_000, () => device.move())
  const session = await rig.world.until(
    reach(controller.context, deviceOf(controller, 'kitchen'), { service: 'ssh' }),
    60_000,
  )
  expect(session.path.at(-1)).toEqual(device.pid)
  expect(rig.world.elapsed()).toBeLessThan(20_000)
})

test('a refusal is final', async () => {
  const rig = newRig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen')
  device.refusal = 'NOT_PERMITTED'
  const reaching = reach(controller.context, deviceOf(controller, 'kitchen'), { service: 'ssh' })
  await expect(rig.world.until(reaching, 60_000)).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
  expect(device.payloads).toHaveLength(1)
})

test('a device that is off is given up when the time is over, with its name', async () => {
  const rig = newRig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen')
  await rig.world.pass(1_000)
  device.stop()
  const reaching = reach(controller.context, deviceOf(controller, 'kitchen'), {
    service: 'ssh',
    timeoutMs: 5_000,
  })
  await expect(rig.world.until(reaching, 60_000)).rejects.toMatchObject({
    family: 'unreachable',
    message: expect.stringContaining('kitchen'),
  })
})

test('without any hub we say that, not that the device is off', async () => {
  const rig = newRig()
  const controller = await rig.controller({ hub: false })
  const device = await rig.device(controller, 'kitchen')
  device.stop()
  const reaching = reach(controller.context, deviceOf(controller, 'kitchen'), {
    service: 'ssh',
    timeoutMs: 5_000,
  })
  await expect(rig.world.until(reaching, 60_000)).rejects.toMatchObject({ code: 'NO_HUB' })
})

test('an interruption ends the search at once', async () => {
  const rig = newRig()
  const controller = await rig.controller()
  const device = await rig.device(controller, 'kitchen')
  device.stop()
  const reaching = reach(controller.context, deviceOf(controller, 'kitchen'), { service: 'ssh' })
  const begun = rig.world.elapsed()
  rig.world.after(100, () => controller.interrupt(new Interrupted()))
  await expect(rig.world.until(reaching, 60_000)).rejects.toBeInstanceOf(Interrupted)
  expect(rig.world.elapsed() - begun).toBeLessThan(1_000)
})
