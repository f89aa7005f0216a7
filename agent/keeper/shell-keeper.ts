/**
 * The agent's side of the keeper: finds the one that an agent before has left, with its shells, and starts one with
 * the first shell that may outlive this process. Where there is none to be had, shells live in the agent as before.
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Log } from '../../src/base/log.ts'
import type { Stream } from '../../src/base/stream.ts'
import { ownProgram } from '../../src/sys/own-programs.ts'
import { keeperSocket } from '../../src/sys/paths.ts'
import { dialUnix } from '../../src/sys/unix-socket.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { TerminalRequest } from '../pty.ts'
import { ENDED_FILE, type EndedShell, endedShellsIn, forgetEndedShells } from './ended-shells.ts'
import { KeptProgram } from './kept-program.ts'
import {
  type Answer,
  type FirstOrder,
  type Held,
  KEEPER_VERSIONS,
  KeeperReader,
  type LineOrder,
  readAnswer,
  unexpected,
  wordsMessage,
} from './words.ts'

/** A start takes a tenth of a second; on a router that is busy, many of them. */
const START_MS = 10_000
const LOOK_EVERY_MS = 25
/** One that does not answer is stuck, and must not keep the device from starting. */
const ANSWER_MS = 5_000
/** Of the environment: where programs are, and where the terminal library may be laid down. No words of systemd. */
const KEPT_VARIABLES =
  /^(PATH|HOME|TMPDIR|LANG|LC_[A-Z]+|TZ|XDG_CACHE_HOME|(CACHE|STATE)_DIRECTORY)$/

export interface ShellKeeperOptions {
  readonly directory: string
  readonly keepMs: number
  readonly clock: Clock
  readonly log: Log
  /** Starts one; it listens soon, or `exited` resolves. */
  readonly start?: (directory: string) => { readonly exited: Promise<void> }
}

/** A shell of an agent before, and what it was about. */
export interface LeftShell {
  readonly held: Held
  readonly program: KeptProgram
}

type Line = { readonly stream: Stream; readonly holds: readonly Held[] }

export class ShellKeeper {
  /** Shells that were found. */
  readonly left: readonly LeftShell[]
  private readonly options: ShellKeeperOptions
  private line: Stream | null = null
  private starting: Promise<Stream> | null = null
  private isClosed = false

  /** Finds what an agent before has left. What is not to be had is said, and no reason not to go on. */
  static async find(options: ShellKeeperOptions): Promise<ShellKeeper> {
    const { log, directory } = options
    const left: LeftShell[] = []
    const keeper = new ShellKeeper(options, left)
    if (!existsSync(keeperSocket(directory))) return keeper
    try {
      const line = await keeper.dial()
      keeper.line = line.stream
      for (const held of line.holds) left.push({ held, program: await keeper.attach(held.shell) })
      log.note('info', 'keeper', 'shells found', { count: left.length })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      // What is left of a keeper that was killed is a socket that nobody listens at.
      const isGone = error.code === 'AGENT_NOT_RUNNING'
      if (!isGone)
        log.note('error', 'keeper', 'shells cannot be taken over', { why: error.message })
    }
    return keeper
  }

  private constructor(options: ShellKeeperOptions, left: readonly LeftShell[]) {
    this.options = options
    this.left = left
  }

  /** What ended while there was no agent. */
  endedShells(): readonly EndedShell[] {
    return endedShellsIn(this.endedFile)
  }

  forgetEndedShells(): void {
    forgetEndedShells(this.endedFile)
  }

  /** A program is to be started soon. Where there is no keeper to be had, that is said then. */
  prepare(): void {
    if (!this.line) this.started().catch(() => {})
  }

  /** Starts a program. Fails with CHANNEL_LOST, LIMIT_EXCEEDED, SHELL_UNKNOWN where the keeper does not. */
  async open(program: TerminalRequest, label: string): Promise<KeptProgram> {
    this.line ?? (await this.started())
    return await this.begin({ do: 'open', program, label })
  }

  /** Gives up a shell of which nobody knows what it is. */
  giveUp(shell: number): void {
    this.tell({ do: 'end', shell })
  }

  /** Leaves; what is held goes on. */
  close(): void {
    this.isClosed = true
    this.line?.close()
  }

  private get endedFile(): string {
    return join(this.options.directory, ENDED_FILE)
  }

  private attach(shell: number): Promise<KeptProgram> {
    return this.begin({ do: 'attach', shell })
  }

