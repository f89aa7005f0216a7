/**
 * Connections carried for an SSH client: to where the device reaches (`ssh -L`, `-D`, `-J`), and from where
 * the device listens (`-R`), over TCP and Unix sockets. Each request is asked for at the grant. * They are connections of the user that the session is of (sockets.ts).
 */

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Connection, ServerChannel } from 'ssh2'
import type { Clock } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'
import { allowsListening, allowsTarget, type Endpoint } from '../src/box/scope.ts'
import { isAskedShortly } from '../src/box/short-command.ts'
import type { Carrier } from './carrier.ts'
import type { Account } from './environment.ts'
import { piecewise } from './piecewise.ts'
import { SeatedSockets } from './seat/seated-sockets.ts'
import { mayBe } from './session-account.ts'
import { SessionOutput } from './session-output.ts'
import { type Listener, OwnSockets, type Sockets } from './sockets.ts'
import type { Caller } from './ssh-server.ts'
import { paceUpload } from './upload-window.ts'

/** A browser behind `-D` opens a few dozen; each may hold a window of SSH, 2 MB, for a slow reader. */
const CONNECTIONS_MAX = 128
const LISTENERS_MAX = 16
/** TCP alone would try for two minutes, while a person looks at it. */
const CONNECT_MS = 20_000

export interface ForwardingOptions {
  /** As whom. */
  readonly account: Account
  readonly caller: Caller
  /** What carries the SSH connection. */
  readonly carrier: Carrier
  readonly clock: Clock
  readonly log: Log
  /** Called whenever `isBusy` may have changed. */
  readonly changed: () => void
}

type Verdict = { accept: (() => void) | undefined; reject: (() => void) | undefined }

export class Forwarding {
  private readonly client: Connection
  private readonly options: ForwardingOptions
  private readonly sockets = new Set<Socket>()
  /** What is listened on, by its name in the protocol. */
  private readonly listeners = new Map<string, Listener>()
  /** Listeners that are not there yet. */
  private beginning = 0
  private readonly connecting = new Set<AbortController>()
  private maker: Sockets | null = null
  private closed = false

  constructor(client: Connection, options: ForwardingOptions) {
    this.client = client
    this.options = options
    client.on('tcpip', (accept, reject, { destIP: host, destPort: port }) => {
      this.lead({ host, port }, accept, reject)
    })
    client.on('openssh.streamlocal', (accept, reject, { socketPath: path }) => {
      if (!isAskedShortly(path)) this.lead({ path }, accept, reject)
    })
    client.on('request', (accept: unknown, reject: unknown, name: string, info: object) => {
      this.request(name, info, { accept, reject } as Verdict)
    })
  }

  /** Whether anything is carried, or waited for. */
  get isBusy(): boolean {
    return this.size > 0 || this.listeners.size > 0
  }

  /** Connections that stand, or are being made. */
  private get size(): number {
    return this.sockets.size + this.connecting.size
  }

  /** Ends all of it. */
  close(): void {
    this.closed = true
    for (const over of this.connecting) over.abort()
    for (const name of [...this.listeners.keys()]) this.unlisten(name)
    for (const socket of this.sockets) socket.destroy()
    this.maker?.close()
  }

  /** To where the client wants. */
  private lead(endpoint: Endpoint, accept: () => ServerChannel, reject: () => void): void {
    if (!this.permits(endpoint, allowsTarget) || this.size >= CONNECTIONS_MAX) {
      reject()
      return
    }
    const over = new AbortController()
    const timer = this.options.clock.after(CONNECT_MS, () => over.abort())
    this.connecting.add(over)
    this.socketsFor()
      .connect(endpoint, over.signal)
      .then(
        socket => {
          const channel: ServerChannel | undefined = this.closed ? undefined : accept()
          this.keep(socket)
          if (channel) this.join(channel, socket)
          else socket.destroy()
        },
        () => void (this.closed || reject()),
      )
      .finally(() => {
        timer.cancel()
        this.connecting.delete(over)
        if (!this.closed) this.options.changed()
      })
  }

  private request(name: string, info: object, { accept, reject }: Verdict): void {
    const {
      bindAddr = '',
      bindPort = 0,
      socketPath,
    } = info as {
      bindAddr?: string
      bindPort?: number
      socketPath?: string
    }
    const endpoint: Endpoint =
      socketPath === undefined ? { host: bindAddr, port: bindPort } : { path: socketPath }
    if (name.startsWith('cancel-')) {
      const was = this.unlisten(nameOf(endpoint))
      ;(was ? accept : reject)?.()
      return
    }
    this.listen(endpoint).then(
      port => (accept as ((port: number) => void) | undefined)?.(port),
      (error: NodeJS.ErrnoException) => {
        this.options.log.note('info', 'ssh', 'does not listen', { reason: error.code ?? '' })
        reject?.()
      },
    )
  }

