/**
 * Who may ask the local API: whoever has the token, or a session of the page, on this machine, and not by way of
 * another site.
 *
 * A page of another site can have a browser send requests here. It knows neither the token nor the key of a session;
 * besides, a name of its own that leads here is not ours (Host), and a request that says it comes from elsewhere is
 * refused. What changes something has to say where it comes from.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { isLocalHost } from '../../src/sys/http-server.ts'
import type { Session, Sessions } from './sessions.ts'
import { isToken } from './token.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose it is; null of one who has the token, or needs none. */
    session: Session | null
  }
}

const BEARER = /^Bearer ([0-9A-Za-z]{1,128})$/
/** Where the page sends the key of its session; no other site can have a browser send it. */
export const KEY_HEADER = 'x-box-key'
/** Where a code is exchanged for a session: for whoever has a code. */
export const SESSION_PATH = '/session'
const READS = ['GET', 'HEAD']

export interface Admission {
  readonly token: string
  readonly sessions: Sessions
  /** What tells nothing about anybody: how the API looks, the files of the page. */
  readonly openPaths: ReadonlySet<string>
}

/** Refuses the others before anything of the request is read. */
export function admitOnly(app: FastifyInstance, admission: Admission): void {
  app.decorateRequest('session', null)
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    const admitted = admit(request.raw, admission)
    if (typeof admitted === 'string') {
      if (admitted === 'token') void reply.header('www-authenticate', 'Bearer')
      throw refusal(admitted)
    }
    const { session } = admitted
    request.session = session
    if (session) endWith(session, reply.raw)
  })
}

/** What is under way ends with the session: events, too. */
export function endWith({ signal }: Session, raw: ServerResponse): void {
  const cut = () => void raw.destroy()
  signal.addEventListener('abort', cut, { once: true })
  raw.once('close', () => signal.removeEventListener('abort', cut))
}

const REASONS = {
  host: [421, 'It is asked for by a name that is not this machine’s.'],
  origin: [403, 'It comes from a page of another site, or does not say from where.'],
  token: [401, 'Its token is missing, or wrong: see box up --help.'],
  session: [401, 'You are not logged in, or not any more: run box dashboard.'],
} as const

export type Refusal = keyof typeof REASONS

export const refusal = (why: Refusal): BoxError & { readonly statusCode: number } =>
  Object.assign(new BoxError('API_REFUSED', REASONS[why][1]), { statusCode: REASONS[why][0] })

/** Why not, or whose session it is; null of one who has the token, or needs none. */
export function admit(
  request: IncomingMessage,
  { token, sessions, openPaths }: Admission,
  key = `${request.headers[KEY_HEADER] ?? ''}`,
): Refusal | { readonly session: Session | null } {
  const { host, origin, authorization, 'sec-fetch-site': site } = request.headers
  if (!isLocalHost(host)) return 'host'
  if (origin !== undefined && origin !== `http://${host}`) return 'origin'
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'origin'
  const { method = '', url: path = '' } = request
  const reads = READS.includes(method)
  if (reads && openPaths.has(path)) return { session: null }
  if (method === 'POST' && path === SESSION_PATH)
    return origin === undefined ? 'origin' : { session: null }
  if (authorization !== undefined) {
    const [, given] = BEARER.exec(authorization) ?? []
    return given !== undefined && isToken(given, token) ? { session: null } : 'token'
  }
  const cookie = cookieOf(request)
  if (cookie === null) return 'token'
  const session = sessions.find(cookie, key)
  if (!session) return 'session'
  // A browser says it with everything but plain reading.
  return reads || origin !== undefined ? { session } : 'origin'
}

/** Its name has the port: cookies do not tell one port from another, and several `box up` may run. */
export const cookieName = ({ headers: { host = '' } }: IncomingMessage): string =>
  `box-${/:(\d+)$/.exec(host)?.[1] ?? 80}`

function cookieOf(request: IncomingMessage): string | null {
  const wanted = `${cookieName(request)}=`
  const found = request.headers.cookie?.split('; ').find(one => one.startsWith(wanted))
  return found?.slice(wanted.length) ?? null
}
