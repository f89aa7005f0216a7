import { expect, test } from 'vitest'
import { systemRandom } from '../../src/sys/random.ts'

test('gives as many bytes as asked, never the same', () => {
  expect(systemRandom.bytes(0)).toHaveLength(0)
  expect(systemRandom.bytes(32)).toHaveLength(32)
  expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32))
  expect(systemRandom.bytes(4).constructor).toBe(Uint8Array)
})

test('stays below its bound, up to the largest', () => {
  const dice = Array.from({ length: 1_000 }, () => systemRandom.below(6))
  expect(new Set(dice)).toEqual(new Set([0, 1, 2, 3, 4, 5]))
  expect(systemRandom.below(1)).toBe(0)
  const large = Array.from({ length: 200 }, () => systemRandom.below(2 ** 48))
  expect(large.every(n => Number.isInteger(n) && n >= 0 && n < 2 ** 48)).toBe(true)
  expect(Math.max(...large)).toBeGreaterThan(2 ** 47)
})
