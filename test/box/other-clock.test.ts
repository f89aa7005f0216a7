/** How far two clocks are apart: never further from the truth than is said, whatever the way between them takes. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { clockReading, OtherClock, readClockReading } from '../../src/box/other-clock.ts'

/** Clocks of two machines: ours may be set, sleep and run too fast; theirs is right. */
class Machines {
  private trueMs = 1_800_000_000_000
  private aheadMs: number
  private sleptMs = 0
  private readonly rate: number
  readonly clock: Clock = {
    now: () => Math.floor(this.trueMs + this.aheadMs + this.drifted()),
    elapsed: () => this.trueMs - this.sleptMs + this.drifted(),
    after: () => ({ cancel: () => {} }),
  }

  constructor(aheadMs: number, rate = 0) {
    this.aheadMs = aheadMs
    this.rate = rate
  }

  private drifted(): number {
    return (this.trueMs - 1_800_000_000_000) * this.rate
  }

  get theirs(): number {
    return Math.floor(this.trueMs)
  }

  /** By how much ours is ahead. */
  get truth(): number {
    return this.aheadMs + this.drifted()
  }

  pass(ms: number): void {
    this.trueMs += ms
  }

  set(byMs: number): void {
    this.aheadMs += byMs
  }

  /** Time passes for clocks on walls, and not for timers. */
  sleep(ms: number): void {
    this.trueMs += ms
    this.sleptMs += ms
  }

  compare(other: OtherClock, thereMs: number, backMs: number): void {
    const askedAt = this.clock.elapsed()
    this.pass(thereMs)
    const time = this.theirs
    this.pass(backMs)
    other.hear({ time, askedAt, cameAt: this.clock.elapsed() })
  }
}

const way = fc.double({ min: 0, max: 20_000, noNaN: true })

test('the truth is within the bounds, whichever part of the way was slow, and for as long as it is told', () => {
  fc.assert(
    fc.property(
      ...([fc.double({ min: -1e9, max: 1e9, noNaN: true }), way, way] as const),
      ...([fc.double({ min: -1e-4, max: 1e-4, noNaN: true }), fc.nat(3e8)] as const),
      (ahead, there, back, rate, later) => {
        const machines = new Machines(ahead, rate)
        const other = new OtherClock(machines.clock)
        machines.compare(other, there, back)
        for (const ms of [0, later]) {
          machines.pass(ms)
          const offset = other.offset()
          if (offset)
            expect(Math.abs(offset.offsetMs - machines.truth)).toBeLessThanOrEqual(offset.errorMs)
        }
      },
    ),
  )
})

test('the better comparison is kept, and a worse one taken when it has become better', () => {
  const machines = new Machines(5_000)
  const other = new OtherClock(machines.clock)
  expect(other.offset()).toBe(null)
  machines.compare(other, 300, 300)
  machines.compare(other, 10, 10)
  machines.compare(other, 300, 300)
  expect(other.offset()!.errorMs).toBeLessThan(13)
  const { comparedAt } = other.offset()!
  machines.pass(86_400_000)
  expect(other.offset()!.errorMs).toBeGreaterThan(17_000)
  machines.compare(other, 300, 300)
  expect(other.offset()!.errorMs).toBeLessThan(400)
  expect(other.offset()!.comparedAt).toBeGreaterThan(comparedAt)
})

test('a clock that is set is seen at once, without anybody saying the time again', () => {
  const machines = new Machines(0)
  const other = new OtherClock(machines.clock)
  machines.compare(other, 10, 10)
  machines.set(-7_200_000)
  expect(other.offset()!.offsetMs).toBeCloseTo(-7_200_000, -2)
})

test('after a sleep a worse comparison is taken, for it shows that the better one is wrong', () => {
  const machines = new Machines(0)
  const other = new OtherClock(machines.clock)
  machines.compare(other, 1, 1)
  machines.sleep(3_600_000)
  machines.compare(other, 900, 900)
  expect(Math.abs(other.offset()!.offsetMs)).toBeLessThan(1_000)
})

test('what is known no better than to a minute is not told', () => {
  const machines = new Machines(0)
  const other = new OtherClock(machines.clock)
  machines.compare(other, 70_000, 70_000)
  expect(other.offset()).toBe(null)
  machines.compare(other, 10, 10)
  machines.pass(4 * 86_400_000)
  expect(other.offset()).toBe(null)
})

test('a reading is read again, and what is none is none', () => {
  expect(readClockReading(clockReading(1_800_000_000_123))).toBe(1_800_000_000_123)
  expect(readClockReading(new Uint8Array(0))).toBe(null)
  expect(readClockReading(new Uint8Array(12).fill(0xff))).toBe(null)
})
