import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EphemeralKey } from '../../../../src/mesh/core/ephemeral/messages.ts'
import { messageType } from '../../../../src/wire/dispatch.ts'
import { World } from '../../../sim/world.ts'
import { chat } from './member.ts'
import { type CoreEnd, Wire } from './wire.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const ENCRYPTED = 82

function connected(seed: number) {
  const world = new World(seed)
  const wire = new Wire(world).connect()
  world.run(2 * SECOND)
  expect([wire.a.story, wire.b.story]).toEqual([['up'], ['up']])
  return { world, wire, a: wire.a, b: wire.b }
}

const sentOf = (end: CoreEnd, type: number) =>
  end.sent.filter(message => messageType(message) === type)

/** Still on the first session, and able to speak. */
function expectUndisturbed(world: World, a: CoreEnd, b: CoreEnd): void {
  a.neighbour!.send(chat(8, 77))
  b.neighbour!.send(chat(8, 78))
  world.run(SECOND)
  expect([b.got.at(-1), a.got.at(-1)]).toEqual([chat(8, 77), chat(8, 78)])
}

test('what was said once is not heard twice', () => {
  const { world, a, b } = connected(1)
  for (let i = 0; i < 100; i++) {
    a.neighbour!.send(chat(8, i))
    world.run(20)
  }
  expect(b.got).toHaveLength(100)
  for (const message of a.sent) b.take(message)
  world.run(MINUTE)
  expect(b.got).toHaveLength(100)
  expect(b.count('core.replayed')).toBeGreaterThan(90)
  expectUndisturbed(world, a, b)
})

test('whatever is changed in a message, nothing of it is delivered', () => {
  const { world, a, b } = connected(2)
  a.neighbour!.send(chat(200, 5))
  world.run(SECOND)
  const genuine = sentOf(a, ENCRYPTED).at(-1)!
  fc.assert(
    fc.property(fc.nat(genuine.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = genuine.slice()
      changed[at]! ^= flip
      b.take(changed)
    }),
    { numRuns: 500 },
  )
  expect(b.got).toHaveLength(1)
  expectUndisturbed(world, a, b)
})

test('noise of every type harms nobody', () => {
  const { world, a, b } = connected(3)
  fc.assert(
    fc.property(
      fc.constantFrom(82, 83, 84, 86, 88, 89, 4711),
      fc.uint8Array({ maxLength: 200 }),
      (type, noise) => {
        const message = new Uint8Array(4 + noise.length)
        message.set(noise, 4)
        new DataView(message.buffer).setUint32(0, ((message.length << 16) | type) >>> 0)
        b.take(message)
      },
    ),
    { numRuns: 500 },
  )
  expectUndisturbed(world, a, b)
  expect(b.story).toEqual(['up'])
})

test('an ephemeral key with another signature, peer or time is none', () => {
  const { world, a, b } = connected(4)
  const genuine = EphemeralKey.decode(sentOf(a, EphemeralKey.type)[0]!)
  const later = genuine.expiresAt + 1_000_000n
  const other = new Uint8Array(32).fill(9)
  for (const forged of [
    { ...genuine, key: other },
    { ...genuine, key: other, peer: b.self },
    { ...genuine, key: other, expiresAt: later },
    { ...genuine, key: other, expiresAt: later, createdAt: 0n },
  ])
    b.take(EphemeralKey.encode({ ...forged, senderStatus: 1 }))
  expect(b.count('core.key_forged')).toBe(4)
  expectUndisturbed(world, a, b)
})

test('a key that was replaced does not come back', () => {
  const { world, a, b } = connected(5)
  const former = sentOf(a, EphemeralKey.type)[0]!
  world.run(12 * HOUR)
  b.take(former)
  expect(b.count('core.key_outdated')).toBe(1)
  expectUndisturbed(world, a, b)
})

test('the first key said again by an attacker costs a new key, not the session for good', () => {
  const { world, a, b } = connected(6)
  const first = sentOf(a, EphemeralKey.type)[0]!
  expect(EphemeralKey.decode(first).senderStatus).toBe(1)
  for (let i = 0; i < 100; i++) {
    b.take(first)
    world.run(100)
  }
  world.run(2 * SECOND)
  expect(b.count('core.renewal_refused')).toBeGreaterThan(90)
  expectUndisturbed(world, a, b)
})

test('a peer that lost its session but kept its key, as daemons do, has a session again', () => {
  const { world, wire, a, b } = connected(7)
  for (let i = 0; i < 40; i++) a.neighbour!.send(chat(8, i))
  world.run(SECOND)
  // A daemon whose TCP connection broke for a moment: fresh state, the same ephemeral key.
  const first = sentOf(a, EphemeralKey.type)[0]!
  wire.reconnect(a, b)
  wire.change = (message, from) =>
    from === a && messageType(message) === EphemeralKey.type ? null : message
  b.take(first)
  world.run(200)
  wire.change = message => message
  world.run(10 * SECOND)
  expect(b.story.filter(word => word === 'up').length).toBeGreaterThan(1)
  expectUndisturbed(world, a, b)
})

test('a link over which nobody proves anything is given up after 20 seconds', () => {
  const world = new World(8)
  const wire = new Wire(world)
  wire.change = message => (messageType(message) === 84 ? null : message)
  wire.connect()
  world.run(30 * SECOND)
  expect([wire.a.isClosed, wire.b.isClosed]).toEqual([true, true])
  expect([wire.a.story, wire.b.story]).toEqual([[], []])
})

test('what does not get through at first is said again', () => {
  for (let seed = 10; seed < 30; seed++) {
    const world = new World(seed)
    const wire = new Wire(world)
    let lost = 0
    wire.change = message => (lost < 3 && world.random.chance(0.4) && ++lost > 0 ? null : message)
    wire.connect()
    world.run(15 * SECOND)
    expect([wire.a.story, wire.b.story], `seed ${seed}`).toEqual([['up'], ['up']])
  }
})

test('a session in which nothing valid arrives for five minutes is given up', () => {
  const { world, wire, a, b } = connected(9)
  wire.change = (message, from) => (from === b ? null : message)
  world.run(4 * MINUTE)
  expect(a.isClosed).toBe(false)
  world.run(2 * MINUTE)
  expect(a.isClosed).toBe(true)
  expect(a.story).toEqual(['up', 'down'])
})

test('an idle session is kept by asking', () => {
  const { world, a, b } = connected(10)
  world.run(11 * HOUR)
  expect([a.story, b.story]).toEqual([['up'], ['up']])
  expect(sentOf(a, 83).length + sentOf(b, 83).length).toBeGreaterThan(200)
})

test('everything ends with the link', () => {
  const { world, a, b } = connected(11)
  a.link!.close()
  b.link!.close()
  a.core.close()
  b.core.close()
  expect(world.pending).toBe(0)
})
