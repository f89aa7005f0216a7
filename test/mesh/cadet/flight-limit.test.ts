/** How much of a long transfer is under way: little enough for what is said beside it, enough for the way. */

import { expect, test } from 'vitest'
import type { Connection } from '../../../src/mesh/cadet/connection.ts'
import { RoundTrip } from '../../../src/mesh/cadet/round-trip.ts'
import { SendWindow } from '../../../src/mesh/cadet/send-window.ts'
import { WINDOW_OURS } from '../../../src/mesh/cadet/window-size.ts'
import { World } from '../../sim/world.ts'

/** A message of a stream; while somebody types, what is written at once is less. */
const SIZE = 60 * 1_024
const SIZE_TYPING = 16 * 1_024

interface Way {
  readonly latencyMs: number
  /** Bytes a millisecond. */
  readonly width: number
}

/** Somebody who always has more to say, when it need not wait, over a way with one narrow place before which all of it waits. */
class Transfer {
  private readonly world = new World(127)
  private readonly window = new SendWindow()
  private readonly via = { roundTrip: new RoundTrip(), confirm() {} } as unknown as Connection
  private way: Way
  private readonly saidAt: number[] = []
  private waits: number[] = []
  private freeAt = 0
  private size = SIZE

  constructor(way: Way) {
    this.way = way
    this.window.widen(WINDOW_OURS)
    // As small messages of before have found.
    this.via.roundTrip.observe(2 * way.latencyMs, 0)
    this.send()
  }

  /** How long all but one in a hundred messages waited in the next `ms`, and which part of the way was used. */
  watch(ms: number): { lateMs: number; used: number } {
    this.waits = []
    this.world.run(ms)
    const waits = this.waits.toSorted((one, other) => one - other)
    const used = (waits.length * this.size) / (this.way.width * ms)
    return { lateMs: waits[Math.floor(waits.length * 0.99)]!, used }
  }

  hurry(isOn: boolean): void {
    this.window.hurry(isOn)
    this.size = isOn ? SIZE_TYPING : SIZE
    // What is under way still has the other size.
    this.world.run(1_000)
  }

  /** The way becomes another one. */
  change(way: Way): void {
    this.way = way
  }

  private send(): void {
    const { window, world } = this
    for (;;) {
      const message = window.ready()
      if (message) {
        window.transmitted(message, this.via, world.elapsed())
        this.carry(message.sequence, message.size)
      } else if (!window.mustWait()) {
        window.push(new Uint8Array(this.size))
        this.saidAt.push(world.elapsed())
      } else return
    }
  }

  private carry(sequence: number, size: number): void {
    const { world, way, window } = this
    const now = world.elapsed()
    this.freeAt = Math.max(this.freeAt, now + way.latencyMs) + size / way.width
    world.after(this.freeAt - now, () => {
      this.waits.push(world.elapsed() - this.saidAt[sequence - 1]!)
      world.after(way.latencyMs, () => {
        const received = { expected: sequence + 1, futuresHigh: 0, futuresLow: 0 }
        if (window.acknowledged(received, world.elapsed())) this.send()
      })
    })
  }
}

test.for([
  { latencyMs: 1, width: 9_400, waitMs: 45, seconds: 80 },
  { latencyMs: 50, width: 5_000, waitMs: 160, seconds: 150 },
  // Two messages, whatever they take, and the one that is said.
  { latencyMs: 1, width: 1_000, waitMs: 200, seconds: 200 },
  { latencyMs: 1, width: 250, waitMs: 800, seconds: 500 },
])('$width bytes a millisecond over $latencyMs ms are used, and do not wait', way => {
  const { waitMs, seconds } = way
  const transfer = new Transfer(way)
  expect(transfer.watch(1_000).used).toBeGreaterThan(0.8)
  transfer.watch(19_000)
  // Neither soon nor after minutes, when the shortest round trip was forgotten that it began with.
  for (const part of [0.3, 0.7]) {
    const { lateMs, used } = transfer.watch(part * seconds * 1_000)
    expect(lateMs).toBeLessThan(waitMs)
    expect(used).toBeGreaterThan(0.98)
  }
})

test.for([
  { latencyMs: 1, width: 9_400, waitMs: 12, usualMs: 45 },
  { latencyMs: 50, width: 5_000, waitMs: 90, usualMs: 160 },
  // Two messages and the one that is said, of the size of a piece.
  { latencyMs: 1, width: 1_000, waitMs: 60, usualMs: 200 },
])('somebody types beside $width bytes a millisecond over $latencyMs ms', way => {
  const { waitMs, usualMs } = way
  const transfer = new Transfer(way)
  transfer.watch(20_000)
  transfer.hurry(true)
  // As soon as the queue of before is gone, and after minutes of it.
  for (const ms of [5_000, 120_000, 5_000]) {
    const { lateMs, used } = transfer.watch(ms)
    expect(lateMs).toBeLessThan(waitMs)
    expect(used).toBeGreaterThan(0.9)
  }
  transfer.hurry(false)
  transfer.watch(10_000)
  const { lateMs, used } = transfer.watch(30_000)
  expect(lateMs).toBeLessThan(usualMs)
  expect(used).toBeGreaterThan(0.98)
})

test.for([
  { latencyMs: 30, width: 4_000, narrow: 1_000, waitMs: 90 },
  { latencyMs: 5, width: 10_000, narrow: 2_000, waitMs: 50 },
])('a way that becomes narrow while somebody types is found to be, $latencyMs ms', options => {
  const { latencyMs, width, narrow, waitMs } = options
  const transfer = new Transfer({ latencyMs, width })
  transfer.watch(5_000)
  transfer.hurry(true)
  transfer.watch(5_000)
  transfer.change({ latencyMs, width: narrow })
  transfer.watch(20_000)
  const { lateMs, used } = transfer.watch(60_000)
  expect(lateMs).toBeLessThan(waitMs)
  expect(used).toBeGreaterThan(0.8)
})

test('what is small does not wait for room on the way while somebody types, but for what is before it', () => {
  const window = new SendWindow()
  const via = { roundTrip: new RoundTrip(), confirm() {} } as unknown as Connection
  via.roundTrip.observe(2, 0)
  window.widen(WINDOW_OURS)
  let now = 0
  let following = 1
  const say = (size: number) => {
    window.push(new Uint8Array(size))
    following++
    return send()
  }
  const send = () => {
    let sent = 0
    for (let next = window.ready(); next; next = window.ready(), sent++)
      window.transmitted(next, via, now)
    return sent
  }
  const has = (expected: number) =>
    window.acknowledged({ expected, futuresHigh: 0, futuresLow: 0 }, now)
  // A way so narrow that two messages are enough.
  window.hurry(true)
  for (; now < 3_000; now += 10) {
    if (window.unsent === 0) say(SIZE_TYPING)
    has(window.base + 1)
    send()
  }
  has(following - window.unsent)
  send()
  has(following)
  expect(window.settled).toBe(true)

  expect([say(SIZE_TYPING), window.mustWait()]).toEqual([1, false])
  expect([say(SIZE_TYPING), window.mustWait()]).toEqual([1, true])
  expect(say(80)).toBe(1)
  expect(say(SIZE_TYPING)).toBe(0)
  expect(say(80)).toBe(0)
  has(window.base + 1)
  expect(send()).toBe(2)
  expect(window.mustWait()).toBe(true)
  window.hurry(false)
  expect(window.mustWait()).toBe(false)
})
