import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NEVER, toMicros, toMs } from '../../src/wire/time.ts'

test('times are microseconds, and never is all ones', () => {
  expect(toMicros(1_500.25)).toBe(1_500_250n)
  expect(toMs(1_500_999n)).toBe(1_500)
  expect(toMicros(Number.POSITIVE_INFINITY)).toBe(NEVER)
  expect(toMs(NEVER)).toBe(Number.POSITIVE_INFINITY)
})

test('a time before 1970 is none', () => {
  expect(toMicros(-1)).toBe(0n)
  expect(toMicros(Number.NEGATIVE_INFINITY)).toBe(0n)
})

test('whole milliseconds come back as they were, for longer than anybody lives', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9e12 }), ms => void expect(toMs(toMicros(ms))).toBe(ms)),
  )
})
