/** The log of a running program: lines on standard error, for people or for machines. */

import type { Clock } from '../base/clock.ts'
import type { Fields, Level, Log } from '../base/log.ts'

export interface LogOptions {
  /** Events below this level are not written. */
  readonly level: Level
  readonly format: 'text' | 'json'
  readonly clock: Clock
  /** Takes a line without its newline. */
  readonly write: (line: string) => void
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
/** The same event may come so often in a row; then once in a while, with the number left out. */
const BURST = 20
const EVERY_MS = 10_000
/** Events are constant texts, a few hundred in the whole program; beyond this somebody broke that rule. */
const KINDS_MAX = 1_024

/** How often an event may still be written, as of a moment. */
interface Allowance {
  left: number
  at: number
  suppressed: number
}

/** Whether a text is one of the levels, for those who read it from a command line. */
export const isLevel = (text: string): text is Level => Object.hasOwn(RANK, text)

/** Standard error; a terminal that has gone away does not end the program. */
export function stderrWriter(): (line: string) => void {
  process.stderr.on('error', () => {})
  return line => void process.stderr.write(`${line}\n`)
}

/** A log that writes a line an event, and less of an event that comes again and again. */
export function lineLog({ level: lowest, format, clock, write }: LogOptions): Log {
  const allowances = new Map<string, Allowance>()
  const put = format === 'json' ? jsonLine : textLine
  return {
    note: (level, area, event, fields = {}) => {
      if (RANK[level] < RANK[lowest]) return
      const allowance = allowanceOf(allowances, `${area} ${event}`, clock.elapsed())
      if (allowance.left < 1) {
        allowance.suppressed++
        return
      }
      allowance.left--
      const { suppressed } = allowance
      allowance.suppressed = 0
      const all = suppressed > 0 ? { ...fields, suppressed } : fields
      write(put(new Date(clock.now()).toISOString(), level, area, event, all))
    },
  }
}

function allowanceOf(allowances: Map<string, Allowance>, kind: string, now: number): Allowance {
  const known = allowances.get(kind)
  if (known) {
    known.left = Math.min(BURST, known.left + (now - known.at) / EVERY_MS)
    known.at = now
    return known
  }
  if (allowances.size >= KINDS_MAX) allowances.delete(allowances.keys().next().value!)
  const fresh = { left: BURST, at: now, suppressed: 0 }
  allowances.set(kind, fresh)
  return fresh
}

type PutLine = (time: string, level: Level, area: string, event: string, fields: Fields) => string

const jsonLine: PutLine = (time, level, area, event, fields) =>
  JSON.stringify({ time, level, area, event, ...fields })

const textLine: PutLine = (time, level, area, event, fields) =>
  [time, level.padEnd(5), `${area}:`, event]
    .concat(Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`))
    .join(' ')

/** A value that cannot be mistaken for more than one, nor for more than one line. */
const plain = (value: string | number | boolean | null): string =>
  typeof value === 'string' && !/^[\w.:@/[\]+-]+$/.test(value) ? quoted(value) : String(value)

/** JSON leaves the control characters above 127 alone; a terminal obeys them. */
const quoted = (value: string): string =>
  JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
