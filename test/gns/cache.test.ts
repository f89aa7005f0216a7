import { describe, expect, test } from 'vitest'
import { zoneKey } from '../../src/base/ids.ts'
import type { Opened } from '../../src/gns/block.ts'
import { BlockCache, nameKey } from '../../src/gns/cache.ts'

const block = (expiryMs: number, size = 0): Opened => ({
  expiry: BigInt(expiryMs) * 1_000n,
  records: [{ type: 16, flags: 0, data: new Uint8Array(size), expiresAt: Infinity }],
})

describe('the cache of blocks', () => {
  test('forgets a block when it expires', () => {
    const cache = new BlockCache()
    cache.put('a', block(10))
    expect(cache.get('a', 9)).toEqual(block(10))
    expect(cache.get('a', 10)).toBe(null)
    expect(cache.get('a', 9)).toBe(null)
    expect(cache.get('b', 0)).toBe(null)
  })

  test('keeps the newer of two blocks, whichever comes first', () => {
    const cache = new BlockCache()
    cache.put('a', block(20, 2))
    cache.put('a', block(10, 1))
    expect(cache.get('a', 0)).toEqual(block(20, 2))
    cache.put('a', block(30, 3))
    expect(cache.get('a', 0)).toEqual(block(30, 3))
  })

  test('is bounded, and lets go what was not asked for longest', () => {
    const cache = new BlockCache(10_000)
    for (let n = 0; n < 1_000; n++) {
      cache.put(`n${n}`, block(10, 500))
      cache.get('n0', 0)
    }
    const kept = Array.from({ length: 1_000 }, (_, n) => n).filter(n => cache.get(`n${n}`, 0))
    expect(kept[0]).toBe(0)
    expect(kept.slice(1)).toEqual([992, 993, 994, 995, 996, 997, 998, 999])
    cache.put('huge', block(10, 20_000))
    expect(cache.get('huge', 0)).toBe(null)
    cache.clear()
    expect(cache.get('n0', 0)).toBe(null)
  })

  test('does not mistake one zone or label for another', () => {
    const zone = (n: number) => zoneKey(new Uint8Array(36).fill(n))
    const keys = [nameKey(zone(1), 'a'), nameKey(zone(1), 'b'), nameKey(zone(2), 'a')]
    expect(new Set(keys).size).toBe(3)
  })
})
