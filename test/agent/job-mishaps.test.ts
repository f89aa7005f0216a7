/** Jobs go on when the disk was full, when the clock was wrong, and when a note of theirs is damaged. */

import { beforeEach, describe, expect, test } from 'vitest'
import { utf8 } from '../vectors.ts'
import { DAY_MS, HOUR_MS, JobPlace } from './job-place.ts'

const MINUTE_MS = 60_000

let place: JobPlace

beforeEach(() => {
  place = new JobPlace()
})

const lines = () => place.started.map(({ line }) => line)
const outputs = (id: string) =>
  place.report(id).runs.map(({ out }) => new TextDecoder().decode(out))

describe('a disk that is full', () => {
  test('when a job ends loses neither its end nor the jobs after it', async () => {
    const [first, second] = ['a', 'b'].map(line => place.signed(line))
    for (const { raw } of [first!, second!]) place.jobs.take(raw)
    place.isFull = true
    await place.end(first!.id, 3)
    const endedAt = place.world.now()
    await place.world.pass(5 * MINUTE_MS)
    expect(lines()).toEqual(['a'])
    place.isFull = false
    await place.world.pass(MINUTE_MS)
    expect(place.report(first!.id)).toMatchObject({
      is: 'ended',
      runs: [{ exitCode: 3, ended: endedAt, why: 'What it printed could not be kept.' }],
    })
    expect(lines()).toEqual(['a', 'b'])
    place.restart()
    expect(place.report(first!.id)).toMatchObject({ is: 'ended', runs: [{ exitCode: 3 }] })
  })

  test('for the end of one job keeps no other waiting', async () => {
    const [first, second] = ['a', 'b'].map(line => place.signed(line))
    for (const { raw } of [first!, second!]) place.jobs.take(raw)
    place.fullFor = name => name === `job-${first!.id}`
    await place.end(first!.id)
    expect(lines()).toEqual(['a', 'b'])
    await place.end(second!.id)
    expect(place.report(first!.id).is).toBe('begun')
    place.fullFor = () => false
    await place.world.pass(MINUTE_MS)
    expect(place.report(first!.id).is).toBe('ended')
  })

  test('when a run of a schedule ends lets the next one begin after its end is kept', async () => {
    const { id, raw } = place.signed('df', { every: '1h' })
    place.jobs.take(raw)
    await place.world.pass(HOUR_MS)
    place.isFull = true
    await place.end(id, 4)
    await place.world.pass(2 * HOUR_MS)
    expect(lines()).toEqual(['df'])
    place.isFull = false
    await place.world.pass(MINUTE_MS)
    expect(place.report(id).runs).toMatchObject([{ exitCode: 4 }, { ended: null }])
  })

  test('when a job ends does not let it be cancelled afterwards, or be told to be expired', async () => {
    const [first, second] = ['a', 'b'].map(line =>
      place.signed(line, { expiresAt: place.world.now() + HOUR_MS }),
    )
    place.jobs.take(first!.raw)
    place.isFull = true
    await place.end(first!.id)
    await place.world.pass(2 * HOUR_MS)
    place.isFull = false
    place.jobs.take(place.cancellation(first!))
    expect(place.report(first!.id)).toMatchObject({ is: 'ended', runs: [{ exitCode: 0 }] })
    expect(() => place.jobs.take(second!.raw)).toThrow('Its time is over')
  })

  test('when the next process begins lets it tell later what was interrupted', async () => {
    const { id, raw } = place.signed('reboot')
    place.jobs.take(raw)
    place.isFull = true
    place.restart()
    place.isFull = false
    await place.world.pass(MINUTE_MS)
    expect(place.report(id).is).toBe('interrupted')
  })
})

test('what an earlier run printed is not told of a later one', async () => {
  const { id, raw } = place.signed('df', { every: '1h' })
  place.jobs.take(raw)
  for (let i = 1; i <= 4; i++) {
    await place.world.pass(HOUR_MS)
    await place.end(id, 0, `run ${i}`)
  }
  await place.world.pass(HOUR_MS)
  expect(outputs(id)).toEqual(['run 2', 'run 3', 'run 4', ''])
  place.restart()
  expect(outputs(id)).toEqual(['run 2', 'run 3', 'run 4', ''])
})

describe('a clock that was ahead', () => {
  const expiresAt = () => place.world.now() + 60 * DAY_MS

  test.for(['taken', 'run'])('when a schedule was %s does not stop it', async was => {
    const { id, raw } = place.signed('df', { every: '1h', expiresAt: expiresAt() })
    if (was === 'run') place.jobs.take(raw)
    place.aheadMs = 10 * DAY_MS
    if (was === 'taken') place.jobs.take(raw)
    else {
      await place.world.pass(MINUTE_MS)
      await place.end(id)
    }
    const before = place.started.length
    place.aheadMs = 0
    await place.world.pass(MINUTE_MS)
    for (let i = 1; i <= 3; i++) {
      // Whatever the clock was, it counts from when it was set right, over a restart too.
      await place.world.pass(HOUR_MS / 2)
      if (i === 1) place.restart()
      await place.world.pass(HOUR_MS / 2)
      expect(place.started).toHaveLength(before + i)
      await place.end(id)
    }
  })

  test('when a schedule for a time of day was taken does not stop it', async () => {
    place.aheadMs = 10 * DAY_MS
    place.jobs.take(place.signed('df', { every: 'daily 03:30', expiresAt: expiresAt() }).raw)
    place.aheadMs = 0
    await place.world.pass(DAY_MS)
    expect(lines()).toEqual(['df'])
  })

  test.for([5_000, 30 * MINUTE_MS])('by %i ms runs nothing twice for one time of day', async ms => {
    const { id, raw } = place.signed('df', { every: 'daily 03:30' })
    place.jobs.take(raw)
    while (place.started.length === 0) await place.world.pass(1_000)
    await place.end(id)
    place.aheadMs = -ms
    place.restart()
    await place.world.pass(2 * HOUR_MS)
    expect(lines()).toEqual(['df'])
    await place.world.pass(DAY_MS)
    expect(lines()).toEqual(['df', 'df'])
  })

  test('or is behind until it is set right makes nothing run too early', async () => {
    const { id, raw } = place.signed('df', { every: '1d' })
    place.jobs.take(raw)
    await place.world.pass(DAY_MS)
    await place.end(id)
    for (let i = 0; i < 2; i++) {
      // A router without a clock of its own begins with some earlier day.
      place.aheadMs = -3 * DAY_MS - i * HOUR_MS
      place.restart()
      await place.world.pass(5 * MINUTE_MS)
      place.aheadMs = 0
      await place.world.pass(5 * MINUTE_MS)
    }
    expect(place.started).toHaveLength(1)
    await place.world.pass(DAY_MS)
    expect(place.started).toHaveLength(2)
  })
})

test.for(['no note', '{"version":2}'])('a job whose note is damaged is not run again: %s', text => {
  const { id, raw } = place.signed('reboot')
  place.jobs.take(raw)
  place.store.set(`job-${id}`, utf8(text))
  for (let i = 0; i < 2; i++) {
    place.restart()
    expect(() => place.jobs.take(raw)).toThrow('It was here already')
  }
  expect(lines()).toEqual(['reboot'])
})
