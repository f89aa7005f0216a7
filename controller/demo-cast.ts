/** The processes of the demonstration: real programs with state directories of their own, all gone at the end. */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'

/** A program that has been asked to end and has not by then, is ended. */
const GRACE_MS = 3_000
const LOOK_EVERY_MS = 20
/** How much of what a program said is quoted where it failed. */
const QUOTE_MAX = 400

/** What a program that was run to its end has said. */
export interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A program that is listened to. */
export interface Watch {
  /** The next that it prints. Fails with PEER_TIMEOUT, or CHANNEL_LOST where it ends. */
  next(timeoutMs: number): Promise<void>
  end(): void
}

export interface CastOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Lets the programs outlive us. */
  readonly keep: boolean
}

export class Cast {
  readonly directory = makeDirectory()
  private readonly options: CastOptions
  private readonly running = new Map<string, ChildProcess>()
  private kept = false
  /** The last resort: whatever ends this process, ends the others. */
  private readonly onExit = () => this.endNow()

  constructor(options: CastOptions) {
    this.options = options
    process.on('exit', this.onExit)
  }

  /** The state directory of one of them. */
  stateOf(role: string): string {
    return join(this.directory, role)
  }

  pidOf(role: string): number {
    return this.running.get(role)?.pid ?? 0
  }

  /** Starts a program that goes on until the end. */
  start(role: string, command: readonly string[]): void {
    const log = openSync(`${this.stateOf(role)}.log`, 'a', 0o600)
    const [program, ...args] = command
    const child = spawn(program!, args, {
      detached: this.options.keep,
      stdio: ['ignore', log, log],
      env: environment(),
    })
    closeSync(log)
    child.on('error', () => {})
    child.on('exit', () => {
      if (this.running.get(role) === child) this.running.delete(role)
    })
    this.running.set(role, child)
  }

  /** Runs a program to its end. Fails with the reason of the signal. */
  async run(command: readonly string[]): Promise<Answer> {
    const [program, ...args] = command
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
    const end = () => void child.kill()
    this.options.signal.addEventListener('abort', end, { once: true })
    const said = { out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', text => {
      said.out += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      said.err += text
    })
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', code => resolve(code ?? 255))
    })
    this.options.signal.removeEventListener('abort', end)
    this.options.signal.throwIfAborted()
    return { code, ...said }
  }

  /** Runs a program whose lines are waited for one by one. */
  watch(command: readonly string[]): Watch {
    const [program, ...args] = command
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'ignore'], env: environment() })
    child.on('error', () => {})
    return {
      next: timeoutMs =>
        new Promise((resolve, reject) => {
          const settle = (run: () => void) => () => {
            timer.cancel()
            child.stdout.off('data', heard)
            child.off('close', ended)
            run()
          }
          const heard = settle(resolve)
          const ended = settle(() => reject(new BoxError('CHANNEL_LOST')))
          const timer = this.options.clock.after(
            timeoutMs,
            settle(() => reject(new BoxError('PEER_TIMEOUT'))),
          )
          child.stdout.once('data', heard)
          child.once('close', ended)
          if (child.exitCode !== null || child.signalCode !== null) ended()
        }),
      end: () => void child.kill('SIGKILL'),
    }
  }

  /** Asks again and again until the answer satisfies, or the program in question has ended. */
  async until<T>(role: string, ask: () => Promise<T | null>, timeoutMs: number): Promise<T> {
    const { clock, signal } = this.options
    const deadline = clock.elapsed() + timeoutMs
    for (;;) {
      const answer = await ask()
      if (answer !== null) return answer
      signal.throwIfAborted()
      if (!this.running.has(role)) throw new BoxError('ENGINE_CLOSED', this.lastWords(role))
      if (clock.elapsed() >= deadline) throw new BoxError('PEER_TIMEOUT', this.lastWords(role))
      await new Promise<void>(resolve => void clock.after(LOOK_EVERY_MS, resolve))
    }
  }

  /** Ends one at once, as a power cut does. */
  async kill(role: string): Promise<void> {
    const child = this.running.get(role)
    if (!child) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  /** Leaves the programs and their state to whoever wants to go on with them. */
  keepAll(): void {
    this.kept = true
    for (const child of this.running.values()) child.unref()
  }

  /** Ends all of them, and removes what they left. */
  async end(): Promise<void> {
    process.off('exit', this.onExit)
    if (this.kept) return
    const children = [...this.running.values()]
    const gone = Promise.all(children.map(child => new Promise(done => child.once('exit', done))))
    for (const child of children) child.kill()
    const timer = this.options.clock.after(GRACE_MS, () => {
      for (const child of children) child.kill('SIGKILL')
    })
    await gone
    timer.cancel()
    rmSync(this.directory, { recursive: true, force: true })
  }

  private endNow(): void {
    if (this.kept) return
    for (const child of this.running.values()) child.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  private lastWords(role: string): string {
    let log = ''
    try {
      log = readFileSync(`${this.stateOf(role)}.log`, 'utf8').trim()
    } catch {
      // It has not even begun to speak.
    }
    return `The ${role} said: ${log.slice(-QUOTE_MAX) || 'nothing'}`
  }
}

function makeDirectory(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'box-demo-'))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new BoxError('STATE_UNWRITABLE', `${tmpdir()}: ${code}.`, cause)
  }
}

/** Ours, but for what would lead the programs to the state of this machine's real ones. */
function environment(): NodeJS.ProcessEnv {
  const { BOX_STATE: _state, STATE_DIRECTORY: _service, ...rest } = process.env
  return rest
}
