import { expect, test } from 'vitest'
import { type Look, type Row, screenOf } from '../../controller/top-screen.ts'

const look: Look = { sort: 'load', isReversed: false, top: 0, rows: 6, columns: 100 }

function row(name: string, load: number | null, { stale = false, used = 50 } = {}): Row {
  const status = {
    ...{ load, processors: 2, memory: { total: 100, available: 60 }, temperatures: {} },
    ...{ disks: { '/': { total: 100, used } }, booted_at: null, addresses: [], interfaces: {} },
    ...{
      agent_version: '1',
      system: 'Debian',
      configuration: null,
      probes: {},
      probe_failures: {},
      services: {},
      services_fault: null,
      clock: null,
      other: {},
    },
  }
  return {
    cells: [name, `${load}`, '40 %', `${used} %`, '-', '-', '-', '1', '-', stale ? 'stale' : 'now'],
    shown: { name, stale, age_ms: stale ? 9_000 : 0, error: null, status, alerts: [] },
  }
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken away.
const plain = (line: string) => line.replace(/\u001b\[\d*m/g, '')
const names = (lines: readonly string[]) =>
  lines
    .slice(2)
    .map(line => plain(line).split(' ')[0])
    .filter(Boolean)
const fleet = [row('a', 0.5), row('b', 1.5, { used: 95 }), row('c', null), row('d', 9)]

test('the busiest is first, what is not known last, and either way round', () => {
  expect(names(screenOf(fleet, look))).toEqual(['d', 'b', 'a', 'c'])
  expect(names(screenOf(fleet, { ...look, isReversed: true }))).toEqual(['c', 'a', 'b', 'd'])
  expect(names(screenOf(fleet, { ...look, sort: 'name' }))).toEqual(['a', 'b', 'c', 'd'])
  expect(names(screenOf(fleet, { ...look, sort: 'disk' }))[0]).toBe('b')
})

test('it is as large as the terminal, scrolls, and says what is not shown', () => {
  for (const rows of [1, 3, 4, 20])
    for (const columns of [5, 30, 100])
      for (const top of [0, 1, 99]) {
        const lines = screenOf(fleet, { ...look, rows, columns, top })
        expect(lines).toHaveLength(rows)
        for (const line of lines) expect(plain(line).length).toBeLessThanOrEqual(columns)
      }
  const [head, , ...shown] = screenOf(fleet, { ...look, rows: 4, top: 1 })
  expect(head).toContain('1 above, 1 below')
  expect(names(['', '', ...shown])).toEqual(['b', 'a'])
})

test('what is stale is dim, what needs somebody is bold, and no name steers the terminal', () => {
  const lines = screenOf([row('old', 1, { stale: true }), row('hot', 5), row('\u001b[2J', 0)], look)
  expect(lines[2]!.startsWith('\u001b[1mhot')).toBe(true)
  expect(lines[3]!.startsWith('\u001b[2mold')).toBe(true)
  expect(lines.join('')).not.toContain('\u001b[2J')
})
