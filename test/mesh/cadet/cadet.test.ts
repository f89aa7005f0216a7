/** Channels between simulated peers: opened, carried, held back, closed; direct and over hubs. */

import { describe, expect, test } from 'vitest'
import { MESSAGE_SIZE_MAX } from '../../../src/mesh/mesh.ts'
import { Listener, numbered, Opening, portOf } from './ends.ts'
import type { Peer } from './peer.ts'
import { CadetWorld } from './world.ts'

const ORDERS = [
  ['the one with the smaller pid', 0, 1],
  ['the one with the larger pid', 1, 0],
] as const

/** Two peers with a hub between them, and nothing else. */
function lineOfThree(seed: number, from: 0 | 1 = 0) {
  const mesh = new CadetWorld(seed)
  const [small, large, hub] = mesh.peers('small', 'large', 'hub')
  const [a, b] = from === 0 ? [small, large] : [large, small]
  mesh.link(a, hub)
  mesh.link(hub, b)
  return { mesh, a, b, hub }
}

describe.for(ORDERS)('where %s opens', ([, from, to]) => {
  test('a channel to a neighbour carries messages in both directions', () => {
    const mesh = new CadetWorld(1)
    const pair = mesh.peers('small', 'large')
    const [a, b] = [pair[from], pair[to]]
    mesh.link(a, b)
    const listener = new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo')
    expect(mesh.until(() => opening.channel !== null, 1_000)).toBeLessThanOrEqual(8)
    opening.channel!.send(numbered(1))
    opening.channel!.send(numbered(2))
    mesh.run(50)
    expect(listener.last.inbox.numbers).toEqual([1, 2])
    expect(opening.inbox.numbers).toEqual([1, 2])
    expect(opening.channel!.path()).toEqual([a.id, b.id])
    expect(listener.last.channel.path()).toEqual([b.id, a.id])
    expect(listener.last.channel.peer).toEqual(a.id)
  })

  test('a channel goes over a hub that the caller names', () => {
    const { mesh, a, b, hub } = lineOfThree(2, from)
    new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo', [[hub]])
    expect(mesh.until(() => opening.channel !== null, 1_000)).toBeLessThanOrEqual(16)
    opening.channel!.send(numbered(7))
    mesh.run(20)
    expect(opening.inbox.numbers).toEqual([7])
    expect(opening.channel!.path()).toEqual([a.id, hub.id, b.id])
    expect(hub.count('cadet.routes')).toBeGreaterThan(0)
  })

  test('a channel goes over a common neighbour that nobody named', () => {
    const { mesh, a, b } = lineOfThree(3, from)
    new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo')
    expect(mesh.until(() => opening.channel !== null, 1_000)).toBeLessThanOrEqual(20)
  })

  test('a channel goes over several hubs that the DHT tells of', () => {
    const mesh = new CadetWorld(4)
    const [x, y, one, two, three] = mesh.peers('x', 'y', 'one', 'two', 'three')
    const [a, b] = from === 0 ? [x, y] : [y, x]
    mesh.link(a, one)
    mesh.link(one, two)
    mesh.link(two, three)
    mesh.link(three, b)
    mesh.run(1_000)
    new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo')
    expect(mesh.until(() => opening.channel !== null, 5_000)).toBeLessThan(1_000)
    expect(opening.channel!.path()).toEqual([a, one, two, three, b].map(({ id }) => id))
  })
})

test('two peers that open to each other at the same moment both succeed', () => {
  for (let seed = 10; seed < 15; seed++) {
    const mesh = new CadetWorld(seed)
    const [a, b, hub] = mesh.peers('a', 'b', 'hub')
    mesh.link(a, hub, { latencyMs: 20 })
    mesh.link(hub, b, { latencyMs: 20 })
    new Listener(a, 'echo', { echo: true })
    new Listener(b, 'echo', { echo: true })
    const there = new Opening(a, b, 'echo', [[hub]])
    mesh.run(mesh.world.random.below(60))
    const back = new Opening(b, a, 'echo', [[hub]])
    expect(mesh.until(() => !!there.channel && !!back.channel, 3_000)).toBeLessThan(700)
    there.channel!.send(numbered(1))
    back.channel!.send(numbered(2))
    mesh.run(400)
    expect([there.inbox.numbers, back.inbox.numbers]).toEqual([[1], [2]])
  }
})

