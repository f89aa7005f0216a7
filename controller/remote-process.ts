/** A program that runs on a device, as its streams and its end. */

import type { Readable, Writable } from 'node:stream'
import type { ClientChannel } from 'ssh2'
import { BoxError } from '../src/base/errors.ts'
import { whyNotRun } from '../src/box/approval.ts'
import type { Size } from './terminal.ts'

/** Of Linux, from 1 on: a device has its numbers, and this machine may have others. */
const SIGNALS: readonly string[] = [
  ...['HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV'],
  ...['USR2', 'PIPE', 'ALRM', 'TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN'],
  ...['TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS'],
]

/** The exit code of a shell where a program was ended by this signal, with or without `SIG`; 128 for one that we do not know. */
export const exitCodeOf = (signal: string): number =>
  129 + SIGNALS.indexOf(signal.replace(/^SIG/, ''))

/** Why a program has no end, and why it was not begun. */
export const LOST_EARLY = 'The session ended before the program did.'
export const STARTS_NOTHING = 'The device starts nothing.'

/** A program that runs without a terminal, its input given. */
export interface Running {
  readonly output: Readable
  readonly errors: Readable
  /**
   * The exit code, 128 + n after signal n. Fails with CHANNEL_LOST where none came, and as the device says where it
   * waited for another person and was not run: APPROVAL_DENIED, APPROVAL_EXPIRED, NOT_PERMITTED, INPUT_INVALID, LIMIT_EXCEEDED.
   */
  readonly ended: Promise<number>
  /** We want no more of it. */
  close(): void
}

export class RemoteProcess implements Running {
  readonly input: Writable
  readonly output: Readable
  readonly errors: Readable
  readonly ended: Promise<number>
  private readonly channel: ClientChannel

  constructor(channel: ClientChannel) {
    this.channel = channel
    this.input = channel
    this.output = channel
    this.errors = channel.stderr
    this.ended = new Promise((resolve, reject) => {
      let code: number | null = null
      channel.once('exit', (exit: number | null, signal?: string, _core?: string, why?: string) => {
        const unapproved = exit === null ? whyNotRun(why ?? '') : null
        if (unapproved) reject(unapproved)
        code = exit ?? exitCodeOf(signal ?? '')
      })
      channel.once('close', () => {
        if (code === null) reject(new BoxError('CHANNEL_LOST', LOST_EARLY))
        else resolve(code)
      })
    })
    // Told to whoever waits for the end; until then it is no unhandled failure.
    this.ended.catch(() => {})
    channel.on('error', () => {})
  }

  resize({ rows, columns }: Size): void {
    this.channel.setWindow(rows, columns, 0, 0)
  }

  signal(name: string): void {
    this.channel.signal(name)
  }

  close(): void {
    this.channel.close()
  }
}
