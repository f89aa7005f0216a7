/** What an SSH session runs, on a terminal (pty.ts) or on three pipes (exec.ts). */

import type { Readable, Writable } from 'node:stream'
import type { Recording } from './recording.ts'

/** How a program ended: with a code, or by a signal (its name without SIG, as SSH has it). */
export type Exit = { readonly code: number } | { readonly signal: string }

/** For the audit journal; null: nobody saw its end. */
export const resultOf = (exit: Exit | null): string => {
  if (!exit) return 'cut off'
  return 'code' in exit ? `exit ${exit.code}` : `signal ${exit.signal}`
}

/** What a program has printed, to its end. */
export interface Printed {
  readonly output: Uint8Array
  readonly errors: Uint8Array
}

export interface Program {
  readonly pid: number
  /** What it prints; ends with the last byte. */
  readonly output: Readable
  /** What it prints to standard error; null where that is the same. */
  readonly errors: Readable | null
  readonly input: Writable
  readonly exited: Promise<Exit>
  /**
   * All that it prints, where it has soon ended; null where it goes on, or nobody knows that it may be short: then that is read
   * as it comes. Absent on a terminal; called once, and before anybody reads.
   */
  printed?(): Promise<Printed | null>
  /** Of what it shows; absent where it is not recorded. */
  readonly recording?: Recording
  signal(name: NodeJS.Signals): void
  /** Nobody listens any more: it is told so, and nothing more is read. */
  hangUp(): void
}
