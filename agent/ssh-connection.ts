/**
 * One SSH connection: login by the announced key, then sessions and forwardings, until either side ends it.
 *
 * What ssh2 lacks is added here: a time to log in within, a number of tries, an end to idle connections.
 */

import type { Socket } from 'node:net'
import ssh2, { type AuthContext, type Connection, type ParsedKey, type ServerChannel } from 'ssh2'
import { equalBytes } from '../src/base/bytes.ts'
import type { Timer } from '../src/base/clock.ts'
import { VERSION } from '../src/base/version.ts'
import { SHELL_COMMENT } from '../src/box/kept-shells.ts'
import { askedShortly, isAskedShortly } from '../src/box/short-command.ts'
import type { Carrier, CarryingStream } from './carrier.ts'
import type { Account } from './environment.ts'
import { Forwarding } from './forwarding.ts'
import type { LastingShells } from './lasting-shells.ts'
import type { OpenScreens } from './open-screens.ts'
import type { PipeShelf } from './pipe-shelf.ts'
import { RefusedSessions } from './refused-sessions.ts'
import { RECORDED_BANNER } from './session-recording.ts'
import { ShortAnswer } from './short-answer.ts'
import { beginShortly, newSession } from './short-command.ts'
import type { Caller, SshServerOptions } from './ssh-server.ts'
import { SshSession, type SshSessionOptions } from './ssh-session.ts'
import { Typing } from './typing.ts'

/** Logging in takes three round trips, and nobody types anything. */
const LOGIN_MS = 30_000
/** A client has one key to offer, and may try a few others of its agent first. */
const TRIES_MAX = 12
const KEEPALIVE_MS = 15_000
const KEEPALIVES_MISSED_MAX = 4
/**
 * A connection that does nothing is kept for the next session (ControlMaster) or the next one through a
 * tunnel (`ssh -N -L`), but not for ever. Keepalives notice earlier where the other side is gone.
 */
const IDLE_MS = 24 * 3_600_000
/** A round trip through two hubs, for the last words. */
const GOODBYE_MS = 1_000
/** sshd's MaxSessions is 10. */
const SESSIONS_MAX = 10
/** Short commands of whose end the client has not said that it heard: it does so with the next one. */
const UNHEARD_MAX = 64

export interface ConnectionParts {
  readonly caller: Caller
  readonly shells: LastingShells
  readonly screens: OpenScreens
  readonly pipes: PipeShelf
}

export class SshConnection {
  private readonly caller: Caller
  /** As whom all of it runs. */
  private readonly account: Account
  private readonly carrier: Carrier
  private readonly options: SshServerOptions
  private readonly shells: LastingShells
  private readonly answer: ShortAnswer
  /** What all sessions get. */
  private readonly common: SshSessionOptions
  private readonly sessions = new Set<SshSession>()
  private readonly refused = new RefusedSessions()
  private forwarding: Forwarding | null = null
  private timer: Timer
  private client: Connection | null = null
  private tries = 0
  private unheard = 0
  private isEnding = false
  /** The client has ended its side in good order. */
  private hasLeft = false
  private heardAt: number

  constructor(
    stream: CarryingStream,
    { caller, shells, screens, pipes, ...options }: SshServerOptions & ConnectionParts,
  ) {
    this.shells = shells
    this.heardAt = options.clock.elapsed()
    const { clock } = options
    const typing = new Typing(clock)
    typing.join(isOn => stream.hurry?.(isOn))
    this.carrier = { stream, typing, clock }
    this.answer = new ShortAnswer(stream, clock)
    this.caller = caller
    this.account = caller.user ?? options.account
    this.options = options
    // Its person is told at the login where all of it is recorded.
    const isToldOfRecording = caller.isRecorded()
    const { account, carrier } = this
    const { log, recorder, approvals } = options
    const answer = () => (this.inUse === 1 && !this.forwarding?.isBusy ? this.answer : null)
    this.common = {
      ...{ account, caller, carrier, clock, log, recorder, approvals },
      ...{ shells, screens, pipes, answer, heardAt: () => this.heardAt, isToldOfRecording },
    }
    this.timer = options.clock.after(LOGIN_MS, () => this.giveUp('login took too long'))
    // Each session and each forwarded connection may wait for it to drain.
    stream.setMaxListeners(0)
    stream.once('close', () => this.closed())
    // SSH has no half-open connections, and ssh2 leaves this to the socket.
    stream.once('end', () => {
      this.hasLeft = true
      stream.end()
    })
    stream.on('data', () => {
      this.heardAt = options.clock.elapsed()
    })
    const server = new ssh2.Server({
      hostKeys: [options.hostKey],
      ident: `secushare-box_${VERSION}`,
      algorithms: { compress: ['none'] },
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVES_MISSED_MAX,
      ...(isToldOfRecording && { banner: RECORDED_BANNER }),
    } as ssh2.ServerConfig)
    server.on('connection', (client, { header }) => this.greet(client, header.comments))
    // Any Duplex will do (packaging: tried with OpenSSH); the types ask for a socket.
    server.injectSocket(stream as Socket)
  }

