import { expect, test } from 'vitest'
import { FORGETFUL, Nat, PATIENT } from '../../../sim/nat.ts'
import { World } from '../../../sim/world.ts'
import { Linked, type LinkedOptions, payload } from './linked.ts'

const HUB = '198.51.100.1'
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const hubOf = (world: World, options: LinkedOptions = {}) =>
  new Linked(world.host(HUB), 1, { listens: true, ...options }).start()

/** A hub in the open and a device behind a NAT that wants it. */
async function pair(seed: number, rules = PATIENT) {
  const world = new World(seed)
  const hub = await hubOf(world)
  const device = await new Linked(world.natted('203.0.113.1', rules), 2).start()
  device.wants(hub)
  world.run(2 * SECOND)
  return { world, hub, device }
}

function closeAll(world: World, ...all: Linked[]): void {
  for (const each of all) each.transport.close()
  world.run(MINUTE)
  expect(world.pending).toBe(0)
}

test('links a device behind a NAT to its hub, both ways, and leaves nothing behind', async () => {
  const { world, hub, device } = await pair(1)
  expect([device.story, hub.story]).toEqual([['up'], ['up']])
  device.link!.send(payload(12, 1))
  hub.link!.send(payload(60_000, 2))
  world.run(SECOND)
  expect(hub.got).toEqual([payload(12, 1)])
  expect(device.got).toEqual([payload(60_000, 2)])
  expect(device.link!.address).toBe(`${HUB}:2086`)
  closeAll(world, device, hub)
  expect([device.story, hub.story]).toEqual([
    ['up', 'down'],
    ['up', 'down'],
  ])
})

test('asks for the link with its first bytes: two round trips until it stands', async () => {
  const world = new World(2)
  const hub = await new Linked(world.host(HUB, { jitterMs: 0 }), 1, { listens: true }).start()
  const device = await new Linked(world.host('203.0.113.1', { jitterMs: 0 }), 2).start()
  device.wants(hub)
  world.run(159)
  expect(device.story).toEqual([])
  world.run(20)
  expect(device.story).toEqual(['up'])
  closeAll(world, device, hub)
})

test('two that dial each other at the same moment have one link each', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World(seed)
    const a = await new Linked(world.host(HUB), 1, { listens: true }).start()
    const b = await new Linked(world.host('198.51.100.2'), 2, { listens: true }).start()
    a.wants(b)
    b.wants(a)
    world.run(5 * SECOND)
    expect([a.story, b.story], `seed ${seed}`).toEqual([['up'], ['up']])
    for (let i = 0; i < 10; i++) {
      a.link!.send(payload(8, i))
      b.link!.send(payload(8, i))
    }
    world.run(SECOND)
    expect([a.got.length, b.got.length], `seed ${seed}`).toEqual([10, 10])
    world.run(HOUR)
    expect([a.story, b.story], `seed ${seed}`).toEqual([['up'], ['up']])
    closeAll(world, a, b)
  }
})

test('keeps an idle link for a day through a NAT that forgets after five minutes', async () => {
  const { world, hub, device } = await pair(3, FORGETFUL)
  world.run(24 * HOUR)
  expect([device.story, hub.story]).toEqual([['up'], ['up']])
  closeAll(world, device, hub)
})

test('a link that only one side asked for lives as long', async () => {
  const { world, hub, device } = await pair(4, FORGETFUL)
  device.transport.unwant(hub.transport.self)
  world.run(24 * HOUR)
  expect([device.story, hub.story]).toEqual([['up'], ['up']])
  closeAll(world, device, hub)
})

test('a device that moved is linked again within 20 seconds', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { world, hub, device } = await pair(seed)
    world.run(world.random.below(MINUTE))
    device.machine.move(new Nat(`203.0.113.${100 + seed}`, PATIENT))
    world.run(20 * SECOND)
    expect(device.link?.address, `seed ${seed}`).toBe(`${HUB}:2086`)
    hub.link!.send(payload(8, 9))
    world.run(SECOND)
    expect(device.got.at(-1), `seed ${seed}`).toEqual(payload(8, 9))
    closeAll(world, device, hub)
  }
})

test('a device that is told that it moved is linked again within 3 seconds', async () => {
  const { world, hub, device } = await pair(5)
  device.machine.move(new Nat('203.0.113.99', PATIENT))
  device.transport.networkChanged()
  world.run(3 * SECOND)
  expect(device.story).toEqual(['up', 'down', 'up'])
  closeAll(world, device, hub)
})

test('after a loss of power the device is linked again at once, though the hub knows nothing of it', async () => {
  const { world, hub, device } = await pair(6)
  device.machine.crash()
  world.run(SECOND)
  device.machine.restart()
  const reborn = await new Linked(device.machine, 2).start()
  reborn.wants(hub)
  world.run(SECOND)
  expect(reborn.story).toEqual(['up'])
  reborn.link!.send(payload(8, 1))
  world.run(SECOND)
  expect(hub.got).toEqual([payload(8, 1)])
  // The hub still sends over the dead connection, until it has asked and heard nothing.
  world.run(10 * SECOND)
  hub.link!.send(payload(8, 2))
  world.run(SECOND)
  expect(reborn.got).toEqual([payload(8, 2)])
  closeAll(world, reborn, hub)
})

