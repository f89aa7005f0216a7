/**
 * One SSH session (RFC 4254 section 6): environment, terminal, then a shell, a command or SFTP, its signals,
 * its window, its end. The exit is always told, after the last byte of output.
 */

import type { Duplex, Readable } from 'node:stream'
import type { PseudoTtyInfo, ServerChannel, Session } from 'ssh2'
import type { Clock } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'
import type { Right } from '../src/box/grant.ts'
import {
  isShellId,
  KEEP_VARIABLE,
  RESUME_VARIABLE,
  SHELLS_SUBSYSTEM,
  shellsText,
} from '../src/box/kept-shells.ts'
import { allowsCommand, allowsUser } from '../src/box/scope.ts'
import { type Account, loginEnvironment, RequestedVariables } from './environment.ts'
import { exec, signalOf } from './exec.ts'
import type { LastingShell, TerminalProgram } from './lasting-shell.ts'
import type { LastingShells } from './lasting-shells.ts'
import { messageOfTheDay } from './motd.ts'
import { type Exit, type Program, resultOf } from './program.ts'
import { Pty, type TerminalRequest } from './pty.ts'
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
  /** Those that can outlive their connection. */
  readonly shells: LastingShells
  /** By clock.elapsed, when anything last came over the connection. */
  readonly heardAt: () => number
}

/** What a client told when it asked for a terminal. `term` is missing from the types of ssh2. */
type Terminal = PseudoTtyInfo & { readonly term?: string }

interface Verdict {
  readonly accept: () => ServerChannel
  readonly reject: () => void
}

/** How it ended for the client; null where that went away before. */
type Outcome = Exit | 'kept' | 'taken over' | null

/** A program that could not be started at all: what a shell reports. */
const EXIT_NOT_STARTED = 126

/** For whoever looked at a shell that has gone to another connection of the same person. */
const TAKEN_OVER = '\r\nThis shell was taken over from elsewhere: box ssh --resume.\r\n'

export class SshSession {
  private readonly options: SshSessionOptions
  private readonly variables = new RequestedVariables()
  private terminal: Terminal | null = null
  private pty: TerminalProgram | null = null
  private program: Program | null = null
  /** How the client calls the shell it opens, and the one it wants back. */
  private readonly names: { keep?: string; resume?: string } = {}
  private lasting: LastingShell | null = null
  private files: SftpSession | null = null
  private gone = false

  constructor(session: Session, options: SshSessionOptions) {
    this.options = options
    session.on('env', (accept, reject, { key, val }) => {
      ;(this.setVariable(key, val) ? accept : reject)?.()
    })
    session.on('pty', (accept, _reject, terminal) => {
      this.terminal = terminal
      accept?.()
    })
    session.on('window-change', (accept, _reject, { cols, rows }) => {
      this.pty?.resize(cols, rows)
      // One that is being opened is told afterwards.
      if (this.terminal) this.terminal = { ...this.terminal, cols, rows }
      accept?.()
    })
    session.on('signal', (accept, reject, { name }) => {
      const signal = signalOf(name)
      if (signal) this.program?.signal(signal)
      ;(signal && this.program ? accept : reject)?.()
    })
    session.on('shell', (accept, reject) => this.openShell({ accept, reject }))
    session.on('exec', (accept, reject, { command }) =>
      this.begin('exec', command, { accept, reject }, channel => this.run(channel, command)),
    )
    session.on('subsystem', (accept, reject, { name }) => {
      if (name === SHELLS_SUBSYSTEM) this.listShells({ accept, reject })
      else if (name !== 'sftp') reject()
      else this.begin('files', 'sftp', { accept, reject }, channel => this.serveFiles(channel))
    })
    session.on('close', () => this.hangUp())
  }

  /** The client has gone, or must. */
  hangUp(): void {
    this.gone = true
    if (this.lasting) this.options.shells.remove(this.lasting)
    this.lasting = null
    this.program?.hangUp()
    void this.files?.close()
  }

  /** The connection is lost: what can outlive it does. */
  lose(): void {
    const { lasting } = this
    if (lasting) {
      this.letOff()
      this.options.shells.keep(lasting)
    }
    this.hangUp()
  }

  /** From now on the shell is none of ours. */
  private letOff(): void {
    this.lasting = null
    this.program = null
    this.pty = null
  }

  private setVariable(name: string, value: string): boolean {
    if (name !== KEEP_VARIABLE && name !== RESUME_VARIABLE) return this.variables.set(name, value)
    if (!isShellId(value)) return false
    this.names[name === KEEP_VARIABLE ? 'keep' : 'resume'] = value
    return true
  }

