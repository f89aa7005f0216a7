/**
 * A command that is told of an alert: started as a program, never through a shell, with JSON on its standard input
 * and the same in its environment. It has a time, and what it prints is kept short, for the log.
 */

import { spawn } from 'node:child_process'
import type { Clock } from '../../src/base/clock.ts'
import { printable } from '../output.ts'
import type { AlertEvent } from './alert-book.ts'

/** A page or a mail takes seconds. */
export const COMMAND_MS = 30_000
/** EX_TEMPFAIL of sysexits.h: it wants to be asked again. */
const EXIT_LATER = 75
const ERRORS_MAX = 512

export interface CommandEnd {
  /** `later`: it said so itself (exit code 75). */
  readonly is: 'done' | 'later' | 'failed'
  /** How it failed, and what it said last. */
  readonly why: string
}

/** What a command reads: one line of JSON. */
export const alertValue = (
  { id, is, device, zone, origin, record }: AlertEvent,
  tries: number,
) => ({
  ...{ id, event: is, device, zone, rule: record.rule, origin },
  ...{ value: record.value, when: record.when },
  since: new Date(record.since).toISOString(),
  until: record.until === null ? null : new Date(record.until).toISOString(),
  attempt: tries,
})

/** Runs it to its end. Never fails. */
export function tellCommand(
  words: readonly string[],
  event: AlertEvent,
  { clock, tries }: { readonly clock: Clock; readonly tries: number },
): Promise<CommandEnd> {
  const [program, ...args] = words as [string, ...string[]]
  const value = alertValue(event, tries)
  return new Promise(resolve => {
    const child = spawn(program, args, {
      ...{ cwd: '/', env: { ...process.env, ...environmentOf(value) } },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true, // A process group of its own, which ends as a whole.
    })
    let errors = ''
    let isLate = false
    const timer = clock.after(COMMAND_MS, () => {
      isLate = true
      endGroup(child.pid)
    })
    const end = (is: CommandEnd['is'], why: string) => {
      timer.cancel()
      // What it has left behind does not hold us.
      child.stderr.destroy()
      resolve({ is, why: printable(`${why} ${errors}`.trim()) })
    }
    child.stderr.on('data', (bytes: Uint8Array) => {
      errors = (errors + new TextDecoder().decode(bytes)).slice(-ERRORS_MAX)
    })
    child.once('error', error => end('failed', error.message))
    child.once('exit', (code, signal) => {
      if (isLate) end('failed', `it took more than ${COMMAND_MS / 1_000} s`)
      else if (code === 0) end('done', '')
      else if (code === EXIT_LATER) end('later', 'exit code 75')
      else end('failed', signal ?? `exit code ${code}`)
    })
    // It need not read.
    child.stdin.on('error', () => {})
    child.stdin.end(`${JSON.stringify(value)}\n`)
  })
}

/** What devices say cannot steer a terminal, nor end an environment. */
const environmentOf = (value: ReturnType<typeof alertValue>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      `BOX_ALERT_${name.toUpperCase()}`,
      printable(`${one ?? ''}`),
    ]),
  )

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
