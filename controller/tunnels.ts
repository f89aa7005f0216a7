/**
 * Connections carried over an SSH session: to where the device reaches (-L, -D) and from where it listens
 * (-R). What listens here goes on listening while the session is made again.
 */

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { BoxError } from '../src/base/errors.ts'
import { socksRequest } from './socks.ts'
import type { SshSession } from './ssh-client.ts'

/** An address of TCP; an empty host is loopback. */
export interface TcpEnd {
  readonly host: string
  readonly port: number
}

export type Tunnel =
  | { readonly is: 'local'; readonly from: TcpEnd; readonly to: TcpEnd }
  | { readonly is: 'remote'; readonly from: TcpEnd; readonly to: TcpEnd }
  | { readonly is: 'socks'; readonly from: TcpEnd }

const LOOPBACK = '127.0.0.1'
const PORT_MAX = 0xffff

/** `[bind:]port:host:port`, as ssh(1) has it; IPv6 addresses in brackets. Throws INPUT_INVALID. */
export function parseTunnel(is: 'local' | 'remote', text: string): Tunnel {
  const parts = partsOf(text)
  if (parts.length < 3 || parts.length > 4)
    throw new BoxError('INPUT_INVALID', `"${text}" is not [bind:]port:host:port.`)
  const [toPort, toHost, fromPort, fromHost = ''] = parts.toReversed()
  const from = { host: fromHost, port: portOf(fromPort!, text) }
  return { is, from, to: { host: toHost!, port: portOf(toPort!, text) } }
}

/** `[bind:]port`. Throws INPUT_INVALID. */
export function parseSocks(text: string): Tunnel {
  const parts = partsOf(text)
  if (parts.length < 1 || parts.length > 2)
    throw new BoxError('INPUT_INVALID', `"${text}" is not [bind:]port.`)
  const [port, host = ''] = parts.toReversed()
  return { is: 'socks', from: { host, port: portOf(port!, text) } }
}

const partsOf = (text: string): string[] =>
  [...text.matchAll(/\[([^\]]*)\]|[^:[\]]+|(?<=:|^)(?=:|$)/g)].map(([all, inner]) => inner ?? all)

function portOf(text: string, whole: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= PORT_MAX) return Number(text)
  throw new BoxError('INPUT_INVALID', `"${text}" in "${whole}" is no port.`)
}

export class Tunnels {
  private readonly servers: Server[] = []
  private readonly sockets = new Set<Socket>()
  private session: SshSession | null = null

  /** Listens for a tunnel that begins here; nothing for one that begins on the device. Resolves to the port. */
  async listen(tunnel: Tunnel): Promise<number> {
    if (tunnel.is === 'remote') return tunnel.from.port
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, socket => {
      this.keep(socket)
      void this.lead(socket, tunnel).catch(() => socket.destroy())
    })
    this.servers.push(server)
    const { host, port } = tunnel.from
    return await new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new BoxError('ADDRESS_IN_USE', `${host || LOOPBACK}:${port}: ${cause.code}.`, cause),
        ),
      )
      server.listen(port, host || LOOPBACK, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : port)
      })
    })
  }

  /** Carries over this session from now on. `begins` is told each tunnel of the device with its port there. */
  async use(
    session: SshSession,
    tunnels: readonly Tunnel[],
    begins: (tunnel: Tunnel, port: number) => void,
  ): Promise<void> {
    for (const tunnel of tunnels) {
      if (tunnel.is !== 'remote') continue
      const port = await session.listen(tunnel.from.port, accept => this.fetch(accept, tunnel.to))
      begins(tunnel, port)
    }
    this.session = session
  }

  close(): void {
    for (const server of this.servers) server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => this.sockets.delete(socket))
  }

  private async lead(socket: Socket, tunnel: Tunnel & { is: 'local' | 'socks' }): Promise<void> {
    const { session } = this
    if (!session) throw new BoxError('CHANNEL_LOST')
    if (tunnel.is === 'local') {
      join(socket, await session.lead(tunnel.to.host, tunnel.to.port))
      return
    }
    const { host, port, granted, refused } = await socksRequest(socket)
    try {
      const stream = await session.lead(host, port)
      granted()
      join(socket, stream)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      refused()
    }
  }

  private fetch(accept: () => Duplex, { host, port }: TcpEnd): void {
    const socket = connect({ host: host || LOOPBACK, port, allowHalfOpen: true })
    this.keep(socket)
    const stream = accept()
    stream.on('error', () => {})
    socket.once('connect', () => join(socket, stream))
    socket.once('error', () => void stream.end())
  }
}

/** Each direction to its own end; what breaks ends both. */
function join(socket: Socket, stream: Duplex): void {
  stream.on('error', () => socket.destroy())
  stream.once('close', () => socket.destroySoon())
  socket.once('close', broken => broken && stream.destroy())
  socket.pipe(stream)
  stream.pipe(socket)
}
