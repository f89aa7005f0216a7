/**
 * One SSH session (RFC 4254 section 6): environment, terminal, then a shell, a command or SFTP, its signals,
 * its window, its end. The exit is always told, after the last byte of output.
 */

import type { Duplex, Readable } from 'node:stream'
import type { PseudoTtyInfo, ServerChannel, Session } from 'ssh2'
import type { Clock } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'
import type { Right } from '../src/box/grant.ts'
import { allowsCommand, allowsUser } from '../src/box/scope.ts'
import { type Account, loginEnvironment, RequestedVariables } from './environment.ts'
import { exec, signalOf } from './exec.ts'
import { messageOfTheDay } from './motd.ts'
import type { Exit, Program } from './program.ts'
import { Pty } from './pty.ts'
import { SessionOutput } from './session-output.ts'
import { Region } from './sftp/region.ts'
import { SftpSession } from './sftp/session.ts'
import type { Caller } from './ssh-server.ts'

export interface SshSessionOptions {
  readonly account: Account
  readonly caller: Caller
  /** What carries the connection. */
  readonly carrier: Duplex
  readonly clock: Clock
  readonly log: Log
}

/** What a client told when it asked for a terminal. `term` is missing from the types of ssh2. */
type Terminal = PseudoTtyInfo & { readonly term?: string }

/** A program that could not be started at all: what a shell reports. */
const EXIT_NOT_STARTED = 126

export class SshSession {
  private readonly options: SshSessionOptions
  private readonly variables = new RequestedVariables()
  private terminal: Terminal | null = null
  private pty: Pty | null = null
  private program: Program | null = null
  private files: SftpSession | null = null
  private gone = false

  constructor(session: Session, options: SshSessionOptions) {
    this.options = options
    session.on('env', (accept, reject, { key, val }) => {
      ;(this.variables.set(key, val) ? accept : reject)?.()
    })
    session.on('pty', (accept, _reject, terminal) => {
      this.terminal = terminal
      accept?.()
    })
    session.on('window-change', (accept, _reject, { cols, rows }) => {
      this.pty?.resize(cols, rows)
      accept?.()
    })
    session.on('signal', (accept, reject, { name }) => {
      const signal = signalOf(name)
      if (signal) this.program?.signal(signal)
      ;(signal && this.program ? accept : reject)?.()
    })
    session.on('shell', (accept, reject) =>
      this.begin('shell', '', { accept, reject }, channel => this.run(channel, null)),
    )
    session.on('exec', (accept, reject, { command }) =>
      this.begin('exec', command, { accept, reject }, channel => this.run(channel, command)),
    )
    session.on('subsystem', (accept, reject, { name }) => {
      if (name !== 'sftp') reject()
      else this.begin('files', 'sftp', { accept, reject }, channel => this.serveFiles(channel))
    })
    session.on('close', () => this.hangUp())
  }

  /** The client has gone. */
  hangUp(): void {
    this.gone = true
    this.program?.hangUp()
    void this.files?.close()
  }

  private begin(
    right: 'shell' | 'exec' | 'files',
    detail: string,
    { accept, reject }: { accept: () => ServerChannel; reject: () => void },
    work: (channel: ServerChannel) => Promise<Exit | null>,
  ): void {
    const { log, caller } = this.options
    if (!this.permits(right, detail)) {
      caller.note(right, detail, 'refused')
      log.note('info', 'ssh', 'not permitted', { right })
      reject()
      return
    }
    const channel: ServerChannel | undefined = accept()
    if (!channel) return
    channel.on('error', () => {}) // Its end comes as `close`.
    channel.on('close', () => this.hangUp())
    caller.note(right, detail, 'begun')
    const ended = (exit: Exit | null) => caller.note(right, detail, resultOf(exit))
    work(channel).then(ended, (error: unknown) => {
      ended(null)
      if (this.gone) return // There is nobody to tell.
      log.note('warn', 'ssh', 'session failed', { reason: String(error) })
      tellExit(channel, { code: EXIT_NOT_STARTED })
    })
  }

  private permits(right: Right, detail: string): boolean {
    const { caller, account } = this.options
    const scope = caller.scope()
    if (!caller.allows(right)) return false
    if (right === 'exec') return allowsCommand(scope, detail) && allowsUser(scope, account.name)
    return right !== 'shell' || allowsUser(scope, account.name)
  }

  /** Resolves to its end; null where the client went away before. */
  private async run(channel: ServerChannel, command: string | null): Promise<Exit | null> {
    const { account } = this.options
    const program = await this.start(command)
    this.program = program
    if (this.gone) {
      program.hangUp()
      return null
    }
    feed(program, channel, this.terminal !== null)
    const out = new SessionOutput(channel, this.options.carrier)
    const greeting = command === null && this.terminal ? messageOfTheDay(account.home) : null
    if (greeting?.length) await out.write(greeting, 'output')
    await Promise.all([
      forward(program.output, chunk => out.write(chunk, 'output')),
      program.errors && forward(program.errors, chunk => out.write(chunk, 'errors')),
    ])
    const exit = await program.exited
    tellExit(channel, exit)
    return exit
  }

  private async serveFiles(channel: ServerChannel): Promise<Exit> {
    const { account, caller, carrier, clock } = this.options
    const region = await Region.open(account.home, caller.scope().paths)
    const files = new SftpSession({ region, now: () => clock.now() })
    this.files = files
    const out = new SessionOutput(channel, carrier)
    const code = await files.serve(channel, packet => out.write(packet, 'output'))
    // scp waits for both: the exit, and the end.
    tellExit(channel, { code })
    return { code }
  }

  private async start(command: string | null): Promise<Program> {
    const { account, caller, clock } = this.options
    const { deviceName } = caller
    const { terminal } = this
    const term = terminal && (terminal.term ?? 'dumb')
    const requested = this.variables
    const env = loginEnvironment({ account, deviceName, requested, term, base: process.env })
    const { home: cwd, shell } = account
    if (command !== null && !terminal) return await exec({ shell, command, env, cwd, clock })
    const args = command === null ? ['-l'] : ['-c', command]
    if (!terminal)
      return await exec({ shell, command: `exec ${quoted(shell)} -l`, env, cwd, clock })
    const { cols: columns, rows } = terminal
    this.pty = new Pty({ file: shell, args, env, cwd, columns, rows, clock })
    return this.pty
  }
}

/** What the client sends goes to the program; what comes after that has stopped reading is thrown away. */
function feed(program: Program, channel: ServerChannel, onTerminal: boolean): void {
  // A terminal has no end of input: that is for its user to type.
  channel.pipe(program.input, { end: !onTerminal })
  program.input.once('close', () => {
    channel.unpipe(program.input)
    channel.resume()
  })
}

async function forward(from: Readable, write: (chunk: Buffer) => Promise<void>): Promise<void> {
  try {
    for await (const chunk of from) await write(chunk as Buffer)
  } catch {
    // The program was hung up: there is nobody to tell.
  }
}

function tellExit(channel: ServerChannel, exit: Exit): void {
  if ('code' in exit) channel.exit(exit.code)
  else channel.exit(exit.signal, false, '')
  channel.end()
}

const resultOf = (exit: Exit | null): string => {
  if (!exit) return 'cut off'
  return 'code' in exit ? `exit ${exit.code}` : `signal ${exit.signal}`
}

/** A path as one word of a shell. */
const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`
