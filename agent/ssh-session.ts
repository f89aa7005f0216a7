/**
 * One SSH session (RFC 4254 section 6): environment, terminal, then a shell, a command or SFTP, its signals,
 * its window, its end. The exit is always told, after the last byte of output.
 */

import type { ServerChannel, Session } from 'ssh2'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import { APPROVED_SUBSYSTEM } from '../src/box/approval.ts'
import {
  isShellId,
  KEEP_VARIABLE,
  RESUME_VARIABLE,
  SHELLS_SUBSYSTEM,
  shellsText,
} from '../src/box/kept-shells.ts'
import type { RecordedKind } from '../src/box/recording.ts'
import type { ApprovalDesk } from './approval-desk.ts'
import type { Carrier } from './carrier.ts'
import { type Account, RequestedVariables } from './environment.ts'
import { exec, signalOf } from './exec.ts'
import { approved } from './held-session.ts'
import type { LastingShell, TerminalProgram } from './lasting-shell.ts'
import type { LastingShells } from './lasting-shells.ts'
import { isWatchName, type OpenScreens } from './open-screens.ts'
import type { PipeShelf } from './pipe-shelf.ts'
import { type Exit, type Program, resultOf } from './program.ts'
import { Pty, type TerminalRequest } from './pty.ts'
import { recordedProgram, recordedTerminal } from './recorded-program.ts'
import type { Recorder } from './recorder.ts'
import type { Recording } from './recording.ts'
import { isRecordingsName, serveRecordings } from './recordings-service.ts'
import { environmentOf, permits, type Terminal, terminalRequest } from './session-account.ts'
import {
  EXIT_NOT_STARTED,
  feed,
  forwardAll,
  quoted,
  TAKEN_OVER,
  tellExit,
  tellOnly,
  tellText,
} from './session-channel.ts'
import { type SessionFiles, sessionFiles } from './session-files.ts'
import { SessionOutput } from './session-output.ts'
import { greeting, recordingOrTold, unrecorded } from './session-recording.ts'
import type { ShortAnswer } from './short-answer.ts'
import type { Caller } from './ssh-server.ts'
import { paceUpload } from './upload-window.ts'
import type { WatchedScreen } from './watched-screen.ts'

export interface SshSessionOptions {
  readonly account: Account
  readonly caller: Caller
  /** What carries the connection. */
  readonly carrier: Carrier
  readonly clock: Clock
  readonly log: Log
  /** Those that can outlive their connection. */
  readonly shells: LastingShells
  /** Null where this device can record nothing. */
  readonly recorder: Recorder | null
  /** What waits for another person. */
  readonly approvals: Pick<ApprovalDesk, 'ask'>
  /** The terminals that are open on this device. */
  readonly screens: OpenScreens
  readonly pipes: PipeShelf
  /** Null where others use the connection, too. */
  readonly answer: () => ShortAnswer | null
  /** By clock.elapsed, when anything last came over the connection. */
  readonly heardAt: () => number
  readonly isToldOfRecording: boolean
}

/** Made once: an error of its own for each session would cost more than most that is done with it. */
const GONE = new BoxError('CHANNEL_CLOSED', 'The client has gone.')

interface Verdict {
  readonly accept: () => ServerChannel
  /** Absent where the client wants no answer, whatever the types of ssh2 say. */
  readonly reject?: () => void
}

/** How it ended for the client; null where that went away before. */
type Outcome = Exit | 'kept' | 'taken over' | null

export class SshSession {
  private readonly options: SshSessionOptions
  private readonly variables = new RequestedVariables()
  private terminal: Terminal | null = null
  private pty: TerminalProgram | null = null
  private program: Program | null = null
  /** How the client calls the shell it opens, and the one it wants back. */
  private readonly names: { keep?: string; resume?: string } = {}
  private lasting: LastingShell | null = null
  private files: SessionFiles | null = null
  private recording: Recording | null = null
  private screen: WatchedScreen | null = null
  /** All of it, where it came with the command, or was read before another person approved it. */
  private input: Uint8Array | null
  private hasLeft = false
  /** Of what waits for another person; most sessions need none, and it costs more than most that is done with them. */
  private waiting: AbortController | null = null

