import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ReplayWindow } from '../../../../src/mesh/core/ephemeral/replay-window.ts'

test('takes each number once, in order', () => {
  const window = new ReplayWindow()
  for (let n = 1; n <= 100; n++) {
    expect(window.accept(n)).toBe(true)
    expect(window.accept(n)).toBe(false)
  }
})

test('takes late ones up to 32 behind the newest', () => {
  const window = new ReplayWindow()
  window.accept(100)
  expect(window.accept(68)).toBe(true)
  expect(window.accept(67)).toBe(false)
  expect(window.accept(68)).toBe(false)
  expect(window.accept(99)).toBe(true)
  expect(window.accept(99)).toBe(false)
})

test('does what the plain way of remembering everything does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 200 }), numbers => {
      const window = new ReplayWindow()
      const seen = new Set<number>()
      let newest = 0
      for (const number of numbers) {
        const expected = !seen.has(number) && newest - number <= 32
        expect(window.accept(number)).toBe(expected)
        if (expected) seen.add(number)
        newest = Math.max(newest, number)
      }
    }),
    { numRuns: 500 },
  )
})