  /** Resolves to the port, 0 for a socket. Fails where it may not be, or cannot. */
  private async listen(endpoint: Endpoint): Promise<number> {
    const isFull = this.listeners.size + this.beginning >= LISTENERS_MAX
    if (isFull || !this.permits(endpoint, allowsListening))
      throw Object.assign(new Error('not permitted'), { code: 'EPERM' })
    const wanted = 'path' in endpoint ? 0 : endpoint.port
    this.beginning++
    try {
      const listener = await this.socketsFor().listen(endpoint, (socket, port) =>
        this.offer(socket, endpoint, wanted || port),
      )
      const found = 'path' in endpoint ? endpoint : { ...endpoint, port: listener.port }
      return this.listens(found, listener)
    } finally {
      this.beginning--
    }
  }

  private listens(endpoint: Endpoint, listener: Listener): number {
    const name = nameOf(endpoint)
    if (this.closed || this.listeners.has(name)) {
      listener.close()
      throw Object.assign(new Error('too late'), { code: 'ECANCELED' })
    }
    this.listeners.set(name, listener)
    this.options.changed()
    return listener.port
  }

  private unlisten(name: string): boolean {
    const listener = this.listeners.get(name)
    if (!listener) return false
    this.listeners.delete(name)
    listener.close()
    this.options.changed()
    return true
  }

  /** Loaded and begun with the first that needs them. */
  private socketsFor(): Sockets {
    const { identity } = this.options.account
    this.maker ??= identity ? new SeatedSockets(identity) : new OwnSockets()
    return this.maker
  }

  /** Somebody has come to where we listen: the client decides what to do about it. */
  private offer(socket: Socket, endpoint: Endpoint, port: number): void {
    this.keep(socket)
    if (this.sockets.size > CONNECTIONS_MAX || !this.permits(endpoint, allowsListening)) {
      socket.destroy()
      return
    }
    const joined = (error: Error | undefined, channel: ServerChannel) => {
      if (error) socket.destroy()
      else this.join(channel, socket)
    }
    if ('path' in endpoint) this.client.openssh_forwardOutStreamLocal(endpoint.path, joined)
    else {
      const { remoteAddress = '', remotePort = 0 } = socket
      this.client.forwardOut(endpoint.host, port, remoteAddress, remotePort, joined)
    }
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => {}) // Followed by its `close`.
    socket.once('close', () => {
      this.sockets.delete(socket)
      if (!this.closed) this.options.changed()
    })
    this.options.changed()
  }

  /** Both directions, each to its own end. */
  private join(channel: ServerChannel, socket: Socket): void {
    paceUpload(channel, this.options.carrier)
    const out = new SessionOutput(channel, this.options.carrier)
    socket.setNoDelay(true)
    const down = carry(socket, chunk => out.write(chunk, 'output')).then(() => channel.eof())
    const up = carry(channel, chunk => written(socket, chunk)).then(() => void socket.end())
    void Promise.all([down, up]).then(() => channel.close())
    channel.on('error', () => {})
    // What the client said last is still written; a broken socket is nothing to wait for.
    channel.once('close', () => void up.then(() => socket.destroySoon()))
    socket.once('close', broken => broken && channel.close())
  }

  private permits(
    endpoint: Endpoint,
    within: (scope: ReturnType<Caller['scope']>, endpoint: Endpoint) => boolean,
  ): boolean {
    const { account, caller, log } = this.options
    const permitted =
      caller.allows('forward') && mayBe(caller, account) && within(caller.scope(), endpoint)
    const what = within === allowsTarget ? 'forward' : 'listen'
    caller.note(what, nameOf(endpoint), permitted ? 'begun' : 'refused')
    if (permitted) return true
    log.note('info', 'ssh', 'not permitted', { right: 'forward', to: nameOf(endpoint) })
    return false
  }
}

/** Reads to the end, no faster than what is read can be written. */
async function carry(from: Duplex, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  try {
    for await (const piece of piecewise(from)) await write(piece)
  } catch {
    // Cut off: its `close` ends the other side.
  }
}

const written = (socket: Socket, chunk: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(chunk, error => (error ? reject(error) : resolve()))
  })

const nameOf = (endpoint: Endpoint): string =>
  'path' in endpoint ? endpoint.path : `${endpoint.host}:${endpoint.port}`