  /** `input` is all that there will be; null where that is still to come. */
  constructor(session: Session, options: SshSessionOptions, input: Uint8Array | null = null) {
    this.options = options
    this.input = input
    session.on('env', (accept, reject, { key, val }) => {
      ;(this.setVariable(key, val) ? accept : reject)?.()
    })
    session.on('pty', (accept, _reject, terminal) => {
      this.terminal = terminal
      options.carrier.typing.typed()
      accept?.()
    })
    session.on('window-change', (accept, _reject, { cols, rows }) => {
      this.pty?.resize(cols, rows)
      // One that is being opened is told afterwards.
      if (this.terminal) this.terminal = { ...this.terminal, cols, rows }
      this.screen?.resize(cols, rows)
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
      const verdict = { accept, reject }
      // Asked for beside each shell, and not worth an entry in the journal.
      if (name === SHELLS_SUBSYSTEM)
        permits(options, 'shell', '')
          ? tellText(accept(), shellsText(options.shells.list(options.caller)))
          : reject?.()
      else if (name === 'sftp') this.begin('files', name, verdict, c => this.serveFiles(c))
      else if (isRecordingsName(name)) {
        const read = (c: ServerChannel) =>
          tellOnly(c, options.carrier, w => serveRecordings(name, options.recorder, w))
        this.begin('admin', name, verdict, read, 'read')
      } else if (isWatchName(name)) {
        const { screens, caller } = options
        const watch = (c: ServerChannel) =>
          tellOnly(c, options.carrier, (w, left) => screens.serve(name, caller, w, left))
        this.begin('watch', screens.about(name), verdict, watch, 'read')
      } else if (name.startsWith(APPROVED_SUBSYSTEM)) {
        const command = name.slice(APPROVED_SUBSYSTEM.length)
        this.begin('exec', command, verdict, c => this.run(c, command), 'asked')
      } else reject?.()
    })
    session.on('close', () => this.hangUp())
  }

