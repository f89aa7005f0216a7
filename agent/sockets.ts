/**
 * How forwarding makes connections, and listens for them: in this process, or in one that runs as another user
 * (seat/seated-sockets.ts), since whom a Unix socket lets in, who may have a port, and which rules of a firewall
 * hold, depend on whose they are.
 *
 * As sshd does unless told otherwise (GatewayPorts no), listeners are on loopback only: what is forwarded to a
 * client is not offered to the network the device is in.
 */

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Endpoint } from '../src/box/scope.ts'

/** What one listener keeps waiting while the client is asked to take it. */
const BACKLOG = 32
/** Of the Unix sockets we make: for their user alone. */
const SOCKET_UMASK = 0o177

/** Somebody has come; nothing is read of it yet. */
export type Came = (socket: Socket, port: number) => void

export interface Listener {
  /** 0 for a Unix socket. */
  readonly port: number
  close(): void
}

export interface Sockets {
  /** Nothing is read of it yet. Fails with the error of the system, or where the signal gives it up. */
  connect(endpoint: Endpoint, signal: AbortSignal): Promise<Socket>
  /** Fails with the error of the system. */
  listen(endpoint: Endpoint, came: Came): Promise<Listener>
  /** Ends what listens; connections are whose they were given to. */
  close(): void
}

export class OwnSockets implements Sockets {
  private readonly listeners = new Set<Listener>()

  connect(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...endpoint, allowHalfOpen: true, signal })
      socket.pause()
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(socket)
      })
    })
  }

  async listen(endpoint: Endpoint, came: Came): Promise<Listener> {
    const servers =
      'path' in endpoint ? [await onPath(endpoint, came)] : await onPort(endpoint, came)
    const port = portOf(servers[0]!)
    const listener = {
      port,
      close: () => {
        this.listeners.delete(listener)
        for (const server of servers) server.close()
      },
    }
    this.listeners.add(listener)
    return listener
  }

  close(): void {
    for (const listener of this.listeners) listener.close()
  }
}

async function onPath({ path }: { path: string }, came: Came): Promise<Server> {
  const server = serverFor(came)
  await listening(server, { path })
  return server
}

async function onPort({ port: wanted }: { port: number }, came: Came): Promise<Server[]> {
  const first = serverFor(came)
  await listening(first, { host: '127.0.0.1', port: wanted })
  const second = serverFor(came)
  const both = [first, second]
  return await listening(second, { host: '::1', port: portOf(first) }).then(
    () => both,
    () => [first], // There is no IPv6 here.
  )
}

function serverFor(came: Came): Server {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, socket =>
    came(socket, portOf(server)),
  )
  server.on('error', () => {}) // The first one is what `listening` fails with.
  return server
}

/** Resolves when it listens. */
function listening(
  server: Server,
  where: { path: string } | { host: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', resolve)
    // A Unix socket is made in the call, for our user only.
    const before = 'path' in where ? process.umask(SOCKET_UMASK) : null
    try {
      server.listen({ ...where, backlog: BACKLOG })
    } finally {
      // Also where the call has thrown: all that this process makes is made with it.
      if (before !== null) process.umask(before)
    }
  })
}

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
