/** Times that never go back. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { memoryStore } from '../../src/base/store.ts'
import { Monotime } from '../../src/mesh/monotime.ts'

/** A machine whose clock anybody can set. */
function machine(at: number) {
  const state = { at }
  const clock: Clock = {
    now: () => state.at,
    elapsed: () => state.at,
    after: () => ({ cancel: () => {} }),
  }
  return { state, clock }
}

test('follows the clock, in microseconds', () => {
  const { clock, state } = machine(1_000)
  const monotime = new Monotime(memoryStore(), clock)
  expect(monotime.now()).toBe(1_000_000n)
  expect(monotime.now()).toBe(1_000_001n)
  state.at = 2_000.5
  expect(monotime.now()).toBe(2_000_500n)
})

test('never repeats or goes back, however the clock is set and the process restarted', () => {
  const step = fc.record({ to: fc.nat({ max: 10_000_000 }), restart: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step), steps => {
      const { clock, state } = machine(5_000)
      const store = memoryStore()
      let monotime = new Monotime(store, clock)
      let last = -1n
      for (const { to, restart } of steps) {
        state.at = to
        if (restart) monotime = new Monotime(store, clock)
        const next = monotime.now()
        expect(next).toBeGreaterThan(last)
        last = next
      }
    }),
  )
})

test('writes once an hour, not at every use', () => {
  const { clock, state } = machine(0)
  const store = memoryStore()
  let writes = 0
  const counted = {
    ...store,
    set: (...entry: Parameters<typeof store.set>) => {
      writes++
      store.set(...entry)
    },
  }
  const monotime = new Monotime(counted, clock)
  for (let i = 0; i < 1_000; i++) {
    state.at += 3_600
    monotime.now()
  }
  expect(writes).toBeLessThanOrEqual(2)
})

test('a value that cannot be read counts as none', () => {
  const { clock } = machine(1_000)
  const store = memoryStore()
  store.set('monotime', new Uint8Array(3))
  expect(new Monotime(store, clock).now()).toBe(1_000_000n)
})