  private begin(first: FirstOrder & { do: 'open' | 'attach' }): Promise<KeptProgram> {
    return KeptProgram.begin({
      first,
      dial: events => dialUnix(keeperSocket(this.options.directory), events),
      tell: order => this.tell(order),
    })
  }

  private tell(order: LineOrder): void {
    this.line?.write(wordsMessage(order))
  }

  /** One start for all that want it at once. */
  private started(): Promise<Stream> {
    this.starting ??= this.startOne().finally(() => {
      this.starting = null
    })
    return this.starting
  }

  private async startOne(): Promise<Stream> {
    const { clock, directory, start = startKeeper } = this.options
    const over = new AbortController()
    const timer = clock.after(START_MS, () => over.abort())
    try {
      // One that is there may be of another version: a second would find its place taken.
      const there = await this.dial().catch(absent)
      if (!there) void start(directory).exited.then(() => over.abort())
      while (!over.signal.aborted) {
        const line = there ?? (await this.dial().catch(absent))
        if (line) {
          this.line = line.stream
          return line.stream
        }
        await pause(clock, LOOK_EVERY_MS, over.signal)
      }
    } finally {
      timer.cancel()
    }
    throw new BoxError('CHANNEL_LOST', 'The keeper of shells does not start.')
  }

  /** Fails with AGENT_NOT_RUNNING where there is none, else STATE_UNEXPECTED, CHANNEL_LOST. */
  private dial(): Promise<Line> {
    const { clock, directory, keepMs } = this.options
    return new Promise((resolve, reject) => {
      const reader = new KeeperReader()
      let isOpen = false
      let isUp = false
      const fail = (error: BoxError) => {
        timer.cancel()
        reject(error)
        stream.close()
      }
      const take = (answer: Answer) => {
        if (isUp) return // Nothing more is said on a line, by this version.
        if (answer.say === 'refused') throw otherVersion(answer.versions)
        if (answer.say !== 'line') throw unexpected()
        isUp = true
        timer.cancel()
        resolve({ stream, holds: answer.holds })
      }
      const stream = dialUnix(keeperSocket(directory), {
        opened: () => {
          isOpen = true
        },
        received: chunk => {
          try {
            for (const heard of reader.push(chunk))
              if ('words' in heard) take(readAnswer(heard.words))
          } catch (error) {
            if (error instanceof WireError) fail(unexpected())
            else if (error instanceof BoxError) fail(error)
            else throw error
          }
        },
        drained: () => {},
        closed: () => {
          timer.cancel()
          if (isUp) this.lost(stream)
          reject(new BoxError(isOpen ? 'CHANNEL_LOST' : 'AGENT_NOT_RUNNING', 'No keeper.'))
        },
      })
      const timer = clock.after(ANSWER_MS, () =>
        fail(new BoxError('CHANNEL_LOST', 'The keeper of shells does not answer.')),
      )
      stream.write(wordsMessage({ do: 'line', versions: KEEPER_VERSIONS, keepMs }))
    })
  }

  private lost(stream: Stream): void {
    if (this.line !== stream) return
    this.line = null
    // One that held nothing ends by itself; the shells of one that was killed say that they ended.
    if (!this.isClosed) this.options.log.note('info', 'keeper', 'the keeper of shells has ended')
  }
}

const absent = (error: unknown): null => {
  const isAbsent =
    error instanceof BoxError && ['AGENT_NOT_RUNNING', 'CHANNEL_LOST'].includes(error.code)
  if (isAbsent) return null
  throw error
}

const otherVersion = (versions: readonly number[]): BoxError =>
  new BoxError(
    'STATE_UNEXPECTED',
    `The keeper of shells is of another version (it speaks ${versions.join(', ')}, this agent ${KEEPER_VERSIONS.join(', ')}): its shells end when their time is over.`,
  )

/** A process of its own session: no signal of this one's terminal or service reaches it. */
function startKeeper(directory: string): { readonly exited: Promise<void> } {
  const [program, ...words] = [...ownProgram('box-keeper'), directory]
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => KEPT_VARIABLES.test(name)),
  )
  const child = spawn(program!, words, {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    // It reads and writes no files: threads and arenas for that would be memory for nothing.
    env: { ...env, UV_THREADPOOL_SIZE: '1', MALLOC_ARENA_MAX: '1' },
  })
  const exited = new Promise<void>(resolve => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  child.unref()
  return { exited }
}