  /** The client has gone, or must. */
  hangUp(): void {
    this.hasLeft = true
    this.waiting?.abort(GONE)
    if (this.lasting) this.options.shells.remove(this.lasting)
    this.lasting = null
    this.program?.hangUp()
    if (!this.files) return
    void this.files.close()
    // A reply that nobody takes is waited for, for ever.
    this.recording?.end(resultOf(null))
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
    this.screen = null
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
      const shell = this.terminal && shells.find(caller, resume)
      if (!shell) verdict.reject?.()
      else if (caller.isRecorded() && !shell.program.recording) verdict.reject?.()
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

  private begin(
    right: 'shell' | 'exec' | 'files' | 'admin' | 'watch',
    detail: string,
    { accept, reject }: Verdict,
    work: (channel: ServerChannel) => Promise<Outcome>,
    beginning: 'begun' | 'asked' | 'resumed' | 'read' = 'begun',
  ): void {
    const { log, caller } = this.options
    if (!permits(this.options, right, detail)) {
      caller.note(right, detail, 'refused')
      log.note('info', 'ssh', 'not permitted', { right })
      reject?.()
      return
    }
    const isHeld =
      (beginning === 'asked' || (beginning === 'begun' && caller.scope().approved)) &&
      (right === 'exec' || right === 'shell')
    if (right === 'exec' && !isHeld && !this.terminal) this.options.answer()?.hold()
    const channel: ServerChannel | undefined = accept()
    if (!channel) return
    paceUpload(channel, this.options.carrier)
    channel.on('error', () => {}) // Its end comes as `close`.
    channel.on('close', () => this.hangUp())
    const isRead = right === 'admin' || right === 'watch'
    const ended = (outcome: Outcome) =>
      caller.note(right, detail, typeof outcome === 'string' ? outcome : resultOf(outcome))
    const go = () => {
      if (beginning !== 'resumed' && !isRead && !this.record(channel, right, detail)) return
      caller.note(right, detail, beginning === 'asked' ? 'begun' : beginning)
      work(channel).then(ended, (error: unknown) => {
        ended(null)
        this.recording?.end(resultOf(null))
        if (this.hasLeft) return // There is nobody to tell.
        log.note('warn', 'ssh', 'session failed', { reason: String(error) })
        tellExit(channel, { code: EXIT_NOT_STARTED })
      })
    }
    if (!isHeld) {
      go()
      return
    }
    const onTerminal = this.terminal !== null
    this.waiting = new AbortController()
    const { input, waiting } = this
    const left = waiting.signal
    const held = { ...this.options, channel, right, detail, onTerminal, input, left }
    // It fails only where the process must end.
    void approved(held).then(approval => {
      if (!approval) return
      this.input = approval.input
      go()
    })
  }

  /** Begins the recording, where there is to be one. False where there cannot be: the client is told, and nothing runs. */
  private record(channel: ServerChannel, what: RecordedKind, detail: string): boolean {
    const { terminal, options } = this
    if (!options.caller.isRecorded()) return true
    const begun = recordingOrTold({ ...options, what, detail, terminal }, channel.stderr)
    this.recording = begun === 'refused' ? null : begun
    if (begun === 'refused') tellExit(channel, { code: EXIT_NOT_STARTED })
    return begun !== 'refused'
  }

  /** Resolves to its end; null where the client went away before. */
  private async run(channel: ServerChannel, command: string | null): Promise<Exit | null> {
    const program = await this.start(command)
    this.options.answer()?.begun()
    this.program = program
    if (this.hasLeft) {
      program.hangUp()
      return null
    }
    if (this.input) program.input.end(this.input)
    else feed(program, channel, this.terminal ? this.options.carrier.typing : null)
    const out = new SessionOutput(channel, this.options.carrier)
    const { account } = this.options
    const first = this.terminal && greeting(account, command === null, this.recording)
    if (first?.length) await out.write(first, 'output')
    if (this.screen) this.screen.tell = line => void out.write(line, 'output')
    const show = (chunk: Uint8Array) => {
      this.screen?.add(chunk)
      return out.write(chunk, 'output')
    }
    await forwardAll(program, show, chunk => out.write(chunk, 'errors'))
    const { recording } = program
    if (recording?.fault) await out.write(Buffer.from(unrecorded(recording.fault)), 'errors')
    const exit = await program.exited
    tellExit(channel, exit)
    this.options.answer()?.release()
    return exit
  }

  /** A shell that is kept where the connection is lost. */
  private async runLasting(channel: ServerChannel, id: string): Promise<Outcome> {
    const { account, caller, clock, heardAt, shells } = this.options
    const asked = this.terminal!
    const request = terminalRequest(this.options, asked, ['-l'], this.variables)
    const { recording } = this
    const here = (one: TerminalRequest) => new Pty({ ...one, clock })
    const shell = await shells.open(id, caller, request, { here, recording })
    if (this.hasLeft) {
      shells.remove(shell)
      shell.hangUp()
      return null
    }
    const { cols, rows } = this.terminal!
    if (cols !== asked.cols || rows !== asked.rows) shell.program.resize(cols, rows)
    return await this.look(channel, shell, write =>
      shell.show({ caller, write, heardAt }, greeting(account, true, this.recording)),
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
    this.screen = shell.screen
    feed(shell.program, channel, this.options.carrier.typing)
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
    const { recording } = shell.program
    if (recording?.fault) channel.write(unrecorded(recording.fault))
    // It is forgotten when the client has heard of its end: see hangUp.
    tellExit(channel, end)
    return end
  }

  private async serveFiles(channel: ServerChannel): Promise<Exit> {
    const { account, caller, carrier, clock } = this.options
    const { paths } = caller.scope()
    const { recording } = this
    const now = () => clock.now()
    const { files, witness } = await sessionFiles({ account, paths, recording, now })
    this.files = files
    if (this.hasLeft) void files.close()
    const out = new SessionOutput(channel, carrier)
    const code = await files.serve(channel, packet => out.write(packet, 'output'))
    witness?.end()
    recording?.end(resultOf({ code }))
    if (recording?.fault) await out.write(Buffer.from(unrecorded(recording.fault)), 'errors')
    // scp waits for both: the exit, and the end.
    tellExit(channel, { code })
    return { code }
  }

  private async start(command: string | null): Promise<Program> {
    const { terminal, recording } = this
    const { account, clock, pipes } = this.options
    if (terminal) {
      const args = command === null ? ['-l'] : ['-c', command]
      const request = terminalRequest(this.options, terminal, args, this.variables)
      const pty = new Pty({ ...request, clock })
      this.pty = recording ? recordedTerminal(pty, recording, clock) : pty
      this.screen = this.options.screens.openFor(this.pty, this.options.caller.name, request)
      return this.pty
    }
    const { home: cwd, shell, identity: as } = account
    const line = command ?? `exec ${quoted(shell)} -l`
    const env = environmentOf(this.options, null, this.variables)
    const hasInput = this.input?.length !== 0
    const program = await exec({ shell, command: line, env, cwd, as, clock, pipes, hasInput })
    return recording ? recordedProgram(program, recording, clock) : program
  }
}
