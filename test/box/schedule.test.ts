import { afterAll, beforeAll, expect, test } from 'vitest'
import { nextTime, parseSchedule } from '../../src/box/schedule.ts'

const zone = process.env.TZ
beforeAll(() => {
  process.env.TZ = 'Europe/Berlin'
})
afterAll(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

const at = (text: string) => new Date(text).getTime()
const nextTimes = (schedule: string, after: string, count: number): string[] => {
  const times: string[] = []
  for (let time = at(after); times.length < count; ) {
    const next = nextTime(parseSchedule(schedule), time)
    if (next === null) break
    times.push(new Date(next).toISOString().slice(0, 16))
    time = next
  }
  return times
}

test.for([
  ['90m', '2030-01-01T00:00:30Z', ['2030-01-01T01:30', '2030-01-01T03:00']],
  ['hourly', '2030-01-01T10:00:00Z', ['2030-01-01T11:00', '2030-01-01T12:00']],
  ['daily 03:30', '2030-01-01T02:30:00Z', ['2030-01-02T02:30', '2030-01-03T02:30']],
  ['mon,thu 04:00', '2030-01-01T00:00:00Z', ['2030-01-03T03:00', '2030-01-07T03:00']],
  ['monthly', '2030-01-31T12:00:00Z', ['2030-01-31T23:00', '2030-02-28T23:00']],
  [
    '*/20 9-10 * * 1-5',
    '2030-01-04T09:10:00Z',
    ['2030-01-04T09:20', '2030-01-04T09:40', '2030-01-07T08:00'],
  ],
  // crontab(5): where both are given, either day will do.
  [
    '0 0 13 * fri',
    '2030-09-01T00:00:00Z',
    ['2030-09-05T22:00', '2030-09-12T22:00', '2030-09-19T22:00'],
  ],
  ['0 0 29 2 *', '2030-01-01T00:00:00Z', ['2032-02-28T23:00', '2036-02-28T23:00']],
  ['0 0 31 2 *', '2030-01-01T00:00:00Z', []],
] as const)('%s', ([schedule, after, expected]) => {
  expect(nextTimes(schedule, after, Math.max(expected.length, 1))).toEqual(expected)
})

test('goes on where clocks are set forward, and back', () => {
  // 02:30 is not there on the 31st of March 2030; on the 27th of October it is there twice.
  expect(nextTimes('daily 02:30', '2030-03-29T12:00:00Z', 3)).toEqual([
    '2030-03-30T01:30',
    '2030-04-01T00:30',
    '2030-04-02T00:30',
  ])
  const night = nextTimes('*/30 * * * *', '2030-10-26T23:00:00Z', 8)
  expect(night).toEqual([...night].toSorted())
  expect(new Set(night).size).toBe(8)
})

test.for([
  ...[
    '',
    '1',
    '0m',
    '30s',
    '400d',
    'sometimes',
    'daily 25:00',
    'daily 3:5',
    'foo 04:00',
    '__proto__',
    'constructor',
  ],
  ...[
    '* * * *',
    '60 * * * *',
    '* * 0 * *',
    '5-1 * * * *',
    '*/0 * * * *',
    '1,,2 * * * *',
    '9'.repeat(200),
  ],
])('"%s" is no schedule', text => {
  expect(() => parseSchedule(text)).toThrow(/is no schedule/)
})
