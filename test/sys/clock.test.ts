import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/sys/clock.ts'

test('waits as long as it was asked, even for months, and not once it is cancelled', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const day = 86_400_000
  const called: string[] = []
  systemClock.after(100 * day, () => called.push('spring'))
  systemClock.after(60 * day, () => called.push('never')).cancel()
  const late = systemClock.after(90 * day, () => called.push('never'))
  systemClock.after(5, () => called.push('soon'))
  vi.advanceTimersByTime(60 * day)
  late.cancel()
  vi.advanceTimersByTime(40 * day - 1)
  expect(called).toEqual(['soon'])
  vi.advanceTimersByTime(1)
  expect(called).toEqual(['soon', 'spring'])
  expect(vi.getTimerCount()).toBe(0)
})

test('durations never go back when somebody sets the clock', () => {
  const before = systemClock.elapsed()
  vi.setSystemTime(0)
  onTestFinished(() => void vi.useRealTimers())
  expect(systemClock.now()).toBeLessThan(1_000)
  expect(systemClock.elapsed()).toBeGreaterThanOrEqual(before)
})
