/**
 * Terminals of the page: a WebSocket each, on `/v1/devices/NAME/terminal`, joined to a shell as `box ssh` opens it.
 * A socket that breaks off leaves the shell to the device, which keeps it (src/box/kept-shells.ts); whoever comes
 * back says which one it was. docs/api.md has what is said in both directions.
 */

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { type WebSocket, WebSocketServer } from 'ws'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { type Admission, admit, refusal } from './access.ts'
import { TerminalTalk } from './terminal-talk.ts'

const PATH = /^\/v1\/devices\/([^/?#]{1,255})\/terminal$/
/** What the page speaks. The key of the session is offered beside it: a browser sets no header here. */
const PROTOCOL = 'box-terminal'
/** What is pasted comes in pieces of this size. */
const MESSAGE_SIZE_MAX = 65_536
/** Each holds a connection to a device. */
const TERMINALS_MAX = 32

export function terminalSockets(
  app: FastifyInstance,
  context: Context,
  admission: Admission,
): void {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_SIZE_MAX,
    perMessageDeflate: false,
    handleProtocols: () => PROTOCOL,
  })
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {})
    try {
      const { device, ended } = admitted(request, context, admission, server.clients.size)
      server.handleUpgrade(request, socket, head, webSocket => {
        const end = () => webSocket.terminate()
        ended?.addEventListener('abort', end, { once: true })
        webSocket.once('close', () => ended?.removeEventListener('abort', end))
        begin(webSocket, context, device)
      })
    } catch (error) {
      refuse(socket, error)
    }
  })
  app.addHook('preClose', async () => {
    for (const one of server.clients) one.terminate()
  })
}

function admitted(request: IncomingMessage, context: Context, admission: Admission, open: number) {
  const offered = `${request.headers['sec-websocket-protocol'] ?? ''}`.split(/, */)
  const key = offered.find(one => one !== PROTOCOL) ?? ''
  const may = admit(request, admission, key)
  if (typeof may === 'string') throw refusal(may)
  // A page of another site may open sockets here, and sends our cookie along.
  if (may.session && request.headers.origin === undefined) throw refusal('origin')
  const [, name] = PATH.exec(request.url ?? '') ?? []
  if (name === undefined || !offered.includes(PROTOCOL)) throw failing(404, 'It has no such path.')
  if (open >= TERMINALS_MAX) throw failing(503, 'Too many terminals are open already.')
  return { device: context.fleet.device(unescaped(name)), ended: may.session?.signal }
}

const failing = (statusCode: number, why: string) =>
  Object.assign(new BoxError('API_REFUSED', why), { statusCode })

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch (cause) {
    throw new BoxError('NAME_INVALID', undefined, cause)
  }
}

function refuse(socket: Duplex, error: unknown): void {
  if (!(error instanceof BoxError)) throw error
  const { statusCode = 404 } = error as BoxError & { readonly statusCode?: number }
  socket.end(`HTTP/1.1 ${statusCode} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

function begin(
  socket: WebSocket,
  context: Context,
  device: ReturnType<Context['fleet']['device']>,
): void {
  const talk = new TerminalTalk(context, device, {
    output: bytes => socket.send(bytes),
    say: value => socket.send(JSON.stringify(value)),
    close: () => socket.close(),
  })
  socket.on('error', () => {})
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) talk.typed(new Uint8Array(data))
    else talk.told(data.toString())
  })
  socket.once('close', () => talk.gone())
}
