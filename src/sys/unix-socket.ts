/**
 * Streams over a Unix socket: how the programs of one machine talk to a running agent. Who may
 * connect is decided by the file system: only the owner of the socket file, mode 0600.
 */

import { closeSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import { BoxError } from '../base/errors.ts'
import type { Stream, StreamEvents } from '../base/stream.ts'
import { acceptedStream, BACKLOG_BYTES, dialledStream } from './socket-stream.ts'

/** unix(7): sun_path has 108 bytes, one of them for the end. */
const PATH_BYTES_MAX = 107
/** Programs of one person on one machine. */
const CONNECTIONS_MAX = 64
const OWNER_ONLY = 0o177

export interface UnixListener {
  readonly path: string
  /** Accepts no more, and removes the socket file. */
  close(): void
}

/** Connects; every failure comes as `closed`. The stream's address is the path, with port 0. */
export function dialUnix(path: string, events: StreamEvents): Stream {
  const address = { host: path, port: 0 }
  let release = () => {}
  const open = (socket: Socket) => {
    const way = reachable(path)
    release = way.release
    socket.connect({ path: way.short })
  }
  const stream = dialledStream(open, address, () => address, events)
  release()
  return stream
}

/**
 * Accepts connections at `path`, taking over the socket of a process that is gone.
 * Throws BoxError ADDRESS_IN_USE where somebody answers there, or where the path cannot be used.
 */
export async function listenUnix(
  path: string,
  accept: (stream: Stream) => StreamEvents,
  { connectionsMax = CONNECTIONS_MAX } = {},
): Promise<UnixListener> {
  if (await answersUnix(path)) throw new BoxError('ADDRESS_IN_USE', path)
  const address = { host: path, port: 0 }
  const server = createServer({ highWaterMark: BACKLOG_BYTES }, socket =>
    acceptedStream(socket, address, address, accept),
  )
  server.maxConnections = connectionsMax
  try {
    removeSocket(path)
    await started(server, path)
  } catch (cause) {
    throw new BoxError('ADDRESS_IN_USE', `${path}: ${reasonOf(cause)}.`, cause)
  }
  server.on('error', () => {})
  return { path, close: () => void server.close() }
}

/** Removes what a process left behind that did not close; anything but a socket stays, and is in the way. */
function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path)
}

const reasonOf = (cause: unknown): string =>
  (cause as NodeJS.ErrnoException).code ?? (cause as Error).message

/** Whether somebody listens at the path now. */
export function answersUnix(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const stream = dialUnix(path, {
      opened: () => {
        resolve(true)
        stream.close()
      },
      received: () => {},
      drained: () => {},
      closed: () => resolve(false),
    })
  })
}

/** Listens; the server removes the socket file when it is closed. */
function started(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { short, release } = reachable(path)
    server.once('close', release)
    server.once('error', error => {
      release()
      reject(error)
    })
    // The file is made within this call: nobody else can connect at any moment.
    const before = process.umask(OWNER_ONLY)
    try {
      server.listen({ path: short }, () => {
        server.removeAllListeners('error')
        resolve()
      })
    } finally {
      process.umask(before)
    }
  })
}

/** A name of the path that fits the kernel's limit: a long directory is named by its descriptor. */
function reachable(path: string): { short: string; release: () => void } {
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return { short: path, release: () => {} }
  const directory = openSync(dirname(path), 'r')
  return {
    short: `/proc/self/fd/${directory}/${basename(path)}`,
    release: () => closeSync(directory),
  }
}
