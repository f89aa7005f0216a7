import { describe, expect, test } from 'vitest'
import { compareBytes, keyOf } from '../../../src/base/bytes.ts'
import { type PeerId, peerId } from '../../../src/base/ids.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import type { Neighbour } from '../../../src/mesh/core/core.ts'
import { addToBloom } from '../../../src/mesh/dht/bloom.ts'
import { firstHops, forwardCount, nextHops } from '../../../src/mesh/dht/forwarding.ts'
import { compareDistance, RoutingTable, sharedBits } from '../../../src/mesh/dht/routing-table.ts'
import { seededRandom } from '../../sim/random.ts'
import { hex } from '../../vectors.ts'

const random = seededRandom(1)
const somePid = (): PeerId => peerId(random.bytes(32))
const neighbourOf = (peer: PeerId): Neighbour => ({
  peer,
  key: keyOf(peer),
  address: '',
  understands: () => true,
  atTurnsEnd: () => {},
  send: () => true,
})

function filledTable(size: number): { table: RoutingTable; neighbours: Neighbour[] } {
  const table = new RoutingTable(somePid())
  const neighbours = Array.from({ length: size }, () => neighbourOf(somePid()))
  for (const neighbour of neighbours) table.add(neighbour)
  return { table, neighbours }
}

const distance = (neighbour: Neighbour, key: Uint8Array): Uint8Array =>
  sha512(neighbour.peer).map((byte, i) => byte ^ key[i]!)

const nobody = () => new Uint8Array(128)

test('shared bits are counted from the first', () => {
  expect(sharedBits(hex('ff00'), hex('ff00'))).toBe(16)
  expect(sharedBits(hex('ff00'), hex('7f00'))).toBe(0)
  expect(sharedBits(hex('ff00'), hex('ff10'))).toBe(11)
})

test('distance is the number that xor gives', () => {
  expect(compareDistance(hex('01'), hex('02'), hex('03'))).toBeGreaterThan(0)
  expect(compareDistance(hex('02'), hex('01'), hex('03'))).toBeLessThan(0)
  expect(compareDistance(hex('02'), hex('02'), hex('03'))).toBe(0)
})

describe('the routing table', () => {
  test('finds the nearest neighbour, then the next where that one was visited', () => {
    const { table, neighbours } = filledTable(6)
    const key = random.bytes(64)
    const sorted = [...neighbours].sort((a, b) => compareBytes(distance(a, key), distance(b, key)))
    const visited = nobody()
    for (const expected of sorted) {
      const nearest = table.closest(key, visited)!
      expect(nearest.key).toBe(expected.key)
      addToBloom(visited, sha512(nearest.peer))
    }
    expect(table.closest(key, visited)).toBeNull()
    expect(table.any(visited, random)).toBeNull()
  })

  test('knows when nobody is nearer than we are', () => {
    const { table, neighbours } = filledTable(6)
    expect(table.isClosest(table.selfHash, nobody())).toBe(true)
    const key = sha512(neighbours[0]!.peer)
    const visited = nobody()
    expect(table.isClosest(key, visited)).toBe(false)
    for (const { peer } of neighbours) addToBloom(visited, sha512(peer))
    expect(table.isClosest(key, visited)).toBe(true)
  })

  test('uses eight neighbours of a bucket to get nearer, those that pass things on before others', () => {
    const { table, neighbours } = filledTable(200)
    const far = neighbours.filter(({ peer }) => sharedBits(sha512(peer), table.selfHash) === 0)
    const used = () => far.filter(each => table.closest(sha512(each.peer), nobody()) === each)
    expect(far.length).toBeGreaterThan(20)
    expect(used()).toEqual(far.slice(0, 8))
    table.noteRelay(far.at(-1)!.key)
    expect(used()).toEqual([...far.slice(0, 7), far.at(-1)])
    table.remove(far[0]!.key)
    expect(used()).toEqual([...far.slice(1, 8), far.at(-1)])
  })

  test('tries all neighbours alike, but chooses mostly one that passes things on', () => {
    const { table, neighbours } = filledTable(100)
    const times = () => {
      const chosen = Array.from({ length: 4_000 }, () => table.any(nobody(), random)!)
      return {
        first: chosen.filter(each => each === neighbours[0]).length,
        all: new Set(chosen).size,
      }
    }
    expect(times()).toEqual({ first: 40, all: 100 })
    table.noteRelay(neighbours[0]!.key)
    expect(times().first).toBeGreaterThan(2_900)
    expect(times().all).toBe(100)
  })
})

describe('forwarding', () => {
  const meanCount = (hops: number, replication: number) =>
    Array.from({ length: 4_000 }, () => forwardCount(hops, replication, random)).reduce(
      (sum, count) => sum + count,
    ) / 4_000

  test('spreads as many copies as the formula says, on average', () => {
    expect(meanCount(0, 5)).toBeCloseTo(2, 1)
    expect(meanCount(2, 5)).toBeCloseTo(1 + 4 / 12, 1)
    expect(meanCount(3, 1)).toBe(1)
    expect(meanCount(0, 0)).toBe(1)
    expect(meanCount(0, 60_000)).toBeCloseTo(1 + 15 / 4, 1)
  })

  test('goes on singly after a while, and then ends', () => {
    expect(forwardCount(9, 16, random)).toBe(1)
    expect(forwardCount(16, 16, random)).toBe(1)
    expect(forwardCount(17, 16, random)).toBe(0)
    expect(forwardCount(65_535, 16, random)).toBe(0)
  })

  test('our own requests go to as many neighbours as copies are wished for, the nearest first', () => {
    const { table } = filledTable(6)
    const key = random.bytes(64)
    const nearest = table.closest(key, nobody())!
    const hops = firstHops(table, key, nobody(), 3, random)
    expect(hops[0]).toBe(nearest)
    expect(new Set(hops).size).toBe(3)
    expect(firstHops(table, key, nobody(), 16, random)).toHaveLength(6)
  })

  test('chosen neighbours are in the filter that goes with the request', () => {
    const { table } = filledTable(6)
    const visited = nobody()
    const key = random.bytes(64)
    nextHops(table, key, visited, 5, 1, random)
    const second = nextHops(table, key, visited, 5, 1, random)
    expect(second[0]).not.toBe(table.closest(key, nobody()))
  })
})
