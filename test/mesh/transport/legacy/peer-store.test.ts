import { expect, test } from 'vitest'
import type { Clock } from '../../../../src/base/clock.ts'
import { type PeerId, peerId } from '../../../../src/base/ids.ts'
import { memoryStore } from '../../../../src/base/store.ts'
import { decodeHello } from '../../../../src/mesh/transport/legacy/hello.ts'
import { PeerStore } from '../../../../src/mesh/transport/legacy/peer-store.ts'
import { World } from '../../../sim/world.ts'

const HOUR = 3_600_000
const peerOf = (seed: number): PeerId => {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, seed)
  return peerId(bytes)
}
const A = { host: '192.0.2.1', port: 2086 }
const B = { host: '192.0.2.2', port: 2086 }

const told = (clock: Clock, seed: number, ...addresses: (typeof A)[]) => ({
  peer: peerOf(seed),
  friendsOnly: false,
  addresses: addresses.map(address => ({ address, expiresAt: clock.now() + HOUR })),
})

test('says which addresses are new', () => {
  const world = new World(1)
  const store = new PeerStore(world, memoryStore())
  expect(store.learn(told(world, 1, A))).toEqual([A])
  expect(store.learn(told(world, 1, A, B))).toEqual([B])
})

test('forgets what has expired, but not what a person gave', () => {
  const world = new World(2)
  const store = new PeerStore(world, memoryStore())
  store.learn(told(world, 1, A))
  store.introduce(told(world, 2, B))
  world.run(2 * HOUR)
  expect(store.addressesOf(peerOf(1))).toEqual([])
  expect(store.addressesOf(peerOf(2))).toEqual([B])
  expect(store.all()).toEqual([peerOf(2)])
})

test('puts first what worked, then what a person gave, then what was signed for', () => {
  const world = new World(3)
  const store = new PeerStore(world, memoryStore())
  const [C, D] = [
    { host: '192.0.2.3', port: 1 },
    { host: '192.0.2.4', port: 1 },
  ]
  store.learn(told(world, 1, A, B, C!, D!))
  store.validated(peerOf(1), B)
  store.introduce(told(world, 1, C!))
  store.worked(peerOf(1), D!)
  expect(store.addressesOf(peerOf(1))).toEqual([D, C, B, A])
})

test('does not take addresses that nobody can dial', () => {
  const world = new World(4)
  const store = new PeerStore(world, memoryStore())
  store.learn(told(world, 1, { host: '0.0.0.0', port: 1 }, { host: '192.0.2.1', port: 0 }))
  expect(store.size).toBe(0)
})

test('remembers over a restart what was good, and nothing of what was only told', () => {
  const world = new World(5)
  const disk = memoryStore()
  const store = new PeerStore(world, disk)
  store.learn(told(world, 1, A))
  store.learn(told(world, 2, A))
  store.worked(peerOf(1), A)
  store.save()
  const next = new PeerStore(world, disk)
  expect(next.all()).toEqual([peerOf(1)])
  expect(next.addressesOf(peerOf(1))).toEqual([A])
  expect(next.helloOf(peerOf(1))).toBeNull()
})

test('begins empty where the file is damaged', () => {
  const world = new World(6)
  const disk = memoryStore()
  disk.set('peers', new Uint8Array([0, 9, 0, 17, 1, 2, 3, 4, 5, 0, 1]))
  expect(new PeerStore(world, disk).size).toBe(0)
})

test('keeps a bounded number of peers, and those that are good for longer', () => {
  const world = new World(7)
  const store = new PeerStore(world, memoryStore())
  store.learn(told(world, 0, A))
  store.worked(peerOf(0), A)
  for (let i = 1; i < 2_000; i++) {
    world.run(1)
    store.learn(told(world, i, A))
  }
  expect(store.size).toBe(256)
  expect(store.addressesOf(peerOf(0))).toEqual([A])
  expect(store.addressesOf(peerOf(1_999))).toEqual([A])
})

test('keeps a bounded number of addresses of each, and the good one among them', () => {
  const world = new World(8)
  const store = new PeerStore(world, memoryStore())
  store.worked(peerOf(1), A)
  for (let port = 1; port < 100; port++) store.learn(told(world, 1, { host: '192.0.2.9', port }))
  expect(store.addressesOf(peerOf(1))).toHaveLength(8)
  expect(store.addressesOf(peerOf(1))[0]).toEqual(A)
})

test('says nothing to others of a peer that wants only its friends to know', () => {
  const world = new World(9)
  const store = new PeerStore(world, memoryStore())
  store.learn({ ...told(world, 1, A), friendsOnly: true })
  store.validated(peerOf(1), A)
  expect(store.helloOf(peerOf(1))).toBeNull()
  store.learn(told(world, 2, A))
  store.validated(peerOf(2), A)
  expect(decodeHello(store.helloOf(peerOf(2))!).addresses).toHaveLength(1)
})
