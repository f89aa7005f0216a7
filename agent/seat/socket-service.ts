/** Makes sockets as the user that this process has become, and hands them to the agent that asks. */

import type { Socket } from 'node:net'
import type { Listener, Sockets } from '../sockets.ts'
import type { SocketNews, SocketOrder } from './socket-words.ts'

/** The part of `process` that leads to the agent. */
export type ToAgent = Pick<NodeJS.Process, 'on' | 'exit'> & {
  send?: (news: SocketNews, socket?: Socket) => boolean
}

export function serveSockets(agent: ToAgent, sockets: Sockets): void {
  const connecting = new Map<number, AbortController>()
  const listeners = new Map<number, Listener>()
  const tell = (news: SocketNews, socket?: Socket) => {
    try {
      agent.send?.(news, socket)
    } catch {
      socket?.destroy() // The agent has gone: so does this process.
    }
  }
  const failed = (number: number) => (error: NodeJS.ErrnoException) =>
    tell({ number, is: 'failed', code: error.code ?? 'ECANCELED' })

  const take = ({ number, ...order }: SocketOrder): void => {
    if (order.do === 'end') {
      connecting.get(number)?.abort()
      listeners.get(number)?.close()
      listeners.delete(number)
      return
    }
    if (order.do === 'connect') {
      const over = new AbortController()
      connecting.set(number, over)
      sockets
        .connect(order.at, over.signal)
        .then(socket => tell({ number, is: 'connected' }, socket), failed(number))
        .finally(() => connecting.delete(number))
      return
    }
    const came = (socket: Socket, port: number) => tell({ number, is: 'came', port }, socket)
    sockets.listen(order.at, came).then(listener => {
      listeners.set(number, listener)
      tell({ number, is: 'listening', port: listener.port })
    }, failed(number))
  }

  agent.on('message', message => take(message as SocketOrder))
  agent.on('disconnect', () => agent.exit(0))
}
