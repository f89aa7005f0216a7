/**
 * A process that does something as another user of this machine: `box-seat WORDS`, started by an agent that is root.
 * It becomes that user for good before it does anything, and ends with what it was started for. What the kernel
 * would not let the user do, it cannot do; nothing here decides about rights.
 */

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { ownProgram } from '../../src/sys/own-programs.ts'
import type { Identity } from '../environment.ts'

/** What it is started for. */
export type SeatWork =
  /** A line for a shell; standard input, output and errors are the command's, the exit is its exit. */
  | {
      readonly do: 'run'
      readonly shell: string
      readonly command: string
      readonly cwd: string
      readonly env: Readonly<Record<string, string>>
    }
  /** SFTP on standard input and output. */
  | { readonly do: 'files'; readonly home: string; readonly paths: readonly string[] | null }
  /** Sockets, handed over on the channel that Node has between parent and child (socket-words.ts). */
  | { readonly do: 'sockets' }

export type SeatWords = SeatWork & { readonly identity: Identity }

/** Could not become that user, or start what it was to: as a shell reports a program that cannot be started. */
export const EXIT_NOT_SEATED = 126

/** Of the agent's environment: where programs are, and where the one executable lays down what it brings. */
const KEPT_VARIABLES = /^(PATH|(CACHE|STATE)_DIRECTORY)$/

export function startSeat(words: SeatWords, stdio: StdioOptions): ChildProcess {
  const [program, ...rest] = [...ownProgram('box-seat'), JSON.stringify(words)]
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => KEPT_VARIABLES.test(name)),
  )
  return spawn(program!, rest, {
    cwd: '/',
    env: { ...env, UV_THREADPOOL_SIZE: '2', MALLOC_ARENA_MAX: '1' },
    stdio,
    detached: true, // A process group of its own, which signals reach as a whole.
  })
}
