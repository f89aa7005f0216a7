/** What is sent again although nothing was lost: waits for answers follow the way (RFC 6298, Karn's algorithm). */

import { expect, test } from 'vitest'
import { RoundTrip } from '../../../src/mesh/cadet/round-trip.ts'
import { Listener, numbered, Opening } from './ends.ts'
import { CadetWorld } from './world.ts'

test('a way that has become slow is not filled with repetitions of what was not lost', () => {
  const SIZE = 4_000
  const mesh = new CadetWorld(127)
  const [a, b, hub] = mesh.peers('a', 'b', 'hub')
  let latencyMs = 5
  const options = {
    // The processor of the hub, say, has much else to do.
    get latencyMs() {
      return latencyMs
    },
  }
  mesh.link(a, hub, options)
  mesh.link(hub, b, options)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.until(() => opening.channel !== null, 2_000)
  let next = 0
  const sayEach = (count: number, everyMs: number) => {
    let carried = 0
    mesh.carried = message => {
      // Over the hub each goes twice.
      if (message.length > SIZE) carried += 1 / 2
    }
    for (let i = 0; i < count; i++) {
      opening.channel!.send(numbered(next++, SIZE))
      mesh.run(everyMs)
    }
    mesh.until(() => listener.last.inbox.numbers.length === next, 60_000)
    return carried / count
  }
  expect(sayEach(50, 100)).toBe(1)
  for (const slow of [50, 150, 500]) {
    latencyMs = slow
    // Some repetitions until that is known, then none.
    expect(sayEach(100, 100)).toBeLessThan(1.6)
    expect(sayEach(100, 100)).toBe(1)
  }
  expect(listener.last.inbox.numbers).toEqual(Array.from({ length: next }, (_, n) => n))
})

test('the wait stays doubled until something that was sent once is answered', () => {
  const roundTrip = new RoundTrip()
  roundTrip.observe(20, 0)
  const wait = roundTrip.timeoutMs()
  roundTrip.silent(100)
  expect(roundTrip.timeoutMs()).toBe(2 * wait)
  // Another channel that waits for the same way.
  roundTrip.silent(101)
  expect(roundTrip.timeoutMs()).toBe(2 * wait)
  roundTrip.silent(100 + 2 * wait)
  expect(roundTrip.timeoutMs()).toBe(4 * wait)
  for (let now = 10_000; now < 100_000; now += 5_000) roundTrip.silent(now)
  expect(roundTrip.timeoutMs()).toBe(3_000)
  roundTrip.observe(20, 100_000)
  expect(roundTrip.timeoutMs()).toBeLessThanOrEqual(wait)
})
