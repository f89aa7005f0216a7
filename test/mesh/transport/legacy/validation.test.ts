import { expect, test } from 'vitest'
import { PURPOSE, verifyPurpose } from '../../../../src/crypto/purposes.ts'
import {
  decodeHello,
  encodeHello,
  encodeTransportAddress,
} from '../../../../src/mesh/transport/legacy/hello.ts'
import { Ping, Pong, PongBody } from '../../../../src/mesh/transport/legacy/messages.ts'
import { World } from '../../../sim/world.ts'
import { Linked, PORT } from './linked.ts'
import { type RawConnection, RawPeer } from './raw.ts'

const HUB = { host: '198.51.100.1', port: PORT }
const OTHER = { host: '198.51.100.2', port: PORT }
const SECOND = 1_000
const MINUTE = 60 * SECOND

const listening = (world: World, host: string, seed: number) =>
  new Linked(world.host(host), seed, { listens: true }).start()

/** A connection to the hub on which WELCOME has been said. */
function greeted(world: World, peer: RawPeer): RawConnection {
  const connection = peer.dial(HUB)
  world.run(SECOND)
  connection.send(peer.welcome())
  world.run(SECOND)
  return connection
}

test('signs for an address that is its own', async () => {
  const world = new World(1)
  const hub = await listening(world, HUB.host, 1)
  const connection = greeted(world, new RawPeer(world.host('192.0.2.1'), 9))
  const address = encodeTransportAddress(HUB)
  connection.send(Ping.encode({ challenge: 77, target: hub.transport.self, address }))
  world.run(SECOND)
  const pong = Pong.decode(connection.last(Pong.type)!)
  expect(pong.challenge).toBe(77)
  expect(pong.address).toEqual(address)
  const body = PongBody.encode({ expiresAt: pong.expiresAt, address })
  const { self } = hub.transport
  expect(verifyPurpose(self, PURPOSE.TRANSPORT_PONG_OWN, body, pong.signature)).toBe(true)
})

test('signs neither for the addresses of others nor as somebody else', async () => {
  const world = new World(2)
  const hub = await listening(world, HUB.host, 1)
  const peer = new RawPeer(world.host('192.0.2.1'), 9)
  const connection = greeted(world, peer)
  const { self } = hub.transport
  const [own, foreign] = [HUB, OTHER].map(encodeTransportAddress)
  for (const [target, address] of [
    [self, foreign],
    [peer.pid, own],
    [self, new Uint8Array(0)],
  ] as const)
    connection.send(Ping.encode({ challenge: 1, target, address: address! }))
  world.run(SECOND)
  expect(connection.types()).not.toContain(Pong.type)
  expect(hub.count('transport.ping_refused')).toBe(3)
  expect(connection.isClosed).toBe(false)
})

test('a peer that can be dialled checks what it hears of others, and then vouches for it', async () => {
  const world = new World(3)
  const hub = await listening(world, HUB.host, 1)
  const other = await listening(world, OTHER.host, 2)
  hub.transport.learn(other.transport.hello(), '')
  expect(hub.transport.helloOf(other.transport.self)).toBeNull()
  world.run(5 * SECOND)
  expect(hub.count('transport.validated')).toBe(1)
  const vouched = decodeHello(hub.transport.helloOf(other.transport.self)!)
  expect(vouched.addresses.map(({ address }) => address)).toEqual([OTHER])
  expect([hub.story, other.story]).toEqual([[], []])
})

