import { describe, expect, test } from 'vitest'
import { type HashCode, hashCode } from '../../../src/base/ids.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import { BLOCK } from '../../../src/mesh/dht/blocks.ts'
import { type Parcel, parcelOf } from '../../../src/mesh/dht/parcel.ts'
import { compareDistance } from '../../../src/mesh/dht/routing-table.ts'
import { BlockStorage, endOf, STORAGE_LIMITS } from '../../../src/mesh/dht/storage.ts'
import { DHT_OPTION } from '../../../src/mesh/mesh.ts'
import { World } from '../../sim/world.ts'
import { utf8 } from '../../vectors.ts'

const HOUR_MS = 3_600_000
const selfHash = sha512(utf8('self'))
const keyOfText = (text: string): HashCode => hashCode(sha512(utf8(text)))

function setUp(limits = STORAGE_LIMITS) {
  const world = new World(1)
  const storage = new BlockStorage(world, selfHash, limits)
  const put = (key: string, data: string, owner = 'a', lifetimeMs = HOUR_MS): Parcel => {
    const block = parcelOf({
      type: BLOCK.test,
      key: keyOfText(key),
      data: utf8(data),
      expiresAt: world.now() + lifetimeMs,
      replication: 1,
      options: 0,
    })
    storage.put(block, owner, endOf(block, Infinity))
    return block
  }
  const texts = (key: string) =>
    storage.get(keyOfText(key), BLOCK.test).map(({ data }) => Buffer.from(data).toString())
  return { world, storage, put, texts }
}

describe('the store', () => {
  test('gives what was put, the newest first, by type or by any', () => {
    const { storage, put, texts } = setUp()
    put('key', 'one')
    put('key', 'two')
    expect(texts('key')).toEqual(['two', 'one'])
    expect(storage.get(keyOfText('key'), BLOCK.any)).toHaveLength(2)
    expect(storage.get(keyOfText('key'), BLOCK.gns)).toEqual([])
    expect(texts('other')).toEqual([])
  })

  test('keeps copies', () => {
    const { storage, put, texts } = setUp()
    const parcel = put('key', 'one')
    parcel.data.fill(0)
    expect(texts('key')).toEqual(['one'])
    expect(storage.blocks).toBe(1)
  })

  test('keeps a block once, to the later of its expiries', () => {
    const { world, storage, put, texts } = setUp()
    put('key', 'one', 'a', 2 * HOUR_MS)
    put('key', 'one', 'b', 1_000)
    expect(storage.blocks).toBe(1)
    world.run(HOUR_MS)
    put('key', 'one', 'b', 2 * HOUR_MS)
    world.run(HOUR_MS + 1_000)
    expect(texts('key')).toEqual(['one'])
  })

  test('replaces the route of a block that comes again', () => {
    const { world, storage } = setUp()
    const recorded = {
      ...parcelOf({
        type: BLOCK.test,
        key: keyOfText('key'),
        data: utf8('one'),
        expiresAt: world.now() + HOUR_MS,
        replication: 1,
        options: DHT_OPTION.recordRoute,
      }),
    }
    const hop = (byte: number) => ({
      signature: new Uint8Array(64),
      pid: new Uint8Array(32).fill(byte),
    })
    const end = endOf(recorded, Infinity)
    storage.put({ ...recorded, route: { origin: null, put: [hop(1)], get: [] } }, 'a', end)
    storage.put({ ...recorded, route: { origin: null, put: [hop(2)], get: [] } }, 'a', end - 1)
    const [kept, ...more] = storage.get(keyOfText('key'), BLOCK.test)
    expect(more).toEqual([])
    expect(kept!.route.put[0]!.pid[0]).toBe(2)
  })

  test('lets go of what has expired, and never gives it', () => {
    const { world, storage, put, texts } = setUp()
    put('key', 'short', 'a', 1_000)
    put('key', 'long', 'a', 2_000)
    world.run(1_000)
    expect(texts('key')).toEqual(['long'])
    expect(storage.blocks).toBe(2)
    storage.sweep()
    expect(storage.blocks).toBe(1)
    world.run(1_000)
    storage.sweep()
    expect([storage.blocks, storage.bytes]).toEqual([0, 0])
  })

  test('keeps nothing for longer than a week', () => {
    const { world, texts, put } = setUp()
    put('key', 'for ever', 'a', 1_000 * 24 * HOUR_MS)
    world.run(8 * 24 * HOUR_MS)
    expect(texts('key')).toEqual([])
  })

  test('never holds more bytes or blocks than its limits, whatever comes', () => {
    const limits = { bytesMax: 20_000, blocksMax: 20 }
    const { world, storage, put } = setUp(limits)
    for (let i = 0; i < 500; i++) {
      put(`key ${i % 90}`, 'x'.repeat(world.random.below(3_000)), `owner ${i % 3}`)
      expect(storage.bytes).toBeLessThanOrEqual(limits.bytesMax)
      expect(storage.blocks).toBeLessThanOrEqual(limits.blocksMax)
    }
    expect(storage.blocks).toBeGreaterThan(5)
    put('giant', 'x'.repeat(20_001))
    expect(storage.get(keyOfText('giant'), BLOCK.test)).toEqual([])
  })

  test('drops the expired before anything else', () => {
    const { world, texts, put } = setUp({ bytesMax: 1e6, blocksMax: 3 })
    put('one', '1', 'a')
    put('two', '2', 'b', 1_000)
    put('three', '3', 'a')
    world.run(2_000)
    put('four', '4', 'a')
    expect(['one', 'three', 'four'].flatMap(texts)).toEqual(['1', '3', '4'])
  })

  test('a neighbour that floods drives out its own blocks only', () => {
    const { texts, put } = setUp({ bytesMax: 1e6, blocksMax: 50 })
    for (let i = 0; i < 10; i++) put(`good ${i}`, 'good', 'modest')
    for (let i = 0; i < 1_000; i++) put(`bad ${i}`, 'bad', 'greedy')
    expect(Array.from({ length: 10 }, (_, i) => texts(`good ${i}`)).flat()).toHaveLength(10)
  })

  test('of one owner the farthest of the oldest goes first', () => {
    const { storage, put } = setUp({ bytesMax: 1e6, blocksMax: 10 })
    const parcels = Array.from({ length: 11 }, (_, i) => put(`key ${i}`, `${i}`))
    const farthest = [...parcels].sort((a, b) => compareDistance(b.key, a.key, selfHash))[0]!
    const gone = parcels.filter(({ key }) => storage.get(key, BLOCK.test).length === 0)
    expect(gone).toEqual([farthest])
  })

  test('under one key, a flood from one neighbour does not drive out what another put', () => {
    const { texts, put } = setUp()
    put('key', 'good', 'modest')
    for (let i = 0; i < 100; i++) put('key', `bad ${i}`, 'greedy')
    expect(texts('key')).toHaveLength(8)
    expect(texts('key')).toContain('good')
  })

  test('gives what is nearest to a key', () => {
    const { storage, put } = setUp()
    const parcels = Array.from({ length: 30 }, (_, i) => put(`key ${i}`, `${i}`))
    const key = keyOfText('wanted')
    const sorted = [...parcels].sort((a, b) => compareDistance(a.key, b.key, key))
    expect(storage.closest(key, BLOCK.test, 4).map(({ data }) => data)).toEqual(
      sorted.slice(0, 4).map(({ data }) => data),
    )
    expect(storage.closest(key, BLOCK.gns, 4)).toEqual([])
  })
})