test('messages of every size arrive whole', () => {
  const { mesh, a, b } = lineOfThree(5)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.run(100)
  const sizes = [4, 5, 8, 1_000, 32_768, 60_000, MESSAGE_SIZE_MAX]
  for (const size of sizes) {
    const message = new Uint8Array(size).fill(size & 0xff)
    new DataView(message.buffer).setUint16(0, size)
    new DataView(message.buffer).setUint16(2, 0xb0de)
    opening.channel!.send(message)
  }
  mesh.run(500)
  expect(listener.last.inbox.messages.map(({ length }) => length)).toEqual(sizes)
  for (const [at, size] of sizes.entries())
    expect(
      listener.last.inbox.messages[at]!.subarray(4).every(byte => byte === (size & 0xff)),
    ).toBe(true)
})

test('what a channel must not carry is refused at once', () => {
  const { mesh, a, b } = lineOfThree(6)
  new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.run(100)
  const lying = numbered(1)
  lying[1] = 9
  const testType = numbered(1)
  testType.set([0, 1], 2)
  const long = new Uint8Array(MESSAGE_SIZE_MAX + 1)
  new DataView(long.buffer).setUint16(0, long.length)
  for (const bad of [new Uint8Array(3), lying, testType, long])
    expect(() => opening.channel!.send(bad)).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
})

describe('a receiver that does not take', () => {
  test('holds the sender back, and gets everything once it takes', () => {
    const { mesh, a, b } = lineOfThree(7)
    const listener = new Listener(b, 'slow')
    const opening = new Opening(a, b, 'slow')
    mesh.run(100)
    listener.last.channel.pause()
    let sent = 0
    while (opening.channel!.send(numbered(sent++, 30_000)));
    mesh.run(60_000)
    expect(sent).toBeLessThan(100)
    expect(listener.last.inbox.numbers).toEqual([])
    listener.last.channel.resume()
    mesh.run(2_000)
    expect(listener.last.inbox.numbers).toEqual(Array.from({ length: sent }, (_, n) => n))
    expect(opening.inbox.drains).toBe(1)
  })

  test('is asked from time to time whether it takes again, in case the answer was lost', () => {
    const mesh = new CadetWorld(8)
    const [a, b] = mesh.peers('a', 'b')
    mesh.link(a, b, { loss: 0.5 })
    const listener = new Listener(b, 'slow')
    const opening = new Opening(a, b, 'slow')
    mesh.until(() => opening.channel !== null, 20_000)
    listener.last.channel.pause()
    let sent = 0
    while (opening.channel!.send(numbered(sent++, 30_000)));
    mesh.run(20_000)
    listener.last.channel.resume()
    expect(mesh.until(() => listener.last.inbox.numbers.length === sent, 60_000)).toBeLessThan(
      30_000,
    )
  })

  test('keeps no more than a window for a client that never attaches', () => {
    const { mesh, a, b } = lineOfThree(9)
    b.cadet.listen(portOf('idle'), () => {})
    const opening = new Opening(a, b, 'idle')
    mesh.run(100)
    let sent = 0
    while (opening.channel!.send(numbered(sent++)));
    mesh.run(10_000)
    expect(sent).toBe(65)
  })
})

test('closing tells the other side, and only the other side', () => {
  const { mesh, a, b } = lineOfThree(11)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.run(100)
  opening.channel!.close()
  opening.channel!.close()
  mesh.run(50)
  expect(listener.last.inbox.reason?.code).toBe('CHANNEL_CLOSED')
  expect(opening.inbox.reason).toBeNull()
  expect(opening.channel!.send(numbered(1))).toBe(false)
  expect(opening.channel!.path()).toBeNull()
})

test('a port that opens within half a minute accepts who already waits', () => {
  const { mesh, a, b } = lineOfThree(12)
  const opening = new Opening(a, b, 'later')
  mesh.run(20_000)
  expect(opening.channel).toBeNull()
  new Listener(b, 'later', { echo: true })
  expect(mesh.until(() => opening.channel !== null, 5_000)).toBeLessThan(10)
  opening.channel!.send(numbered(3))
  mesh.run(20)
  expect(opening.inbox.numbers).toEqual([3])
})

