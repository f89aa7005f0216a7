/** The SSH side of the controller: logs in over a stream that already leads to the device, and runs there. */

import type { Duplex } from 'node:stream'
import type { Client, ClientChannel, PseudoTtyOptions, SFTPWrapper } from 'ssh2'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import { VERSION } from '../src/base/version.ts'
import { APPROVED_SUBSYSTEM } from '../src/box/approval.ts'
import { SHELL_COMMENT } from '../src/box/kept-shells.ts'
import { askShortly } from '../src/box/short-command.ts'
import { LastWord } from './last-word.ts'
import { RemoteProcess, type Running, STARTS_NOTHING } from './remote-process.ts'
import { ShortProcess } from './short-command.ts'
import type { Size } from './terminal.ts'

/** The stream is there and both sides know each other: what is left takes a few round trips. */
const LOGIN_TIMEOUT_MS = 20_000
/** A dead device is noticed after three of these, even where nothing else notices. */
const KEEPALIVE_MS = 10_000
/** Whoever leaves says so; a device that is not there any more is not waited for. */
const LEAVE_MS = 1_000
/** What a subsystem answers with. */
const ANSWER_MAX = 65_536

export interface Login {
  readonly stream: Duplex
  readonly user: string
  /** In OpenSSH's form. */
  readonly privateKey: string
  /** A shell that is to be kept is about to be opened. */
  readonly opensShell?: boolean
  readonly clock: Clock
  /** Whether the device may have this host key. */
  accepts(hostKey: Uint8Array): boolean
  /** What the device has to say to everybody who logs in. */
  greeted?(text: string): void
  readonly signal?: AbortSignal | undefined
}

/** Loads what a login needs, while there is nothing else to do. Where that fails, the login says so. */
export function prepareLogin(): void {
  import('ssh2').catch(() => {})
}

