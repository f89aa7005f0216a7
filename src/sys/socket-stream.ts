/**
 * A Node socket as a Stream: the one place where bytes enter and leave the process, for TCP and for
 * Unix sockets alike. What is written in one turn of the event loop leaves in one system call.
 */

import { Socket, type SocketConstructorOpts } from 'node:net'
import { BoxError } from '../base/errors.ts'
import { type Address, formatAddress, type Stream, type StreamEvents } from '../base/stream.ts'

/**
 * With more than this not yet given to the kernel, `write` asks to wait. As much as the largest
 * messages of a few channels: enough to keep a fast line busy, little beside the kernel's own buffer.
 */
export const BACKLOG_BYTES = 256 * 1_024
/** What is read at once. */
const READ_BYTES = 64 * 1_024
/** How long a connection may take to come about. A SYN lost twice is repeated within this time. */
export const CONNECT_TIMEOUT_MS = 10_000
/** How long the other side may take to read the rest and to end its direction. */
export const CLOSE_GRACE_MS = 5_000

/** Where a stream is that does not stand yet. */
const NOWHERE: Address = { host: '', port: 0 }
const OPTIONS: SocketConstructorOpts & { writableHighWaterMark: number } = {
  allowHalfOpen: false,
  writableHighWaterMark: BACKLOG_BYTES,
}

/** Wraps a socket that is connected already. */
export function acceptedStream(
  socket: Socket,
  local: Address,
  remote: Address,
  accept: (stream: Stream) => StreamEvents,
): void {
  const stream = new SocketStream(socket, remote, local)
  stream.attach(accept(stream))
}

/**
 * Connects by `open`; every failure comes as `closed`, even what `open` throws. `locate` reads the
 * local address once there is one.
 */
export function dialledStream(
  open: (socket: Socket) => void,
  remote: Address,
  locate: (socket: Socket) => Address,
  events: StreamEvents,
): Stream {
  const socket = new Socket({
    ...OPTIONS,
    onread: readingInto(read => {
      stream.received(read)
      // Whoever pauses before there is a connection is not asked else.
      return !socket.isPaused()
    }),
  } as SocketConstructorOpts)
  const stream = new SocketStream(socket, remote, null)
  stream.attach(events)
  const timer = setTimeout(
    () => socket.destroy(new BoxError('PEER_TIMEOUT', name(remote))),
    CONNECT_TIMEOUT_MS,
  )
  socket.once('close', () => clearTimeout(timer))
  socket.once('connect', () => {
    clearTimeout(timer)
    stream.connected(locate(socket))
  })
  try {
    open(socket)
  } catch (cause) {
    socket.destroy(cause as Error)
  }
  return stream
}

/** Reads into one buffer. Node takes 64 KiB for each piece else, mostly to give them back at once: the heap grew by megabytes. `received` says whether to go on. */
const readingInto = (received: (chunk: Uint8Array) => boolean) => ({
  buffer: new Uint8Array(READ_BYTES),
  callback: (size: number, buffer: Uint8Array): boolean => received(buffer.slice(0, size)),
})

class SocketStream implements Stream {
  local: Address
  readonly remote: Address
  private readonly socket: Socket
  private events: StreamEvents | null = null
  private isOpen: boolean
  private isClosing = false
  private isCorked = false
  private grace: NodeJS.Timeout | null = null

  constructor(socket: Socket, remote: Address, local: Address | null) {
    this.socket = socket
    this.remote = remote
    this.local = local ?? NOWHERE
    this.isOpen = local !== null
  }

  attach(events: StreamEvents): void {
    const { socket } = this
    let failure: Error | null = null
    this.events = events
    socket.setNoDelay(true)
    // Plain bytes: a Buffer's slice() would be a view where the rest of the program expects a copy.
    socket.on('data', (chunk: Buffer) =>
      this.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)),
    )
    socket.on('drain', () => {
      if (!this.isClosing) events.drained()
    })
    socket.on('end', () => this.endWithin(CLOSE_GRACE_MS))
    socket.on('error', error => {
      failure = error
    })
    socket.on('close', () => {
      if (this.grace) clearTimeout(this.grace)
      events.closed(failure === null || this.isClosing ? null : this.describe(failure))
    })
  }

  connected(local: Address): void {
    this.local = local
    this.isOpen = true
    if (!this.isClosing) this.events?.opened()
  }

  write(bytes: Uint8Array): boolean {
    const { socket } = this
    if (this.isClosing || socket.destroyed) return true
    if (!this.isCorked) {
      this.isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.isCorked = false
        socket.uncork()
      })
    }
    return socket.write(bytes)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  close(): void {
    const { socket } = this
    if (this.isClosing) return
    this.isClosing = true
    if (!this.isOpen) {
      socket.destroy()
      return
    }
    socket.end()
    // What still comes in is read and thrown away, for the end of it comes after it.
    socket.resume()
    this.endWithin(CLOSE_GRACE_MS)
  }

  private endWithin(ms: number): void {
    this.grace ??= setTimeout(() => this.socket.destroy(), ms)
  }

  received(chunk: Uint8Array): void {
    if (!this.isClosing) this.events?.received(chunk)
  }

  private describe(failure: Error): BoxError {
    if (failure instanceof BoxError) return failure
    const reason = (failure as NodeJS.ErrnoException).code ?? failure.message
    const code = this.isOpen ? 'CHANNEL_LOST' : 'PEER_UNREACHABLE'
    return new BoxError(code, `${name(this.remote)}: ${reason}.`, failure)
  }
}

const name = (remote: Address): string => (remote.port === 0 ? remote.host : formatAddress(remote))
