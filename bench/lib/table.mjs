/** The rounds of a measurement, each in a process of its own, and the table of their medians. */

import { spawnSync } from 'node:child_process'
import { median, round } from './measure.mjs'

const STEP_MS = 300_000

/** `--name 5` among the words is taken out of them. */
export function option(words, name, fallback) {
  const at = words.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(words.splice(at, 2)[1])
}

/**
 * Runs `file --one SUBJECT` for every subject in every round, so that all share the machine's moods; each
 * prints one line of JSON, which is told on standard error. Returns for each subject the figures of its rounds.
 */
export function runRounds(file, subjects, rounds, argsOf = () => []) {
  const rows = new Map(subjects.map(name => [name, []]))
  for (let n = 0; n < rounds; n++)
    for (const name of subjects) {
      const args = ['--no-deprecation', file, ...argsOf(name), '--one', name]
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: STEP_MS })
      const last = stdout.trim().split('\n').at(-1)
      if (status === 0) rows.get(name).push(JSON.parse(last))
      console.error(`${n + 1}/${rounds} ${name}: ${last || stderr.trim().split('\n').slice(-3).join(' ')}`)
    }
  return rows
}

/**
 * Prints the medians. A column is [key, title, digits, bars], where a bar by the name of a row is what it is to
 * reach. Below a row follow, for each of `against[row]`, how many times as much that one has.
 */
export function printTable(title, rows, columns, against = {}) {
  const middle = (name, key) => {
    const values = (rows.get(name) ?? []).map(result => result[key]).filter(value => typeof value === 'number')
    return values.length > 0 ? median(values) : null
  }
  const line = cells => console.log(`| ${cells.join(' | ')} |`)
  line([title, 'runs', ...columns.map(([, name]) => name)])
  line(['---', ...columns.map(() => '---:'), '---:'])
  for (const [name, results] of rows) {
    line([name, results.length, ...columns.map(([key, , digits]) => round(middle(name, key), digits) ?? '-')])
    const bars = columns.map(([, , , bars]) => bars?.[name] ?? '-')
    if (bars.some(bar => bar !== '-')) line([`— bar`, '', ...bars])
    for (const other of against[name] ?? []) {
      const ratios = columns.map(([key]) => {
        const [ours, theirs] = [middle(name, key), middle(other, key)]
        return ours && theirs ? `x ${round(ours / theirs, 2)}` : '-'
      })
      line([`— to ${other}`, '', ...ratios])
    }
  }
  console.log()
}
