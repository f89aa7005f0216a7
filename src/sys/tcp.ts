/** TCP over IPv4 and IPv6 as the Network of src/base/stream.ts. */

import { createServer, isIP, type LookupFunction, type Server, type Socket } from 'node:net'
import { BoxError } from '../base/errors.ts'
import {
  type Address,
  formatAddress,
  type Listener,
  type Network,
  type Stream,
  type StreamEvents,
} from '../base/stream.ts'
import { acceptedStream, BACKLOG_BYTES, dialledStream } from './socket-stream.ts'

/** A router's file descriptors are 1,024; what is beyond half of them is turned away at once. */
const CONNECTIONS_MAX = 512
const MAPPED_PREFIX = '::ffff:'

export const tcpNetwork: Network = { dial, listen }

function dial(to: Address, events: StreamEvents): Stream {
  const { host, port } = to
  const open = (socket: Socket) => void socket.connect({ host, port, lookup: noLookup })
  return dialledStream(open, to, localAddress, events)
}

/** Asked where the host is no literal: a name would be looked up by somebody we do not trust. */
const noLookup: LookupFunction = (host, _options, done) =>
  done(new Error(`${host} is no IP address`), '')

async function listen(at: Address, accept: (stream: Stream) => StreamEvents): Promise<Listener> {
  try {
    return await listenAt(at, accept)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    // A kernel without IPv6 has no `::`; all its addresses are IPv4.
    if (at.host === '::' && code === 'EAFNOSUPPORT')
      return listen({ ...at, host: '0.0.0.0' }, accept)
    const reason = code ?? (cause as Error).message
    throw new BoxError('ADDRESS_IN_USE', `${formatAddress(at)}: ${reason}.`, cause)
  }
}

async function listenAt(at: Address, accept: (stream: Stream) => StreamEvents): Promise<Listener> {
  const server = createServer({ highWaterMark: BACKLOG_BYTES }, socket =>
    acceptedStream(socket, localAddress(socket), remoteAddress(socket), accept),
  )
  server.maxConnections = CONNECTIONS_MAX
  await started(server, at)
  const bound = server.address() as { address: string; port: number }
  return { local: { host: bound.address, port: bound.port }, close: () => void server.close() }
}

function started(server: Server, at: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(at.port, at.host, () => {
      server.off('error', reject)
      // Accepting fails where descriptors run out: the kernel keeps the caller waiting, and so may we.
      server.on('error', () => {})
      resolve()
    })
  })
}

const localAddress = (socket: Socket): Address => ({
  host: plain(socket.localAddress),
  port: socket.localPort ?? 0,
})

const remoteAddress = (socket: Socket): Address => ({
  host: plain(socket.remoteAddress),
  port: socket.remotePort ?? 0,
})

/** An IPv4 address seen through an IPv6 socket, as IPv4 again; empty where the socket is gone already. */
const plain = (host: string | undefined): string =>
  host?.startsWith(MAPPED_PREFIX) && isIP(host.slice(MAPPED_PREFIX.length)) === 4
    ? host.slice(MAPPED_PREFIX.length)
    : (host ?? '')
