import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SigningKey } from '../../../../src/crypto/signing.ts'
import {
  Disconnect,
  Keepalive,
  Syn,
  SynAck,
} from '../../../../src/mesh/transport/legacy/messages.ts'
import { World } from '../../../sim/world.ts'
import { Linked, PORT, payload } from './linked.ts'
import { RawPeer } from './raw.ts'

const HUB = { host: '198.51.100.1', port: PORT }
const SECOND = 1_000
const MINUTE = 60 * SECOND

async function hubIn(world: World, trusts = true): Promise<Linked> {
  return new Linked(world.host(HUB.host), 1, { listens: true, trusts }).start()
}

test('a connection that does not say who it is ends within five seconds', async () => {
  const world = new World(1)
  const hub = await hubIn(world)
  const stranger = new RawPeer(world.host('192.0.2.1'), 9).dial(HUB)
  world.run(6 * SECOND)
  expect(stranger.isClosed).toBe(true)
  expect(hub.count('transport.sessions')).toBe(0)
})

test('one host gets so many connections and no more, and others still get in', async () => {
  const world = new World(2)
  const hub = await hubIn(world)
  const machine = world.host('192.0.2.1')
  for (let i = 10; i < 210; i++) {
    const peer = new RawPeer(machine, i)
    const connection = peer.dial(HUB)
    world.run(200)
    if (connection.isOpen) connection.send(peer.welcome())
  }
  expect(hub.count('transport.sessions')).toBeLessThanOrEqual(64)
  expect(hub.count('transport.turned_away')).toBeGreaterThan(100)
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(SECOND)
  expect(device.story).toEqual(['up'])
})

test('a connection that asks for nothing ends after a minute', async () => {
  const world = new World(3)
  const hub = await hubIn(world)
  const peer = new RawPeer(world.host('192.0.2.1'), 9)
  const connection = peer.dial(HUB)
  world.run(SECOND)
  connection.send(peer.welcome())
  world.run(50 * SECOND)
  expect(connection.isClosed).toBe(false)
  world.run(MINUTE)
  expect(connection.isClosed).toBe(true)
  expect(hub.count('transport.sessions')).toBe(0)
})

test('what arrives before WELCOME, or is no message, ends the connection and harms nobody', async () => {
  const world = new World(4)
  const hub = await hubIn(world)
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(SECOND)
  const peer = new RawPeer(world.host('192.0.2.1'), 9)
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.boolean(), (noise, polite) => {
      const connection = peer.dial(HUB)
      world.run(SECOND)
      if (polite) connection.send(peer.welcome())
      connection.send(noise)
      world.run(2 * MINUTE)
      expect(connection.isClosed).toBe(true)
    }),
  )
  expect(device.story).toEqual(['up'])
})

test('mutated messages of the transport end a connection at worst', async () => {
  const world = new World(5)
  const hub = await hubIn(world)
  const peer = new RawPeer(world.host('192.0.2.1'), 9)
  const good = [peer.syn(5n), peer.ack(), peer.goodbye(6n), Keepalive.encode({ nonce: 7 })]
  fc.assert(
    fc.property(fc.nat(3), fc.nat(), fc.nat(255), (which, at, byte) => {
      const connection = peer.dial(HUB)
      world.run(SECOND)
      const mutated = good[which]!.slice()
      mutated[2 + (at % (mutated.length - 2))] = byte
      connection.send(peer.welcome())
      connection.send(mutated)
      world.run(SECOND)
      connection.stream!.close()
      world.run(10 * SECOND)
    }),
  )
  expect(hub.count('transport.sessions')).toBe(0)
})

test('nobody is told by a stranger that a link is over', async () => {
  const world = new World(6)
  const hub = await hubIn(world)
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(SECOND)
  const attacker = new RawPeer(world.host('192.0.2.1'), 2)
  const connection = attacker.dial(HUB)
  world.run(SECOND)
  connection.send(attacker.welcome())
  const later = BigInt(Math.round(world.now()) + MINUTE) * 1_000n
  connection.send(attacker.goodbye(later, SigningKey.fromSeed(new Uint8Array(32).fill(9))))
  world.run(SECOND)
  expect(hub.count('transport.disconnect_ignored')).toBe(1)
  expect(hub.story).toEqual(['up'])
})

