/**
 * A small HTTP server for one page of text on this machine, such as metrics. It is meant for programs of the
 * machine itself, so it takes few connections, no bodies, and nobody's time; a page of another site that has
 * its name point here (DNS rebinding) is turned away by the Host it sends.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BoxError } from '../base/errors.ts'
import { type Address, formatAddress, isLoopback, type Listener } from '../base/stream.ts'

/** A scraper or two, and somebody who looks. */
const CONNECTIONS_MAX = 16
/** Whoever needs longer for a line on the same machine holds a place on purpose. */
const REQUEST_TIMEOUT_MS = 5_000
const IDLE_TIMEOUT_MS = 30_000
const HEADERS_SIZE_MAX = 8_192

export interface Page {
  readonly path: string
  readonly type: string
  /** Made anew for each request. */
  text(): string
}

/** Serves the page at a loopback address. Fails with ADDRESS_IN_USE, CONFIG_INVALID where it is no loopback address. */
export async function servePage(at: Address, page: Page): Promise<Listener> {
  if (!isLoopback(at.host))
    throw new BoxError('CONFIG_INVALID', `${at.host} is no address of this machine alone.`)
  const server = createServer(
    {
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 5,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      maxHeaderSize: HEADERS_SIZE_MAX,
    },
    (request, response) => answer(request, response, page),
  )
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) =>
      reject(new BoxError('ADDRESS_IN_USE', `${formatAddress(at)}: ${cause.code}.`, cause))
    server.once('error', failed)
    server.listen(at.port, at.host, () => {
      server.off('error', failed)
      server.on('error', () => {})
      resolve()
    })
  })
  const { address, port } = server.address() as AddressInfo
  return {
    local: { host: address, port },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function answer(request: IncomingMessage, response: ServerResponse, page: Page): void {
  const send = (status: number, type: string, text: string) => {
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A body would be read as the next request.
      ...(request.method === 'GET' ? {} : { connection: 'close' }),
    })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
  const plain = (status: number, text: string) =>
    send(status, 'text/plain; charset=utf-8', `${text}\n`)
  const [path] = (request.url ?? '').split('?')
  if (!isLocalHost(request.headers.host)) plain(421, 'This server has another name.')
  else if (path !== page.path) plain(404, `There is only ${page.path}.`)
  else if (request.method !== 'GET' && request.method !== 'HEAD') plain(405, 'It can only be read.')
  else send(200, page.type, page.text())
}

/** Whether a Host header names this machine by what nobody else can make a name for. */
export function isLocalHost(host: string | undefined): boolean {
  const [, v6, name] = /^(?:\[([\da-f:]+)\]|([^:]+))(?::\d{1,5})?$/i.exec(host ?? '') ?? []
  return isLoopback(v6 ?? name ?? '') || name?.toLowerCase() === 'localhost'
}
