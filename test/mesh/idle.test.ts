import { expect, test } from 'vitest'
import { type PortId, portId } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import type { Machine } from '../sim/machine.ts'
import { FORGETFUL } from '../sim/nat.ts'
import { World } from '../sim/world.ts'

const HOUR_MS = 3_600_000
const PORT: PortId = portId(sha512(new TextEncoder().encode('idle')))
/** A message of a type that the mesh does not know. */
const HELLO = Uint8Array.of(0, 6, 0xff, 0x01, 104, 105)

const grow = (machine: Machine, hubs: readonly string[]) =>
  createEmbedded({
    clock: machine.clock,
    random: machine.random,
    network: machine.network(),
    store: machine.store,
    log: silentLog,
    listen: hubs.length === 0 ? [{ host: machine.public, port: 2086 }] : [],
    hubs,
  })

/** Two peers behind NATs that forget an idle connection, and the hub both have dialled. */
async function household(seed: number) {
  const world = new World(seed)
  const hub = await grow(world.host('198.51.100.1'), [])
  const device = await grow(world.natted('203.0.113.1', FORGETFUL), [hub.hello()])
  const controller = await grow(world.natted('203.0.113.2', FORGETFUL), [hub.hello()])
  await world.pass(10_000)
  for (const mesh of [device, controller])
    mesh.listen(PORT, channel => channel.attach(echoing(channel)))
  const close = async () => {
    for (const mesh of [controller, device, hub]) await mesh.close()
  }
  return { world, hub, device, controller, close }
}

const echoing = (channel: Channel) => ({
  message: (message: Uint8Array) => void channel.send(message),
  drained: () => {},
  closed: () => {},
})

/** How long a new channel takes until the first message has come back, in virtual milliseconds. */
async function firstEcho(world: World, from: EmbeddedMesh, to: EmbeddedMesh, hub: EmbeddedMesh) {
  const begun = world.elapsed()
  const meet = async () => {
    const channel = await from.connect(to.self, PORT, { via: [[hub.self]] })
    await new Promise<void>(resolve => {
      channel.attach({ message: () => resolve(), drained: () => {}, closed: () => {} })
      channel.send(HELLO)
    })
    return { channel, ms: world.elapsed() - begun }
  }
  return await world.until(meet(), 60_000)
}

test('after an hour without a channel a new one stands within a second', async () => {
  const { world, hub, device, controller, close } = await household(1)
  const { channel } = await firstEcho(world, controller, device, hub)
  channel.close()
  await world.pass(HOUR_MS)
  const again = await firstEcho(world, controller, device, hub)
  expect(again.ms).toBeLessThanOrEqual(1_000)
  again.channel.close()
  await world.pass(HOUR_MS)
  expect((await firstEcho(world, device, controller, hub)).ms).toBeLessThanOrEqual(1_000)
  await close()
})

test('after an hour of silence on a channel another one stands within a second', async () => {
  const { world, hub, device, controller, close } = await household(2)
  await firstEcho(world, controller, device, hub)
  await world.pass(HOUR_MS)
  expect((await firstEcho(world, controller, device, hub)).ms).toBeLessThanOrEqual(1_000)
  expect((await firstEcho(world, device, controller, hub)).ms).toBeLessThanOrEqual(1_000)
  await close()
})

test('after an hour in which they never met, a channel stands within a second', async () => {
  const { world, hub, device, controller, close } = await household(3)
  await world.pass(HOUR_MS)
  expect((await firstEcho(world, controller, device, hub)).ms).toBeLessThanOrEqual(1_000)
  await close()
})
