/** One run of a job: a command without a terminal, its output kept within bounds, ended when its time is over. */

import { concat } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import type { Account } from './environment.ts'
import { loginEnvironment, RequestedVariables } from './environment.ts'
import { exec } from './exec.ts'
import { PipeShelf } from './pipe-shelf.ts'
import type { Exit } from './program.ts'
import { recordedProgram } from './recorded-program.ts'
import type { Recording } from './recording.ts'
import { recordedNotice } from './session-recording.ts'

/** Of each of the two streams: the beginning and the end of it, half of this each. */
export const JOB_OUTPUT_MAX = 16 * 1_024
/** A program that has been told to end may need a while to do so. */
const KILL_AFTER_MS = 10_000
/** What it left running in the background may hold its output open for ever. */
const LINGER_MS = 2_000

export interface RunRequest {
  readonly id: string
  readonly line: string
  /** As which user; null: as whoever this process runs as. */
  readonly user: string | null
  readonly input: Uint8Array
  readonly limitMs: number
  /** How the person who wants it calls the device. */
  readonly deviceName: string
  /** Null where it need not be recorded. */
  readonly recording: Recording | null
  /** Aborted when it is to end. */
  readonly signal: AbortSignal
}

export interface RunEnd {
  readonly exit: Exit
  /** Whether it was ended because its time was over. */
  readonly isLate: boolean
  readonly out: Kept
  readonly err: Kept
}

export interface Kept {
  readonly bytes: Uint8Array
  /** How many bytes were left out in the middle. */
  readonly dropped: number
}

export type RunJob = (request: RunRequest) => Promise<RunEnd>

export const runJobs =
  (accountOf: (user: string | null) => Account, clock: Clock): RunJob =>
  async ({ id, line, user, input, limitMs, deviceName, recording, signal }) => {
    const account = accountOf(user)
    const requested = new RequestedVariables()
    const login = { account, deviceName, requested, term: null, base: process.env }
    const { home: cwd, shell } = account
    const env = { ...loginEnvironment(login), BOX_JOB: id }
    // Runs are rare: nothing is made for the next one.
    const pipes = new PipeShelf()
    const started = await exec({
      shell,
      command: line,
      env,
      cwd,
      as: account.identity,
      clock,
      pipes,
      hasInput: true,
    })
    const program = recording ? recordedProgram(started, recording, clock) : started
    const out = new OutputEnds()
    const err = new OutputEnds()
    if (recording) err.take(recordedNotice(recording))
    const heard = [program.output, program.errors!].map(
      (stream, i) =>
        new Promise<void>(resolve => {
          stream.on('data', (piece: Uint8Array) => (i === 0 ? out : err).take(piece))
          stream.once('close', () => resolve())
          stream.on('error', () => {}) // Its end comes as `close`.
        }),
    )
    let isLate = false
    const killing: Timer[] = []
    const end = () => {
      program.signal('SIGTERM')
      killing.push(clock.after(KILL_AFTER_MS, () => program.signal('SIGKILL')))
    }
    const limit = clock.after(limitMs, () => {
      isLate = true
      end()
    })
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    program.input.end(input)
    const exit = await program.exited
    limit.cancel()
    for (const timer of killing) timer.cancel()
    signal.removeEventListener('abort', end)
    const linger = new Promise<void>(resolve => void clock.after(LINGER_MS, resolve))
    await Promise.race([Promise.all(heard), linger])
    program.output.destroy()
    program.errors?.destroy()
    return { exit, isLate, out: out.kept(), err: err.kept() }
  }

/** The beginning and the end of what was printed. */
export class OutputEnds {
  private readonly head: Uint8Array[] = []
  private headSize = 0
  private tail: Uint8Array[] = []
  private tailSize = 0
  private size = 0
  private readonly half: number

  constructor(max = JOB_OUTPUT_MAX) {
    this.half = max / 2
  }

  take(piece: Uint8Array): void {
    this.size += piece.length
    const begin = piece.slice(0, this.half - this.headSize)
    if (begin.length > 0) this.head.push(begin)
    this.headSize += begin.length
    const after = piece.slice(begin.length).slice(-this.half)
    if (after.length === 0) return
    this.tail.push(after)
    this.tailSize += after.length
    // Joined now and then, so that many small pieces cost no more than few large ones.
    if (this.tailSize > 2 * this.half || this.tail.length > 64) this.trim()
  }

  kept(): Kept {
    this.trim()
    const bytes = concat(...this.head, ...this.tail)
    return { bytes, dropped: this.size - bytes.length }
  }

  private trim(): void {
    this.tail = [concat(...this.tail).slice(-this.half)]
    this.tailSize = this.tail[0]!.length
  }
}
