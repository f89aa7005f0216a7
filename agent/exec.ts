/**
 * A command on three pipes (pipe-shelf.ts): binary-safe, standard error apart, its exit with code or signal.
 */

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants as osConstants } from 'node:os'
import { Readable, Writable } from 'node:stream'
import type { Clock, Timer } from '../src/base/clock.ts'
import { CommandOutput } from './command-output.ts'
import type { Identity } from './environment.ts'
import { closeAll, closeTheirs, type PipeShelf, type Pipes } from './pipe-shelf.ts'
import { signalGroup } from './process-group.ts'
import type { Exit, Printed, Program } from './program.ts'
import { startSeat } from './seat/seat.ts'

export interface ExecOptions {
  readonly shell: string
  readonly command: string
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Whose it is; null: that of this process, which must be root otherwise. */
  readonly as: Identity | null
  readonly clock: Clock
  readonly pipes: PipeShelf
  /** False where it is known to have none: it reads /dev/null. */
  readonly hasInput: boolean
}

/** What it prints, out of our ends of its pipes. */
interface Said {
  readonly output: CommandOutput
  readonly errors: CommandOutput
}

interface Plain {
  readonly output: Readable
  readonly errors: Readable
}

/** What a shell reports where it cannot run the program at all. */
const EXIT_NOT_RUN = 127

/** So long is waited for a command that reads nothing to end, before what it prints is read as it comes: nobody notices. */
const AHEAD_MS = 50

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants

/** Runs the command. Fails where it can be none, or the machine has no memory left; where it has no process left, it was not run. */
export async function exec(options: ExecOptions): Promise<Program> {
  const { clock, pipes: shelf, hasInput, ...what } = options
  const pipes = await shelf.take(what.as, hasInput)
  const stdin = hasInput ? (pipes?.stdin?.theirs ?? 'pipe') : 'ignore'
  let child: ChildProcess
  try {
    child = begin(what, [stdin, pipes?.stdout.theirs ?? 'pipe', pipes?.stderr.theirs ?? 'pipe'])
  } catch (error) {
    if (pipes) closeAll(pipes)
    throw error
  }
  if (pipes) closeTheirs(pipes)
  return new Command(child, pipes, options)
}

class Command implements Program {
  readonly pid: number
  readonly input: Writable
  readonly exited: Promise<Exit>
  private readonly child: ChildProcess
  private readonly clock: Clock
  /** Null where the machine cannot make pipes that may be opened again. */
  private readonly said: Said | null
  /** Of child_process, in place of those. */
  private readonly plain: Plain | null
  private readonly hasInput: boolean

  constructor(child: ChildProcess, pipes: Pipes | null, { clock, hasInput }: ExecOptions) {
    this.pid = child.pid ?? 0
    this.child = child
    this.clock = clock
    this.hasInput = hasInput
    this.exited = new Promise<Exit>(resolve => {
      child.once('error', () => resolve({ code: EXIT_NOT_RUN }))
      child.once('exit', (code, signal) => resolve(exitOf(code, signal)))
    })
    this.said = pipes && {
      output: new CommandOutput(pipes.stdout.ours),
      errors: new CommandOutput(pipes.stderr.ours),
    }
    this.plain = pipes
      ? null
      : { output: child.stdout ?? nothing(), errors: child.stderr ?? nothing() }
    const stdin = pipes?.stdin
    this.input = stdin ? writing(stdin.ours) : (child.stdin ?? nowhere())
    if (stdin) wakeReaders(this.input, stdin.ours, this.exited, clock)
    // A command may stop reading before it was told everything.
    this.input.on('error', () => {})
  }

  get output(): Readable {
    return this.said?.output.stream ?? this.plain!.output
  }

  get errors(): Readable {
    return this.said?.errors.stream ?? this.plain!.errors
  }

  async printed(): Promise<Printed | null> {
    const { said, exited, clock } = this
    if (!said || this.hasInput) return null
    await new Promise<void>(resolve => {
      const timer = clock.after(AHEAD_MS, resolve)
      void exited.then(() => {
        timer.cancel()
        resolve()
      })
    })
    const isAll = [said.output, said.errors].map(one => one.readAhead())
    return isAll.includes(false) ? null : { output: said.output.ahead, errors: said.errors.ahead }
  }

  signal(name: NodeJS.Signals): void {
    if (this.pid) signalGroup(this.pid, name)
  }

  hangUp(): void {
    const { child, said, plain } = this
    if (child.exitCode === null && child.signalCode === null) this.signal('SIGHUP')
    this.input.destroy()
    const heard = said ?? plain!
    heard.output.destroy()
    heard.errors.destroy()
  }
}

function begin(
  { shell, command, env, cwd, as }: Omit<ExecOptions, 'clock' | 'pipes' | 'hasInput'>,
  stdio: StdioOptions,
): ChildProcess {
  // Node would set user and group, and take all other groups away.
  if (as) return startSeat({ do: 'run', shell, command, env, cwd, identity: as }, stdio)
  // A process group of its own, which signals reach as a whole.
  return spawn(shell, ['-c', command], { cwd, env, stdio, detached: true })
}

const exitOf = (code: number | null, signal: NodeJS.Signals | null): Exit =>
  signal === null ? { code: code ?? EXIT_NOT_RUN } : { signal: signal.slice('SIG'.length) }

/** The signal of an SSH request, `INT` or `TERM`; null where this system has none of that name. */
export function signalOf(name: string): NodeJS.Signals | null {
  const signal = `SIG${name}`
  return Object.hasOwn(osConstants.signals, signal) ? (signal as NodeJS.Signals) : null
}

/** How often it is made sure that nobody waits for a writer, at first and at most. */
const POKE_MIN_MS = 20
const POKE_MAX_MS = 1_000

/**
 * A named pipe differs from a nameless one in one thing: opening it for reading waits for a writer, even
 * where the last writer has closed it already (`bash /dev/stdin` after our end of input). So from then on
 * a writer comes and goes now and again.
 */
function wakeReaders(input: Writable, fd: number, exited: Promise<Exit>, clock: Clock): void {
  input.once('prefinish', () => {
    let reader: number
    try {
      reader = openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK)
    } catch {
      return // The program has closed its input: it will not open it again.
    }
    let timer: Timer
    const poke = (ms: number) => {
      timer = clock.after(ms, () => {
        try {
          closeSync(openSync(`/proc/self/fd/${reader}`, O_WRONLY | O_NONBLOCK))
        } catch {
          // No descriptor is left. There may be one the next time.
        }
        poke(Math.min(2 * ms, POKE_MAX_MS))
      })
    }
    poke(POKE_MIN_MS)
    void exited.then(() => {
      timer.cancel()
      closeSync(reader)
    })
  })
}

/** Out of a program that could not be started for want of descriptors: Node makes no streams then. */
const nothing = (): Readable => Readable.from([])

/** For a program that reads nothing. */
const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() })

const writing = (fd: number): Writable => new Socket({ fd, readable: false, writable: true })
