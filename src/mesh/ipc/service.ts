/**
 * A connection to one service of the daemon, for as long as it is wanted: made again with growing pauses
 * when it is lost, and told apart as it goes: whoever uses it says everything anew at `up`.
 *
 * GNUnet answers a message it does not like by closing the connection, and says nothing; a service that
 * crashed is started again by ARM at the next connection. Both look the same here.
 */

import type { Clock, Timer } from '../../base/clock.ts'
import type { Counters } from '../../base/counters.ts'
import { BoxError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Stream, StreamEvents } from '../../base/stream.ts'
import { messageType } from '../../wire/dispatch.ts'
import { MessageSplitter } from '../../wire/framing.ts'
import { WireError } from '../../wire/layout.ts'

/** Dials a Unix socket; every failure comes as `closed`. */
export type DialService = (path: string, events: StreamEvents) => Stream

/** The first new try comes at once: ARM keeps listening while a service is restarted. */
const RETRY_MIN_MS = 50
/** A daemon that comes back is found within this time; a process that waits costs nothing. */
const RETRY_MAX_MS = 5_000
/** A connection that stood so long was good: the pauses begin anew. */
const SETTLED_MS = 10_000
/** REQUEST_AGPL: its handler overflows the heap of every service. */
const TYPE_DEADLY = 1

export interface ServicePorts {
  readonly clock: Clock
  readonly log: Log
  readonly counters: Counters
  readonly dial: DialService
}

export interface ServiceEvents {
  /** The connection stands. */
  up(): void
  /** One whole message, a view. May throw WireError: the connection is then made anew. */
  received(type: number, raw: Uint8Array): void
  /** What was written has left. */
  drained?(): void
  /** It was lost, or could not be made; the next try follows by itself. Never after `close`. */
  down(reason: BoxError): void
}

export class Service {
  readonly name: string
  readonly path: string
  private readonly ports: ServicePorts
  private readonly events: ServiceEvents
  private stream: Stream | null = null
  private isUp = false
  private upAt = 0
  private pauseMs = RETRY_MIN_MS
  private timer: Timer | null = null
  private closed = false
  /** Why it does not stand now; null while it does. */
  private lastReason: BoxError | null = null

  constructor(name: string, path: string, ports: ServicePorts, events: ServiceEvents) {
    this.name = name
    this.path = path
    this.ports = ports
    this.events = events
  }

  open(): void {
    if (!this.stream && !this.timer) this.dial()
  }

  get standing(): boolean {
    return this.isUp
  }

  get trouble(): BoxError | null {
    return this.lastReason
  }

  /** Says something, or nothing while the connection is down. False: wait for `drained`. */
  send(raw: Uint8Array): boolean {
    if (messageType(raw) === TYPE_DEADLY) throw new Error('a service must never be sent type 1')
    return this.isUp && this.stream ? this.stream.write(raw) : true
  }

  pause(): void {
    this.stream?.pause()
  }

  resume(): void {
    this.stream?.resume()
  }

  /** Gives this connection up and makes another: the service has stopped making sense. */
  renew(reason: BoxError): void {
    const { stream } = this
    if (!stream || this.closed) return
    this.stream = null
    stream.close()
    this.lost(reason)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.isUp = false
    this.timer?.cancel()
    this.stream?.close()
    this.stream = null
  }

  private dial(): void {
    const splitter = new MessageSplitter()
    const current = (): boolean => this.stream === stream && !this.closed
    const stream: Stream = this.ports.dial(this.path, {
      opened: () => {
        if (!current()) return
        this.isUp = true
        this.upAt = this.ports.clock.elapsed()
        this.lastReason = null
        this.events.up()
      },
      received: chunk => {
        if (current()) this.take(splitter, chunk, current)
      },
      drained: () => {
        if (current()) this.events.drained?.()
      },
      closed: error => {
        if (!current()) return
        this.stream = null
        this.lost(serviceFailure(this.name, this.path, error))
      },
    })
    this.stream = stream
  }

  /** One message after the other, as long as the connection is this one. */
  private take(splitter: MessageSplitter, chunk: Uint8Array, current: () => boolean): void {
    try {
      for (const raw of splitter.push(chunk)) {
        if (!current()) return
        this.events.received(messageType(raw), raw)
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.ports.counters.add(`ipc.malformed.${this.name}`)
      this.renew(new BoxError('WIRE_MALFORMED', `${this.name} at ${this.path}.`, error))
    }
  }

  private lost(reason: BoxError): void {
    const { clock, log, counters } = this.ports
    const stood = this.isUp && clock.elapsed() - this.upAt >= SETTLED_MS
    if (this.isUp || !this.lastReason)
      log.note('warn', 'ipc', 'service lost', { service: this.name, code: reason.code })
    counters.add(`ipc.lost.${this.name}`)
    this.isUp = false
    this.lastReason = reason
    if (stood) this.pauseMs = RETRY_MIN_MS
    this.timer = clock.after(this.pauseMs, () => {
      this.timer = null
      this.dial()
    })
    this.pauseMs = Math.min(this.pauseMs * 2, RETRY_MAX_MS)
    this.events.down(reason)
  }
}

/** What a socket's failure means for whoever installed GNUnet. */
export function serviceFailure(name: string, path: string, error: Error | null): BoxError {
  const cause = error instanceof BoxError ? (error.cause ?? error) : error
  switch ((cause as { readonly code?: unknown } | null)?.code) {
    case 'EACCES':
    case 'EPERM':
      return new BoxError('GNUNET_FORBIDDEN', `The socket is ${path}.`, error)
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return new BoxError('GNUNET_ABSENT', `Nobody listens at ${path}.`, error)
    case 'ENOTSOCK':
    case 'EPROTOTYPE':
      return new BoxError('GNUNET_ABSENT', `${path} is no socket of a daemon.`, error)
    default:
      return new BoxError('GNUNET_SILENT', `${name} at ${path} hung up.`, error)
  }
}