test('an old goodbye, said again, ends nothing', async () => {
  const world = new World(7)
  const hub = await hubIn(world)
  const peer = new RawPeer(world.host('192.0.2.1'), 9)
  const connection = peer.dial(HUB)
  world.run(SECOND)
  for (const message of [peer.welcome(), peer.syn(100n), peer.ack(), peer.goodbye(99n)])
    connection.send(message)
  world.run(SECOND)
  expect(hub.story).toEqual(['up'])
  connection.send(peer.goodbye(101n))
  world.run(SECOND)
  expect(hub.story).toEqual(['up', 'down'])
})

test('who claims to be a peer that has proved itself does not take its place', async () => {
  const world = new World(8)
  const hub = await hubIn(world)
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(SECOND)
  const attacker = new RawPeer(world.host('192.0.2.1'), 2)
  const connection = attacker.dial(HUB)
  world.run(SECOND)
  for (const message of [
    attacker.welcome(),
    attacker.syn(BigInt(Math.round(world.now())) * 1_000n),
  ])
    connection.send(message)
  connection.send(attacker.ack())
  world.run(10 * SECOND)
  hub.link!.send(payload(8, 5))
  world.run(SECOND)
  expect(device.got).toEqual([payload(8, 5)])
  expect(connection.last(1000)).toBeUndefined()
})

test('who claims to be a peer first has to make room for the peer itself', async () => {
  const world = new World(9)
  const hub = await hubIn(world, false)
  const attacker = new RawPeer(world.host('192.0.2.1'), 2)
  const connection = attacker.dial(HUB)
  world.run(SECOND)
  for (const message of [attacker.welcome(), attacker.syn(1n), attacker.ack()])
    connection.send(message)
  world.run(SECOND)
  expect(hub.story).toEqual(['up'])
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(SECOND)
  hub.link!.send(payload(8, 5))
  world.run(SECOND)
  expect(device.got).toEqual([payload(8, 5)])
})

test('a daemon that answers over a connection we left is told to forget it', async () => {
  const world = new World(10)
  const daemon = new RawPeer(world.host(HUB.host), 1)
  let remembered: (typeof daemon.accepted)[0] | null = null
  await daemon.listen(PORT, connection => {
    connection.onMessage = (type, message) => {
      if (type === 61) connection.send(daemon.welcome())
      if (type === Disconnect.type) remembered = null
      if (type === Keepalive.type) (remembered ?? connection).send(keepaliveAnswer(message))
      if (type !== Syn.type) return
      remembered ??= connection
      remembered.send(daemon.answerTo(message))
    }
  })
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.transport.want(device.transport.introduce(urlOf(daemon)))
  world.run(SECOND)
  expect(device.story).toEqual(['up'])
  device.machine.crash()
  world.run(SECOND)
  device.machine.restart()
  const reborn = await new Linked(device.machine, 2).start()
  reborn.transport.want(reborn.transport.introduce(urlOf(daemon)))
  world.run(3 * SECOND)
  expect(reborn.story).toEqual(['up'])
  expect(daemon.accepted[1]!.types()).toContain(Disconnect.type)
})

test('a SYN_ACK to a SYN that was never sent begins no link', async () => {
  const world = new World(11)
  const hub = await hubIn(world)
  const peer = new RawPeer(world.host('192.0.2.1'), 9)
  const connection = peer.dial(HUB)
  world.run(SECOND)
  for (const message of [peer.welcome(), SynAck.encode({ timestamp: 1n }), peer.ack()])
    connection.send(message)
  connection.send(payload(8))
  world.run(SECOND)
  expect(hub.story).toEqual([])
  expect(hub.count('transport.payload_without_link')).toBe(1)
})

test('a peer that opens connection after connection has three', async () => {
  const world = new World(12)
  const hub = await hubIn(world)
  const peer = new RawPeer(world.host('192.0.2.1'), 9)
  for (let i = 0; i < 10; i++) {
    const connection = peer.dial(HUB)
    world.run(SECOND)
    for (const message of [peer.welcome(), peer.syn(BigInt(i)), peer.ack()])
      connection.send(message)
    world.run(SECOND)
  }
  world.run(10 * SECOND)
  expect(hub.count('transport.sessions')).toBeLessThanOrEqual(3)
})

function keepaliveAnswer(keepalive: Uint8Array): Uint8Array {
  const answer = keepalive.slice()
  answer[3] = 382 & 0xff
  return answer
}

const urlOf = (peer: RawPeer): string => {
  const linked = new Linked(peer.machine, 1, { advertise: [HUB] })
  return linked.transport.helloUrl()
}
