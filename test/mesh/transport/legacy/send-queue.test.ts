import { expect, test } from 'vitest'
import { Counters } from '../../../../src/base/counters.ts'
import { SendQueue } from '../../../../src/mesh/transport/legacy/send-queue.ts'
import { World } from '../../../sim/world.ts'

const MIB = 1024 * 1024

function queueIn(world: World) {
  const sent: Uint8Array[] = []
  const free = { value: true }
  const drained = { times: 0 }
  const counters = new Counters()
  const queue = new SendQueue(world, counters, () => drained.times++)
  const write = (message: Uint8Array) => {
    sent.push(message)
    return free.value
  }
  return { queue, sent, free, drained, counters, write }
}

const bytesOf = (messages: readonly Uint8Array[]) =>
  messages.reduce((sum, message) => sum + message.length, 0)

test('hands messages on at once where nothing is in the way', () => {
  const { queue, sent, write } = queueIn(new World(1))
  queue.use(write)
  expect(queue.send(new Uint8Array(10))).toBe(true)
  expect(sent).toHaveLength(1)
})

test('asks to wait when the connection does, keeps the order, and says once when to go on', () => {
  const { queue, sent, free, drained, write } = queueIn(new World(2))
  queue.use(write)
  free.value = false
  expect(queue.send(Uint8Array.of(1))).toBe(false)
  expect(queue.send(Uint8Array.of(2))).toBe(false)
  expect(sent).toEqual([Uint8Array.of(1)])
  free.value = true
  queue.proceed()
  expect(sent).toEqual([Uint8Array.of(1), Uint8Array.of(2)])
  expect(drained.times).toBe(1)
})

test('what waits goes over another connection, if there is one', () => {
  const { queue, sent, free, write } = queueIn(new World(3))
  queue.use(() => false)
  queue.send(Uint8Array.of(1))
  queue.send(Uint8Array.of(2))
  free.value = true
  queue.use(write)
  expect(sent).toEqual([Uint8Array.of(2)])
})

test('obeys a quota that would be noticed', () => {
  const world = new World(4)
  const { queue, sent, write } = queueIn(world)
  queue.use(write)
  queue.setQuota(2 * MIB)
  for (let i = 0; i < 1_000; i++) {
    for (let j = 0; j < 10; j++) queue.send(new Uint8Array(10_000))
    world.run(10)
  }
  const perSecond = bytesOf(sent) / 10
  expect(perSecond).toBeGreaterThan(1.9 * MIB)
  expect(perSecond).toBeLessThan(2.3 * MIB)
})

test('does not go below what everybody may send, and heeds no quota that is out of reach', () => {
  const world = new World(5)
  const low = queueIn(world)
  low.queue.use(low.write)
  low.queue.setQuota(0)
  for (let i = 0; i < 100; i++) low.queue.send(new Uint8Array(20_000))
  world.run(1_000)
  expect(bytesOf(low.sent)).toBeGreaterThan(1.9 * MIB)
  for (const quota of [0x7fff_ffff, 0xffff_ffff]) {
    const high = queueIn(world)
    high.queue.use(high.write)
    high.queue.setQuota(quota)
    for (let i = 0; i < 1_000; i++) expect(high.queue.send(new Uint8Array(60_000))).toBe(true)
  }
})

test('throws away what is more than the backlog holds', () => {
  const { queue, free, counters, sent, write } = queueIn(new World(6))
  queue.use(write)
  free.value = false
  for (let i = 0; i < 200; i++) queue.send(new Uint8Array(60_000))
  expect(counters.read()['transport.dropped_backlog']).toBeGreaterThan(100)
  free.value = true
  queue.proceed()
  expect(bytesOf(sent)).toBeLessThan(4.2 * MIB)
})

test('leaves no timer behind', () => {
  const world = new World(7)
  const { queue, write } = queueIn(world)
  queue.use(write)
  queue.setQuota(MIB)
  for (let i = 0; i < 100; i++) queue.send(new Uint8Array(60_000))
  queue.close()
  expect(world.pending).toBe(0)
})
