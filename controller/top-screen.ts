/** What `box top` shows: the devices as a table as large as the terminal, sorted, with what matters marked. */

import { printable } from './output.ts'
import { isWell, statusTable } from './status-report.ts'
import type { ShownStatus } from './status-view.ts'

/** What can be sorted by, by its key. */
export const SORTS = {
  n: 'name',
  l: 'load',
  m: 'memory',
  d: 'disk',
  t: 'temperature',
  s: 'seen',
} as const
export type Sort = (typeof SORTS)[keyof typeof SORTS]

export interface Row {
  readonly cells: readonly string[]
  readonly shown: ShownStatus
}

export interface Look {
  readonly sort: Sort
  /** The other way round than usual: names from Z, the rest from the least. */
  readonly isReversed: boolean
  /** How many rows are above what is shown. */
  readonly top: number
  readonly rows: number
  readonly columns: number
}

const ABOVE = 2
const [BOLD, DIM, INVERSE, PLAIN] = ['\u001b[1m', '\u001b[2m', '\u001b[7m', '\u001b[0m']

/** How many devices fit. */
export const pageOf = ({ rows }: Pick<Look, 'rows'>): number => Math.max(1, rows - ABOVE)

/** The lines of the screen, `rows` of them, none wider than `columns`. */
export function screenOf(all: readonly Row[], look: Look): string[] {
  const { sort, isReversed, rows, columns } = look
  const sorted = all.toSorted((a, b) => compare(a, b, sort) * (isReversed ? -1 : 1))
  const page = pageOf(look)
  const top = Math.max(0, Math.min(look.top, sorted.length - page))
  const lines = statusTable(sorted.map(({ cells }) => cells))
  const there = all.filter(({ shown }) => !shown.stale).length
  const below = Math.max(0, sorted.length - top - page)
  const head = [
    `${all.length} devices, ${there} there`,
    `by ${sort}${isReversed ? ', reversed' : ''}`,
    ...(top + below > 0 ? [`${top} above, ${below} below`] : []),
    'n l m d t s: sort  r: reverse  q: quit',
  ].join('   ')
  const cut = (line: string) => printable([...line].slice(0, columns).join(''))
  const shown = sorted.slice(top, top + page).map(({ shown }, i) => {
    const line = cut(lines[1 + top + i]!)
    return shown.stale ? `${DIM}${line}${PLAIN}` : isPressing(shown) ? bold(line) : line
  })
  const screen = [`${cut(head)}`, `${INVERSE}${cut(lines[0]!).padEnd(columns)}${PLAIN}`, ...shown]
  return [...screen, ...Array<string>(Math.max(0, rows - screen.length)).fill('')].slice(0, rows)
}

const bold = (line: string): string => `${BOLD}${line}${PLAIN}`

/** Whether somebody should look at it. */
function isPressing({ status, alerts }: ShownStatus): boolean {
  if (alerts.some(({ acknowledged }) => !acknowledged)) return true
  if (!status) return false
  const { load, processors, services } = status
  if (Object.values(services).some(({ state }) => !isWell(state))) return true
  const isBusy = load !== null && processors !== null && load > 2 * processors
  return isBusy || (memoryOf(status) ?? 0) > 0.95 || (diskOf(status) ?? 0) > 0.9
}

type Status = NonNullable<ShownStatus['status']>

/** Shares, 0 to 1; null where they are not known. */
const memoryOf = ({ memory }: Status) => (memory ? 1 - memory.available / memory.total : null)
const diskOf = ({ disks }: Status) => most(Object.values(disks).map(one => one.used / one.total))
const most = (values: readonly number[]) => (values.length > 0 ? Math.max(...values) : null)

/** The most pressing first; what is not known last. Equal ones by name. */
function compare(a: Row, b: Row, sort: Sort): number {
  const byName = a.shown.name < b.shown.name ? -1 : 1
  if (sort === 'name') return byName
  const [one, other] = [measure(a.shown, sort), measure(b.shown, sort)]
  return one === other ? byName : other - one
}

function measure({ status, age_ms }: ShownStatus, sort: Sort): number {
  const value = () => {
    if (sort === 'seen') return age_ms ?? Number.POSITIVE_INFINITY
    if (!status) return null
    if (sort === 'load') return status.load
    if (sort === 'memory') return memoryOf(status)
    if (sort === 'disk') return diskOf(status)
    return most(Object.values(status.temperatures))
  }
  return value() ?? Number.NEGATIVE_INFINITY
}