/** Logs in. Fails with HOST_KEY_WRONG, NOT_PERMITTED, CHANNEL_LOST, or the reason of the signal. */
export async function login(options: Login): Promise<SshSession> {
  const { default: ssh2 } = await import('ssh2')
  const client = new ssh2.Client()
  const { stream, user, privateKey, accepts, opensShell, signal } = options
  let wrongHost = false
  return await new Promise<SshSession>((resolve, reject) => {
    const abort = () => fail(signal!.reason)
    const fail = (reason: unknown) => {
      signal?.removeEventListener('abort', abort)
      client.destroy()
      reject(reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) return abort()
    client.on('ready', () => {
      signal?.removeEventListener('abort', abort)
      resolve(new SshSession(client, new LastWord(stream, options.clock)))
    })
    client.on('error', cause => fail(loginError(cause, wrongHost)))
    client.on('close', () => fail(new BoxError('CHANNEL_LOST', 'The login was not finished.')))
    client.on('banner', text => options.greeted?.(text))
    client.connect({
      sock: stream,
      username: user,
      ...(opensShell && { ident: `secushare-box_${VERSION} ${SHELL_COMMENT}` }),
      privateKey,
      // Else ssh2 asks no server for a Unix socket that is not OpenSSH.
      strictVendor: false,
      readyTimeout: LOGIN_TIMEOUT_MS,
      keepaliveInterval: KEEPALIVE_MS,
      hostVerifier: (key: Buffer) => {
        wrongHost = !accepts(key)
        return !wrongHost
      },
    })
  })
}

function loginError(cause: Error & { level?: string }, wrongHost: boolean): BoxError {
  if (wrongHost) return new BoxError('HOST_KEY_WRONG', undefined, cause)
  if (cause.level === 'client-authentication')
    return new BoxError('NOT_PERMITTED', 'Its SSH server does not let this user in.', cause)
  return new BoxError('CHANNEL_LOST', cause.message, cause)
}

/** What is to be run, and who listens. */
export interface Run {
  /** A line for the device's shell; null for a login shell. */
  readonly line: string | null
  /** With a terminal of this size and kind; null without one, which keeps stderr apart. */
  readonly terminal: (Size & { readonly kind: string }) | null
  readonly environment?: Readonly<Record<string, string>>
  /** Only once another person has approved it; without a terminal. */
  readonly approved?: boolean
}

export class SshSession {
  /** Resolves when the connection has ended, however it did. */
  readonly closed: Promise<void>
  private readonly client: Client
  private readonly lastWord: LastWord
  private readonly running = new Set<Running>()
  /** Whether it is used for more than commands, which may have something to say at any time. */
  private isShared = false
  /** Whether the device is not too old for them. */
  private hasShortCommands = true

  constructor(client: Client, lastWord: LastWord) {
    this.client = client
    // Each command that begins listens for its end.
    client.setMaxListeners(0)
    this.lastWord = lastWord
    this.closed = new Promise(resolve => void client.once('close', () => resolve()))
  }

  /** The files of the device. Fails with NOT_PERMITTED, CHANNEL_LOST. */
  files(): Promise<SFTPWrapper> {
    return this.ask('It hands out no files.', done => this.client.sftp(done))
  }

  /** A connection from the device to where it reaches. Fails as `files`. */
  lead(host: string, port: number): Promise<Duplex> {
    return this.ask('The device reaches nothing there, or may not.', done =>
      this.client.forwardOut('127.0.0.1', 0, host, port, done),
    )
  }

  /** Has the device listen, on loopback; `took` gets each connection. Resolves to the port. Fails as `files`. */
  async listen(port: number, took: (accept: () => Duplex) => void): Promise<number> {
    const bound = await this.ask<number>('The device does not listen there.', done =>
      this.client.forwardIn('localhost', port, done),
    )
    this.client.on('tcp connection', ({ destPort }, accept) => {
      if (destPort === (bound ?? port)) took(accept)
    })
    return bound ?? port
  }

  /** All that a subsystem says. Fails as `files`. */
  async subsystem(name: string): Promise<string> {
    const channel = await this.ask<ClientChannel>('It does not know that.', done =>
      this.client.subsys(name, done),
    )
    channel.on('error', () => {})
    channel.stderr.resume()
    let said = ''
    for await (const chunk of channel) {
      said += chunk
      if (said.length > ANSWER_MAX) throw new BoxError('STATE_UNEXPECTED', 'It says too much.')
    }
    return said
  }

  /** What a subsystem says, as it comes, and in the end its exit code. Fails as `files`; CHANNEL_LOST without an end. */
  async *hear(name: string): AsyncGenerator<Uint8Array, number> {
    let code: number | null = null
    const channel = await this.ask<ClientChannel>('It does not know that, or may not tell.', done =>
      this.client.subsys(name, (error, channel) => {
        // At once: the exit may be in the same packet as the beginning.
        channel?.on('exit', (exit: number | null) => {
          code = exit
        })
        done(error, channel)
      }),
    )
    channel.on('error', () => {})
    channel.stderr.resume()
    for await (const chunk of channel) yield chunk as Uint8Array
    if (code === null) throw new BoxError('CHANNEL_LOST')
    return code
  }

  /** Whether the device answers over it within so long: a connection that is lost need not look so. */
  answers(clock: Clock, withinMs: number): Promise<boolean> {
    this.lastWord.release()
    return new Promise(resolve => {
      const timer = clock.after(withinMs, () => told(false))
      const told = (isThere: boolean) => {
        timer.cancel()
        this.client.off('close', lost)
        resolve(isThere)
      }
      const lost = () => told(false)
      // Before those who wait for answers hear of it.
      this.client.once('close', lost)
      try {
        // Nothing listens there for us, and it says so.
        this.client.unforwardIn('', 0, () => told(true))
      } catch {
        told(false)
      }
    })
  }

  private ask<T>(
    refusal: string,
    begin: (done: (error: Error | undefined, value: T) => void) => void,
  ): Promise<T> {
    this.isShared = true
    this.lastWord.release()
    return new Promise((resolve, reject) => {
      void this.closed.then(() => reject(new BoxError('CHANNEL_LOST')))
      try {
        begin((error, value) => {
          if (error) reject(new BoxError('NOT_PERMITTED', refusal, error))
          else resolve(value)
        })
      } catch (cause) {
        reject(new BoxError('CHANNEL_LOST', undefined, cause))
      }
    })
  }

  /** Starts a program or a shell. Fails with NOT_PERMITTED, CHANNEL_LOST. A device that is too old for `approved` refuses it. */
  async start({ line, terminal, environment = {}, approved = false }: Run): Promise<RemoteProcess> {
    const pty: PseudoTtyOptions | null = terminal && {
      rows: terminal.rows,
      cols: terminal.columns,
      term: terminal.kind,
    }
    const env = { ...environment }
    const started = await this.open(
      done => {
        if (line !== null && approved) this.client.subsys(APPROVED_SUBSYSTEM + line, done)
        else if (line !== null) this.client.exec(line, pty ? { pty, env } : { env }, done)
        else this.client.shell(pty ?? false, { env }, done)
      },
      (error, channel) => {
        if (error) throw new BoxError('NOT_PERMITTED', STARTS_NOTHING, error)
        return new RemoteProcess(channel)
      },
    )
    return this.follow(started)
  }

  /** Runs a command whose whole input is there. Fails as `start`. */
  async command(line: string, input: Uint8Array): Promise<Running> {
    const asked = this.hasShortCommands ? askShortly({ line, input }) : null
    const short = asked === null ? null : await this.startShortly(asked)
    if (short) return this.follow(short)
    const process = await this.start({ line, terminal: null })
    // One that is not too old, but busy, would start nothing either.
    if (asked !== null) this.hasShortCommands = false
    process.input.end(input)
    return process
  }

  /** Null where the device does not know how. */
  private startShortly(asked: string): Promise<ShortProcess | null> {
    return this.open(
      done => this.client.openssh_forwardOutStreamLocal(asked, done),
      (error, channel) => {
        if (error) return null
        // Our answer to its end comes in this turn where all of it is here.
        if (this.running.size === 0 && !this.isShared) this.lastWord.hold()
        return new ShortProcess(channel, () => this.lastWord.release())
      },
    )
  }

  /** `opened` is called at once: all that is to come may be in the same packet. Fails as it does, and with CHANNEL_LOST. */
  private open<T>(
    begin: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
    opened: (error: Error | undefined, channel: ClientChannel) => T,
  ): Promise<T> {
    this.lastWord.release()
    return new Promise((resolve, reject) => {
      const lost = () => reject(new BoxError('CHANNEL_LOST'))
      this.client.once('close', lost)
      try {
        begin((error, channel) => {
          this.client.off('close', lost)
          try {
            resolve(opened(error, channel))
          } catch (refusal) {
            reject(refusal)
          }
        })
      } catch (cause) {
        this.client.off('close', lost)
        reject(new BoxError('CHANNEL_LOST', undefined, cause))
      }
    })
  }

  private follow<P extends Running>(process: P): P {
    this.running.add(process)
    const ended = () => void this.running.delete(process)
    process.ended.then(ended, ended)
    return process
  }

  /** Leaves in good order. */
  async close(): Promise<void> {
    this.lastWord.release()
    await new Promise<void>(resolve => {
      this.client.once('close', () => resolve())
      this.client.once('error', () => resolve())
      this.client.end()
    })
  }

  /** Ends it. The device hears it where something runs there still, so that it does not wait for us to come back. */
  async leave(clock: Clock): Promise<void> {
    this.lastWord.release()
    if (this.running.size > 0) {
      for (const process of this.running) process.close()
      const patience = new Promise<void>(resolve => void clock.after(LEAVE_MS, resolve))
      this.client.end()
      await Promise.race([this.closed, patience])
    }
    this.client.destroy()
  }

  destroy(): void {
    this.lastWord.release()
    this.client.destroy()
  }
}