  /** Says goodbye; whoever does not hear it is not waited for. What runs is hung up. */
  end(): void {
    this.finish(session => session.hangUp())
  }

  /** As `end`, for it is this process that ends: what can outlive it does. */
  leave(): void {
    this.lose()
  }

  /** As `end`, but the client did not want it: what can outlive the connection does. */
  private lose(): void {
    this.finish(session => session.lose())
  }

  private finish(leave: (session: SshSession) => void): void {
    if (this.isEnding) return
    this.isEnding = true
    for (const session of this.sessions) leave(session)
    this.forwarding?.close()
    this.answer.release()
    this.timer.cancel()
    this.timer = this.options.clock.after(GOODBYE_MS, () => this.carrier.stream.destroy())
    if (this.client) this.client.end()
    else this.carrier.stream.destroy()
  }

  private greet(client: Connection, comments: string | undefined): void {
    this.client = client
    if (comments === SHELL_COMMENT) this.shells.prepare(this.caller)
    const { account, caller, carrier } = this
    const { clock, log } = this.options
    const changed = () => this.rest()
    this.forwarding = new Forwarding(client, { account, caller, carrier, clock, log, changed })
    // Broken packets, a lost carrier, a client that is silent.
    client.on('error', error => {
      this.note('debug', 'client failed', { reason: error.message })
      this.lose()
    })
    client.on('authentication', context => this.authenticate(context))
    client.on('ready', () => this.ready())
    client.on('session', (accept, reject) => {
      if (!this.makeRoom()) {
        reject()
        return
      }
      const session = accept()
      this.open(session)
      this.refused.watch(client, session, changed)
    })
    client.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
      if (isAskedShortly(socketPath)) this.openShortly(socketPath, accept, reject)
    })
  }

  private authenticate(context: AuthContext): void {
    if (context.method === 'publickey' && equalBytes(context.key.data, this.caller.publicKey)) {
      const key = ssh2.utils.parseKey(context.key.data)
      if (!(key instanceof Error) && isProven(key, context)) {
        context.accept()
        return
      }
    }
    this.tries++
    if (this.tries > TRIES_MAX) this.giveUp('too many tries')
    else context.reject(['publickey'])
  }

  private ready(): void {
    this.note('info', 'logged in', { caller: this.caller.name })
    this.caller.note('login', '', 'done')
    this.rest()
  }

  /** What goes over the connection has changed. Waits for a session; not for ever. */
  private rest(): void {
    if (this.isEnding) return
    this.answer.release()
    this.timer.cancel()
    if (this.inUse === 0 && !this.forwarding?.isBusy)
      this.timer = this.options.clock.after(IDLE_MS, () => this.giveUp('idle'))
  }

  /** Sessions in which something runs, or may yet. */
  private get inUse(): number {
    return this.sessions.size - this.refused.size
  }

  /** Whether there is a place for one more session. */
  private makeRoom(): boolean {
    return this.sessions.size < SESSIONS_MAX || this.refused.closeOldest()
  }

  private open(session: ssh2.Session, input: Uint8Array | null = null): void {
    const opened = new SshSession(session, this.common, input)
    this.sessions.add(opened)
    this.rest()
    session.on('close', () => {
      this.sessions.delete(opened)
      this.rest()
    })
  }

  private openShortly(path: string, accept: () => ServerChannel, reject: () => void): void {
    const asked = askedShortly(path)
    if (!asked || this.unheard >= UNHEARD_MAX || !this.makeRoom()) {
      reject()
      return
    }
    const counted = () => {
      const channel = accept()
      this.unheard++
      channel.once('close', () => this.unheard--)
      return channel
    }
    const session = newSession()
    this.open(session, asked.input)
    beginShortly(session, asked.line, counted)
  }

  private giveUp(reason: string): void {
    this.note('info', 'connection ended', { reason })
    this.end()
  }

  private closed(): void {
    const isLost = !this.isEnding && !this.hasLeft
    this.isEnding = true
    this.timer.cancel()
    this.carrier.typing.close()
    this.answer.release()
    for (const session of this.sessions) isLost ? session.lose() : session.hangUp()
    this.sessions.clear()
    this.forwarding?.close()
  }

  private note(level: 'debug' | 'info', event: string, fields: Record<string, string>): void {
    this.options.log.note(level, 'ssh', event, fields)
  }
}

/** Whether the client has the key; where it only asks whether that would do, it may go on. */
function isProven(key: ParsedKey, context: ssh2.PublicKeyAuthContext): boolean {
  const { signature, blob, hashAlgo } = context
  if (!signature || !blob) return true
  return key.verify(blob, signature, hashAlgo) === true
}
