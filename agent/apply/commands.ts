/** Runs the commands of a bundle, one after the other, each in a process group that ends with its time. */

import { spawn } from 'node:child_process'
import { closeSync, openSync, readSync, rmSync } from 'node:fs'
import type { Clock } from '../../src/base/clock.ts'
import { beganAt } from '../../src/sys/state-lock.ts'
import { signalGroup } from '../process-group.ts'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** A line or two says what is wrong. */
const OUTPUT_BYTES = 1_024
/** After being asked to end, before being made to. */
const GRACE_MS = 2_000
const OWNER_FILE = 0o600

export interface Group {
  readonly pid: number
  readonly began: string
}

export interface CommandOptions {
  /** What it is called where it fails. */
  readonly called: string
  readonly clock: Clock
  readonly timeoutMs: number
  readonly env: Readonly<Record<string, string>>
  /** Where what it prints is kept while it runs: a daemon that it starts must not die of a closed pipe. */
  readonly output: string
  readonly signal: AbortSignal
  /** Told which process group it is, and null when that has ended. */
  readonly began: (group: Group | null) => void
}

/** Null where the command ended with 0, else a sentence that says how it ended and what it printed last. */
export async function runCommand(line: string, options: CommandOptions): Promise<string | null> {
  const { called, clock, timeoutMs, output, signal, began, env } = options
  rmSync(output, { force: true })
  const sink = openSync(output, 'wx+', OWNER_FILE)
  try {
    const child = spawn('/bin/sh', ['-c', line], {
      cwd: '/',
      env: { PATH: process.env.PATH ?? DEFAULT_PATH, HOME: '/', ...env },
      stdio: ['ignore', sink, sink],
      detached: true, // A process group of its own.
    })
    const ended = new Promise<string | null>(resolve => {
      child.once('error', error => resolve(`could not be started: ${error.message}`))
      child.once('exit', (code, name) => resolve(endOf(code, name)))
    })
    const { pid } = child
    if (pid !== undefined) began({ pid, began: beganAt(pid) ?? '' })
    let late = false
    let kill = clock.after(timeoutMs, () => {
      late = true
      if (pid !== undefined) signalGroup(pid, 'SIGTERM')
      kill = clock.after(GRACE_MS, () => pid !== undefined && signalGroup(pid, 'SIGKILL'))
    })
    const abort = () => pid !== undefined && signalGroup(pid, 'SIGKILL')
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    const end = await ended
    kill.cancel()
    signal.removeEventListener('abort', abort)
    began(null)
    if (late) return sentence(called, `took more than ${timeoutMs / 1_000} s`, lastOf(sink))
    return end === null ? null : sentence(called, end, lastOf(sink))
  } finally {
    closeSync(sink)
    rmSync(output, { force: true })
  }
}

/** Ends what an agent that was killed had left running. */
export function endGroup({ pid, began }: Group): void {
  if (began !== '' && beganAt(pid) === began) signalGroup(pid, 'SIGKILL')
}

function endOf(code: number | null, signal: string | null): string | null {
  if (code === 0) return null
  return signal ? `was ended by ${signal}` : `ended with ${code}`
}

function sentence(line: string, end: string, printed: string): string {
  const shown = line.length > 120 ? `${line.slice(0, 119)}…` : line
  return `"${shown}" ${end}${printed ? `: ${printed}` : ''}.`
}

function lastOf(file: number): string {
  const buffer = Buffer.alloc(OUTPUT_BYTES)
  // What was printed first names the cause as often as what came last; there is room for one of them.
  const count = readSync(file, buffer, 0, OUTPUT_BYTES, 0)
  return buffer.toString('utf8', 0, count).trim().replace(/\.$/, '')
}
