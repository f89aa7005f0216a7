/**
 * When something is done again and again, as people write it and as devices keep it:
 *
 *     30m  1h  7d  2w            so often, counted from the last time
 *     hourly  daily  weekly  monthly
 *     daily 03:30                every day at that time, by the device's clock and time zone
 *     mon,thu 04:00              on those days of the week
 *     15 3 1 * *                 as in crontab(5): minute, hour, day, month, day of the week
 */

import { BoxError } from '../base/errors.ts'

export type Schedule =
  | { readonly is: 'interval'; readonly ms: number }
  | {
      readonly is: 'times'
      readonly minutes: ReadonlySet<number>
      readonly hours: ReadonlySet<number>
      readonly days: ReadonlySet<number>
      readonly months: ReadonlySet<number>
      readonly weekdays: ReadonlySet<number>
      /** Where days and weekdays are both given, either will do: crontab(5). */
      readonly eitherDay: boolean
    }

const MINUTE_MS = 60_000
const UNITS_MS = { m: MINUTE_MS, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const
/** Longer than a statement lasts. */
const INTERVAL_MS_MAX = 366 * UNITS_MS.d
/** The 29th of February on a Monday comes once in 28 years; months and days are skipped whole. */
const STEPS_MAX = 20_000
const TEXT_MAX = 128

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const WORDS: ReadonlyMap<string, string> = new Map([
  ['hourly', '0 * * * *'],
  ['daily', '0 0 * * *'],
  ['weekly', '0 0 * * 0'],
  ['monthly', '0 0 1 * *'],
])

/** Throws INPUT_INVALID. */
export function parseSchedule(text: string): Schedule {
  const words = text.trim().toLowerCase()
  if (text.length > TEXT_MAX) throw unclear(text)
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(words) ?? []
  if (count && unit) {
    const ms = Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]
    if (ms < MINUTE_MS || ms > INTERVAL_MS_MAX) throw unclear(text)
    return { is: 'interval', ms }
  }
  const [, days, hour, minute] = /^([a-z,]+) (\d{1,2}):(\d{2})$/.exec(words) ?? []
  if (days) {
    const weekdays = days === 'daily' ? '*' : days
    return times(text, `${Number(minute)} ${Number(hour)} * * ${weekdays}`)
  }
  return times(text, WORDS.get(words) ?? words)
}

function times(text: string, line: string): Schedule {
  const fields = line.split(/\s+/)
  if (fields.length !== 5) throw unclear(text)
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string]
  const named = weekday.replace(/[a-z]+/g, name => {
    const at = WEEKDAYS.indexOf(name)
    if (at < 0) throw unclear(text)
    return `${at}`
  })
  const weekdays = numbers(text, named, 0, 7)
  return {
    is: 'times',
    minutes: numbers(text, minute, 0, 59),
    hours: numbers(text, hour, 0, 23),
    days: numbers(text, day, 1, 31),
    months: numbers(text, month, 1, 12),
    weekdays: new Set([...weekdays].map(one => one % 7)),
    eitherDay: day !== '*' && weekday !== '*',
  }
}

/** A field of crontab(5): lists of numbers, ranges and `*`, each with a step or not. */
function numbers(text: string, field: string, min: number, max: number): Set<number> {
  const found = new Set<number>()
  for (const part of field.split(',')) {
    const [, range, first, last, step = '1'] =
      /^(\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part) ?? []
    if (range === undefined) throw unclear(text)
    const open = range === '*' || (last === undefined && part.includes('/'))
    const from = range === '*' ? min : Number(first)
    const to = open ? max : Number(last ?? first)
    if (from < min || to > max || from > to || Number(step) < 1) throw unclear(text)
    for (let n = from; n <= to; n += Number(step)) found.add(n)
  }
  return found
}

const unclear = (text: string) =>
  new BoxError(
    'INPUT_INVALID',
    `"${text.slice(0, TEXT_MAX)}" is no schedule: 30m, 1h, daily 03:30, mon,thu 04:00 and "15 3 1 * *" are.`,
  )

/** The first time after `after`, in milliseconds since 1970 and local time; null where there is none. */
export function nextTime(schedule: Schedule, after: number): number | null {
  if (schedule.is === 'interval') return after + schedule.ms
  const { minutes, hours, months } = schedule
  let at = new Date(Math.floor(after / MINUTE_MS) * MINUTE_MS + MINUTE_MS)
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    const [y, m, d, h] = [at.getFullYear(), at.getMonth(), at.getDate(), at.getHours()]
    let next: Date
    if (!months.has(m + 1)) next = new Date(y, m + 1, 1)
    else if (!isDay(schedule, at)) next = new Date(y, m, d + 1)
    else if (!hours.has(h)) next = new Date(y, m, d, h + 1)
    else if (!minutes.has(at.getMinutes())) next = new Date(at.getTime() + MINUTE_MS)
    else return at.getTime()
    // Where clocks are put back, an hour comes again.
    at = next > at ? next : new Date(at.getTime() + MINUTE_MS)
  }
  return null
}

function isDay({ days, weekdays, eitherDay }: Schedule & { is: 'times' }, at: Date): boolean {
  const inMonth = days.has(at.getDate())
  const inWeek = weekdays.has(at.getDay())
  return eitherDay ? inMonth || inWeek : inMonth && inWeek
}