test('vouches for nothing that was not signed for', async () => {
  const world = new World(4)
  const hub = await listening(world, HUB.host, 1)
  const other = await listening(world, OTHER.host, 2)
  const liar = new RawPeer(world.host('198.51.100.3'), 9)
  await liar.listen(PORT, connection => {
    connection.onMessage = (type, message) => {
      if (type === 61) connection.send(liar.welcome())
      if (type !== Ping.type) return
      const { challenge, address } = Ping.decode(message)
      const expiresAt = BigInt(Math.round(world.now()) + MINUTE) * 1_000n
      const signature = new Uint8Array(64).fill(7)
      connection.send(Pong.encode({ challenge, expiresAt, address, signature }))
    }
  })
  const expiresAt = world.now() + 10 * MINUTE
  const at = (host: string, port: number) => ({ address: { host, port }, expiresAt })
  const tell = (peer: typeof liar.pid, addresses: ReturnType<typeof at>[]) =>
    hub.transport.learn(encodeHello({ peer, friendsOnly: false, addresses }), '')
  tell(liar.pid, [at('198.51.100.3', PORT)])
  // Somebody else's address, and one where nobody is.
  tell(other.transport.self, [at('198.51.100.3', PORT), at('198.51.100.77', PORT)])
  world.run(MINUTE)
  expect(hub.count('transport.pong_refused')).toBe(1)
  expect(hub.count('transport.validated')).toBe(0)
  expect(hub.transport.helloOf(liar.pid)).toBeNull()
  expect(hub.transport.helloOf(other.transport.self)).toBeNull()
})

test('an address over which CORE has recognised the peer needs no signature', async () => {
  const world = new World(5)
  const hub = await listening(world, HUB.host, 1)
  const device = await new Linked(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(SECOND)
  expect(decodeHello(device.transport.helloOf(hub.transport.self)!).addresses).toHaveLength(1)
  expect(device.count('transport.validated')).toBe(0)
})

test('does not dial loopback addresses that somebody elsewhere speaks of', async () => {
  const world = new World(6)
  const hub = await listening(world, HUB.host, 1)
  const addresses = [{ address: { host: '127.0.0.1', port: 22 }, expiresAt: Infinity }]
  const raw = encodeHello({
    peer: new RawPeer(world.host('192.0.2.1'), 9).pid,
    friendsOnly: false,
    addresses,
  })
  hub.transport.learn(raw, '192.0.2.1:4711')
  hub.transport.learn(raw, '')
  expect(hub.transport.known()).toHaveLength(0)
  hub.transport.learn(raw, '127.0.0.1:4711')
  expect(hub.transport.known()).toHaveLength(1)
})

test('however many addresses it hears of, it tries a few at a time and forgets the rest', async () => {
  const world = new World(7)
  const hub = await listening(world, HUB.host, 1)
  const machine = world.host('192.0.2.1')
  for (let i = 10; i < 250; i++) {
    const { pid: peer } = new RawPeer(machine, i)
    const addresses = Array.from({ length: 20 }, (_, port) => ({
      address: { host: '192.0.2.77', port: port + 1 },
      expiresAt: Infinity,
    }))
    hub.transport.learn(encodeHello({ peer, friendsOnly: false, addresses }), '')
  }
  expect(hub.transport.status().length).toBeLessThanOrEqual(4)
  expect(hub.count('transport.peers_known')).toBeLessThanOrEqual(256)
  world.run(10 * MINUTE)
  expect(hub.count('transport.ended no greeting in time')).toBeLessThanOrEqual(128)
  expect(hub.count('transport.sessions')).toBe(0)
})

test('answers who could not be dialled and dials in our stead, if that peer is wanted', async () => {
  const world = new World(8)
  const hub = await listening(world, HUB.host, 1)
  const peer = new RawPeer(world.natted('203.0.113.1'), 9)
  const probe = () => {
    const connection = peer.dial(HUB)
    world.run(SECOND)
    const first = new Uint8Array(36)
    first.set(peer.welcome())
    first[3] = 60
    connection.send(first)
    world.run(SECOND)
    return connection
  }
  expect(probe().isClosed).toBe(true)
  hub.transport.want(peer.pid)
  const wanted = probe()
  expect(wanted.types()).toEqual([61])
  wanted.send(peer.welcome())
  wanted.send(peer.syn(1n))
  wanted.send(peer.ack())
  world.run(SECOND)
  expect(hub.story).toEqual(['up'])
})
