/**
 * Connections carried for an SSH client: to where the device reaches (`ssh -L`, `-D`, `-J`), and from where
 * the device listens (`-R`), over TCP and Unix sockets. Each request is asked for at the grant.
 *
 * As sshd does unless told otherwise (GatewayPorts no), the device listens on loopback only: what is
 * forwarded to a client is not offered to the network the device is in.
 */

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Connection, ServerChannel } from 'ssh2'
import type { Clock } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'
import { allowsListening, allowsTarget, type Endpoint } from '../src/box/scope.ts'
import { SessionOutput } from './session-output.ts'
import type { Caller } from './ssh-server.ts'

/** A browser behind `-D` opens a few dozen; each may hold a window of SSH, 2 MB, for a slow reader. */
const CONNECTIONS_MAX = 128
const LISTENERS_MAX = 16
/** What one listener keeps waiting while the client is asked to take it. */
const BACKLOG = 32
/** TCP alone would try for two minutes, while a person looks at it. */
const CONNECT_MS = 20_000
/** Of the Unix sockets we make: for the user of the agent alone. */
const SOCKET_UMASK = 0o177

export interface ForwardingOptions {
  readonly caller: Caller
  /** What carries the SSH connection. */
  readonly carrier: Duplex
  readonly clock: Clock
  readonly log: Log
  /** Called whenever `isBusy` may have changed. */
  readonly changed: () => void
}

/** What is listened on, by its name in the protocol. */
interface Listener {
  readonly servers: readonly Server[]
}

type Verdict = { accept: (() => void) | undefined; reject: (() => void) | undefined }

export class Forwarding {
  private readonly client: Connection
  private readonly options: ForwardingOptions
  private readonly sockets = new Set<Socket>()
  private readonly listeners = new Map<string, Listener>()
  private closed = false

  constructor(client: Connection, options: ForwardingOptions) {
    this.client = client
    this.options = options
    client.on('tcpip', (accept, reject, { destIP: host, destPort: port }) => {
      this.lead({ host, port }, accept, reject)
    })
    client.on('openssh.streamlocal', (accept, reject, { socketPath: path }) => {
      this.lead({ path }, accept, reject)
    })
    client.on('request', (accept: unknown, reject: unknown, name: string, info: object) => {
      this.request(name, info, { accept, reject } as Verdict)
    })
  }

  /** Whether anything is carried, or waited for. */
  get isBusy(): boolean {
    return this.sockets.size > 0 || this.listeners.size > 0
  }

  /** Ends all of it. */
  close(): void {
    this.closed = true
    for (const name of [...this.listeners.keys()]) this.unlisten(name)
    for (const socket of this.sockets) socket.destroy()
  }

  /** To where the client wants. */
  private lead(endpoint: Endpoint, accept: () => ServerChannel, reject: () => void): void {
    if (!this.permits(endpoint, allowsTarget) || this.sockets.size >= CONNECTIONS_MAX) {
      reject()
      return
    }
    const socket = connect({ ...endpoint, allowHalfOpen: true })
    this.keep(socket)
    const timer = this.options.clock.after(CONNECT_MS, () => socket.destroy())
    let connected = false
    socket.once('connect', () => {
      connected = true
      timer.cancel()
      const channel: ServerChannel | undefined = accept()
      if (channel) this.join(channel, socket)
      else socket.destroy()
    })
    socket.once('close', () => {
      timer.cancel()
      if (!connected && !this.closed) reject()
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
    if (!this.permits(endpoint, allowsListening) || this.listeners.size >= LISTENERS_MAX)
      throw Object.assign(new Error('not permitted'), { code: 'EPERM' })
    if ('path' in endpoint) {
      const server = this.server(endpoint, 0)
      await listening(server, { path: endpoint.path })
      return this.listens(endpoint, [server], 0)
    }
    const first = this.server(endpoint, endpoint.port)
    const port = await listening(first, { host: '127.0.0.1', port: endpoint.port })
    const found = { ...endpoint, port }
    const second = this.server(found, port)
    const both = await listening(second, { host: '::1', port }).then(
      () => [first, second],
      () => [first], // There is no IPv6 here.
    )
    return this.listens(found, both, port)
  }

  private listens(endpoint: Endpoint, servers: readonly Server[], port: number): number {
    const name = nameOf(endpoint)
    if (this.closed || this.listeners.has(name)) {
      for (const server of servers) server.close()
      throw Object.assign(new Error('too late'), { code: 'ECANCELED' })
    }
    this.listeners.set(name, { servers })
    this.options.changed()
    return port
  }

  private unlisten(name: string): boolean {
    const listener = this.listeners.get(name)
    if (!listener) return false
    this.listeners.delete(name)
    for (const server of listener.servers) server.close()
    this.options.changed()
    return true
  }

  private server(endpoint: Endpoint, port: number): Server {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, socket => {
      const bound = 'path' in endpoint || endpoint.port !== 0 ? port : portOf(server)
      this.offer(socket, endpoint, bound)
    })
    server.on('error', () => {}) // The first one is what `listening` fails with.
    return server
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
    const { caller, log } = this.options
    const permitted = caller.allows('forward') && within(caller.scope(), endpoint)
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
    for await (const chunk of from.iterator({ destroyOnReturn: false }))
      await write(chunk as Uint8Array)
  } catch {
    // Cut off: its `close` ends the other side.
  }
}

const written = (socket: Socket, chunk: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(chunk, error => (error ? reject(error) : resolve()))
  })

/** Resolves to the port when it listens. */
function listening(
  server: Server,
  where: { path: string } | { host: string; port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => resolve('path' in where ? 0 : portOf(server)))
    // A Unix socket is made in the call, for our user only.
    const before = 'path' in where ? process.umask(SOCKET_UMASK) : null
    server.listen({ ...where, backlog: BACKLOG })
    if (before !== null) process.umask(before)
  })
}

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

const nameOf = (endpoint: Endpoint): string =>
  'path' in endpoint ? endpoint.path : `${endpoint.host}:${endpoint.port}`