test('a hub that restarts is dialled again at once, and has all its devices within 20 seconds', async () => {
  const { world, hub, device } = await pair(7)
  hub.machine.kill()
  world.run(MINUTE)
  expect(device.story).toEqual(['up', 'down'])
  hub.machine.restart()
  const reborn = await new Linked(hub.machine, 1, { listens: true }).start()
  world.run(20 * SECOND)
  expect([device.story, reborn.story]).toEqual([['up', 'down', 'up'], ['up']])
  closeAll(world, device, reborn)
})

test('a partition is noticed within 20 seconds and forgotten 20 seconds after it heals', async () => {
  const { world, hub, device } = await pair(8)
  const partition = world.partition([hub.machine], [device.machine])
  world.run(20 * SECOND)
  expect(device.story).toEqual(['up', 'down'])
  world.run(HOUR)
  partition.heal()
  world.run(20 * SECOND)
  expect(device.link).not.toBeNull()
  closeAll(world, device, hub)
})

test('a short interruption without a word lost is no reason to begin anew', async () => {
  const { world, hub, device } = await pair(9)
  const partition = world.partition([hub.machine], [device.machine])
  world.run(SECOND)
  partition.heal()
  world.run(HOUR)
  expect(device.story).toEqual(['up'])
  closeAll(world, device, hub)
})

test('a goodbye is believed: the link is down at once, and a wanted peer dialled again', async () => {
  const { world, hub, device } = await pair(10)
  hub.link!.close()
  world.run(5 * SECOND)
  expect(device.story).toEqual(['up', 'down', 'up'])
  expect(hub.story).toEqual(['up', 'down', 'up'])
  closeAll(world, device, hub)
})

test('who only pretends to be a peer is not dialled more and more often', async () => {
  const world = new World(11)
  const hub = await hubOf(world, { trusts: false })
  const device = await new Linked(world.natted('203.0.113.1'), 2, { trusts: false }).start()
  device.wants(hub)
  for (let i = 0; i < 60; i++) {
    world.run(MINUTE)
    device.link?.close()
  }
  const attempts = device.story.filter(word => word === 'up').length
  expect(attempts).toBeLessThan(70)
  closeAll(world, device, hub)
})

test('of several addresses the one that answers is used, whichever it is', async () => {
  const world = new World(12)
  const hub = await hubOf(world, {
    advertise: [
      { host: '192.0.2.77', port: 2086 },
      { host: HUB, port: 1 },
      { host: HUB, port: 2086 },
    ],
  })
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(2 * SECOND)
  expect(device.link?.address).toBe(`${HUB}:2086`)
  closeAll(world, device, hub)
})

test('a peer at the wrong address is not taken for the one that was wanted', async () => {
  const world = new World(13)
  const hub = await hubOf(world)
  const other = await new Linked(world.host('198.51.100.9'), 3, {
    listens: true,
    advertise: [{ host: HUB, port: 2086 }],
  }).start()
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(other)
  world.run(MINUTE)
  expect(device.story).toEqual([])
  expect(hub.story).toEqual([])
  expect(device.count('transport.ended another peer')).toBeGreaterThan(3)
  closeAll(world, device, hub, other)
})

test('messages over a slow line arrive in order and whole, and the sender is told to wait', async () => {
  const world = new World(14)
  const hub = await hubOf(world)
  const device = await new Linked(
    world.host('203.0.113.1', { bytesPerSecond: 1_000_000 }),
    2,
  ).start()
  device.wants(hub)
  world.run(2 * SECOND)
  let sent = 0
  const go = () => {
    while (sent < 200) if (!device.link!.send(payload(30_000, sent++))) return
  }
  device.drained = go
  go()
  expect(sent).toBeLessThan(200)
  world.run(MINUTE)
  expect(hub.got.length).toBe(200)
  expect(hub.got.every((message, i) => message[4] === (i & 0xff))).toBe(true)
  closeAll(world, device, hub)
})

test('whoever never waits loses messages, not memory', async () => {
  const { world, hub, device } = await pair(15)
  const partition = world.partition([hub.machine], [device.machine])
  for (let i = 0; i < 1_000; i++) device.link!.send(payload(60_000, i))
  expect(device.count('transport.dropped_backlog')).toBeGreaterThan(500)
  partition.heal()
  closeAll(world, device, hub)
})

test('a stranger is dialled where there are too few links, and left in peace where nobody answers', async () => {
  const world = new World(16)
  const hub = await hubOf(world)
  const device = await new Linked(world.natted('203.0.113.1'), 2, { linksWished: 2 }).start()
  device.transport.introduce(hub.transport.helloUrl())
  world.run(10 * SECOND)
  expect(device.story).toEqual([])
  world.run(MINUTE)
  expect(device.story).toEqual(['up'])
  hub.transport.close()
  world.run(24 * HOUR)
  expect(device.count('transport.ended connection failed')).toBeLessThan(40)
  closeAll(world, device)
})
