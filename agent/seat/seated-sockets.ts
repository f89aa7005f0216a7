/**
 * Sockets of another user: a process that runs as that user makes them and hands them over, connected, so that their
 * bytes go no other way than those of our own. It is started with the first one.
 */

import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Endpoint } from '../../src/box/scope.ts'
import type { Identity } from '../environment.ts'
import type { Came, Listener, Sockets } from '../sockets.ts'
import { startSeat } from './seat.ts'
import type { SocketNews, SocketOrder } from './socket-words.ts'

interface Asked {
  readonly heard: (news: SocketNews, socket: Socket | undefined) => void
  readonly lost: (error: NodeJS.ErrnoException) => void
}

export class SeatedSockets implements Sockets {
  private readonly identity: Identity
  private readonly asked = new Map<number, Asked>()
  private seat: ChildProcess | null = null
  private last = 0
  private isClosed = false

  constructor(identity: Identity) {
    this.identity = identity
  }

  connect(at: Endpoint, signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const number = ++this.last
      const end = () => {
        over()
        this.tell({ number, do: 'end' })
        // It may have lost the connection on its way here, or stand still: it is not waited for.
        reject(errorOf('ETIMEDOUT'))
      }
      const over = () => {
        signal.removeEventListener('abort', end)
        this.asked.delete(number)
      }
      signal.addEventListener('abort', end, { once: true })
      this.ask(
        { number, do: 'connect', at },
        {
          heard: (news, socket) => {
            over()
            if (news.is === 'connected' && socket) resolve(socket)
            else reject(failure(news))
          },
          lost: error => {
            over()
            reject(error)
          },
        },
      )
    })
  }

  listen(at: Endpoint, came: Came): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const number = ++this.last
      const close = () => {
        this.asked.delete(number)
        this.tell({ number, do: 'end' })
      }
      this.ask(
        { number, do: 'listen', at },
        {
          heard: (news, socket) => {
            if (news.is === 'came' && socket) came(socket, news.port)
            else if (news.is === 'listening') resolve({ port: news.port, close })
            else {
              this.asked.delete(number)
              reject(failure(news))
            }
          },
          lost: error => {
            this.asked.delete(number)
            reject(error)
          },
        },
      )
    })
  }

  close(): void {
    this.isClosed = true
    if (this.seat?.connected) this.seat.disconnect()
    this.lose()
  }

  private ask(order: SocketOrder, asked: Asked): void {
    this.asked.set(order.number, asked)
    if (this.isClosed) this.lose()
    else this.tell(order)
  }

  private tell(order: SocketOrder): void {
    // What it had has ended with it.
    if (this.isClosed || (order.do === 'end' && !this.seat)) return
    try {
      this.seat ??= this.start()
      // Without descriptors Node makes none of the functions for that; its error comes.
      this.seat.send?.(order, error => error && this.lose())
    } catch {
      queueMicrotask(() => this.lose())
    }
  }

  private start(): ChildProcess {
    const seat = startSeat({ do: 'sockets', identity: this.identity }, [
      ...(['ignore', 'ignore', 'ignore', 'ipc'] as const),
    ])
    seat.on('message', (news, socket) =>
      this.hear(news as SocketNews, socket as Socket | undefined),
    )
    const gone = () => {
      if (this.seat === seat) this.seat = null
      this.lose()
    }
    seat.once('error', gone)
    seat.once('exit', gone)
    return seat
  }

  private hear(news: SocketNews, socket: Socket | undefined): void {
    if (socket) {
      socket.allowHalfOpen = true
      socket.on('error', () => {}) // Followed by its `close`.
    }
    const asked = this.asked.get(news.number)
    if (asked) asked.heard(news, socket)
    else socket?.destroy()
  }

  /** What was asked for does not come any more; listeners have gone with the process. */
  private lose(): void {
    const all = [...this.asked.values()]
    this.asked.clear()
    for (const { lost } of all) lost(errorOf('ECONNABORTED'))
  }
}

const failure = (news: SocketNews): NodeJS.ErrnoException =>
  errorOf(news.is === 'failed' ? news.code : 'ECONNABORTED')

const errorOf = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code })