  private openShell(verdict: Verdict): void {
    const { caller, shells } = this.options
    const { keep, resume } = this.names
    if (resume !== undefined) {
      const shell = this.terminal && shells.find(caller.zone, resume)
      if (!shell) verdict.reject()
      else this.begin('shell', resume, verdict, channel => this.goOn(channel, shell), 'resumed')
      return
    }
    const lasts = this.terminal ? keep : undefined
    this.begin('shell', lasts ?? '', verdict, channel =>
      lasts !== undefined && shells.hasRoom(caller, lasts)
        ? this.runLasting(channel, lasts)
        : this.run(channel, null),
    )
  }

  /** What this person has open and kept; asked for beside each shell, and not worth an entry in the journal. */
  private listShells({ accept, reject }: Verdict): void {
    const { shells, caller } = this.options
    if (!this.permits('shell', '')) {
      reject()
      return
    }
    const channel: ServerChannel | undefined = accept()
    channel?.on('error', () => {})
    channel?.write(shellsText(shells.list(caller.zone)))
    if (channel) tellExit(channel, { code: 0 })
  }

  private begin(
    right: 'shell' | 'exec' | 'files',
    detail: string,
    { accept, reject }: Verdict,
    work: (channel: ServerChannel) => Promise<Outcome>,
    beginning = 'begun',
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
    caller.note(right, detail, beginning)
    const ended = (outcome: Outcome) =>
      caller.note(right, detail, typeof outcome === 'string' ? outcome : resultOf(outcome))
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

  /** A shell that is kept where the connection is lost. */
  private async runLasting(channel: ServerChannel, id: string): Promise<Outcome> {
    const { account, caller, shells } = this.options
    const asked = this.terminal!
    const request = this.terminalRequest(asked, ['-l'])
    const shell = await shells.open(id, caller, request, one => this.newPty(one))
    if (this.gone) {
      shells.remove(shell)
      shell.hangUp()
      return null
    }
    const { cols, rows } = this.terminal!
    if (cols !== asked.cols || rows !== asked.rows) shell.program.resize(cols, rows)
    return await this.look(channel, shell, write =>
      shell.show({ caller, write, heardAt: this.options.heardAt }, messageOfTheDay(account.home)),
    )
  }

  /** A shell that was kept, or is taken over from a connection that is silent. */
  private async goOn(channel: ServerChannel, shell: LastingShell): Promise<Outcome> {
    const { caller, heardAt, shells } = this.options
    const { cols: columns, rows } = this.terminal!
    shells.wake(shell)
    return await this.look(channel, shell, write =>
      shell.showAgain({ caller, write, heardAt }, { columns, rows }),
    )
  }

  private async look(
    channel: ServerChannel,
    shell: LastingShell,
    show: (write: (chunk: Uint8Array) => Promise<void>) => ReturnType<LastingShell['showAgain']>,
  ): Promise<Outcome> {
    this.lasting = shell
    this.program = shell.program
    this.pty = shell.program
    feed(shell.program, channel, true)
    const out = new SessionOutput(channel, this.options.carrier)
    const end = await show(chunk => out.write(chunk, 'output'))
    channel.unpipe(shell.program.input)
    if (end === 'lost') return 'kept'
    if (end === 'taken over') {
      this.letOff()
      channel.write(TAKEN_OVER)
      tellExit(channel, { signal: 'HUP' })
      return end
    }
    // It is forgotten when the client has heard of its end: see hangUp.
    tellExit(channel, end)
    return end
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
    const { terminal } = this
    if (terminal) {
      const request = this.terminalRequest(terminal, command === null ? ['-l'] : ['-c', command])
      this.pty = this.newPty(request)
      return this.pty
    }
    const { account, clock } = this.options
    const { home: cwd, shell } = account
    const line = command ?? `exec ${quoted(shell)} -l`
    return await exec({ shell, command: line, env: this.environment(null), cwd, clock })
  }

  private terminalRequest(terminal: Terminal, args: readonly string[]): TerminalRequest {
    const { account } = this.options
    const { home: cwd, shell: file } = account
    const { cols: columns, rows } = terminal
    const env = this.environment(terminal.term ?? 'dumb')
    return { file, args, env, cwd, columns, rows, as: null }
  }

  private newPty(request: TerminalRequest): Pty {
    return new Pty({ ...request, clock: this.options.clock })
  }

  private environment(term: string | null): Record<string, string> {
    const { account, caller } = this.options
    const { deviceName } = caller
    const requested = this.variables
    return loginEnvironment({ account, deviceName, requested, term, base: process.env })
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

/** A path as one word of a shell. */
const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`