test('a port nobody opens, and a peer nobody knows, fail with a reason', () => {
  const { mesh, a, b } = lineOfThree(13)
  const stranger = new CadetWorld(99).peer('stranger')
  const closed = new Opening(a, b, 'closed')
  const unknown = new Opening(a, stranger, 'any')
  mesh.run(45_000)
  expect(closed.reason?.code).toMatch(/PEER_TIMEOUT|PEER_UNREACHABLE/)
  expect(unknown.reason?.code).toBe('PEER_UNREACHABLE')
})

test('an opening that is given up leaves nothing at the listener', () => {
  const { mesh, a, b } = lineOfThree(14)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.until(() => listener.accepted.length > 0, 1_000)
  opening.cancel()
  mesh.run(100)
  expect(opening.channel).toBeNull()
  expect(listener.last.inbox.reason?.code).toBe('CHANNEL_CLOSED')
})

test('only one may listen on a port, until it stops', () => {
  const peer = new CadetWorld(15).peer('a')
  const first = new Listener(peer, 'port')
  expect(() => new Listener(peer, 'port')).toThrow(
    expect.objectContaining({ code: 'ADDRESS_IN_USE' }),
  )
  first.listening.close()
  new Listener(peer, 'port')
})

test('a peer reaches itself', () => {
  const mesh = new CadetWorld(16)
  const peer = mesh.peer('a')
  const listener = new Listener(peer, 'port', { echo: true })
  const opening = new Opening(peer, peer, 'port')
  mesh.run(10)
  for (let i = 0; i < 40; i++) opening.channel!.send(numbered(i))
  mesh.run(10)
  expect(opening.inbox.numbers).toEqual(Array.from({ length: 40 }, (_, n) => n))
  opening.channel!.close()
  mesh.run(10)
  expect(listener.last.inbox.reason?.code).toBe('CHANNEL_CLOSED')
})

test('a closed engine has ended everything, told everybody, and does nothing more', () => {
  const { mesh, a, b, hub } = lineOfThree(17)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  const pending = new Opening(a, b, 'nobody')
  mesh.run(100)
  a.cadet.close()
  expect(opening.inbox.reason?.code).toBe('ENGINE_CLOSED')
  expect(pending.reason?.code).toBe('ENGINE_CLOSED')
  expect(() => new Opening(a, b, 'sink')).toThrow(
    expect.objectContaining({ code: 'ENGINE_CLOSED' }),
  )
  mesh.run(100)
  expect(listener.last.inbox.reason?.code).toBe('CHANNEL_CLOSED')
  expect(hub.count('cadet.routes')).toBe(0)
  for (const peer of [b, hub]) peer.cadet.close()
  mesh.run(2_000)
  expect(mesh.world.pending).toBe(0)
})

test('a thousand channels, one after the other, leave nothing behind', () => {
  const { mesh, a, b, hub } = lineOfThree(18)
  const listener = new Listener(b, 'echo', { echo: true })
  for (let i = 0; i < 1_000; i++) {
    const opening = new Opening(a, b, 'echo')
    mesh.until(() => opening.channel !== null, 1_000)
    if (i % 10 === 0) {
      opening.channel!.send(numbered(i))
      mesh.until(() => opening.inbox.numbers.length > 0, 1_000)
    }
    opening.channel!.close()
  }
  mesh.run(200)
  expect(listener.accepted.every(({ inbox }) => inbox.reason !== null)).toBe(true)
  for (const peer of [a, b])
    expect(peer.cadet.status().map(({ channels }) => channels)).toEqual([0])
  mesh.run(100_000)
  for (const peer of [a, b, hub])
    expect([
      peer.count('cadet.tunnels'),
      peer.count('cadet.connections'),
      peer.count('cadet.routes'),
    ]).toEqual([0, 0, 0])
})

test('a tunnel tells where it stands', () => {
  const { mesh, a, b, hub } = lineOfThree(19)
  const stateOf = (peer: Peer) => peer.cadet.status()[0]?.state
  new Opening(a, b, 'any', [[hub]])
  expect(stateOf(a)).toBe('connecting')
  mesh.run(100)
  expect(a.cadet.status()).toEqual([
    { peer: b.id, state: 'up', channels: 1, paths: [[a.id, hub.id, b.id]] },
  ])
  expect(stateOf(b)).toBe('up')
})
