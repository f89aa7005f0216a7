/**
 * Who may ask the local API: whoever has the token, on this machine, and not by way of another site.
 *
 * A page of another site can have a browser send requests here. It does not know the token; besides, a name of
 * its own that leads here is not ours (Host), and a request that says it comes from elsewhere is refused.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { isLocalHost } from '../../src/sys/http-server.ts'
import { isToken } from './token.ts'

/** Tells nothing about anybody: what the API looks like. */
const OPEN_PATHS = ['/openapi.json']
const BEARER = /^Bearer ([0-9A-Za-z]{1,128})$/

/** Refuses the others before anything of the request is read. */
export function admitOnly(app: FastifyInstance, token: string): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    const wrong = faultOf(request, token)
    if (!wrong) return
    if (wrong === 'token') void reply.header('www-authenticate', 'Bearer')
    throw Object.assign(new BoxError('API_REFUSED', REASONS[wrong]), {
      statusCode: wrong === 'token' ? 401 : wrong === 'host' ? 421 : 403,
    })
  })
}

const REASONS = {
  host: 'It is asked for by a name that is not this machine’s.',
  origin: 'It comes from a page of another site.',
  token: 'Its token is missing, or wrong: see box up --help.',
} as const

function faultOf(request: FastifyRequest, token: string): keyof typeof REASONS | null {
  const { host, origin, authorization, 'sec-fetch-site': site } = request.headers
  if (!isLocalHost(host)) return 'host'
  if (origin !== undefined && origin !== `http://${host}`) return 'origin'
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'origin'
  if (OPEN_PATHS.includes(request.url)) return null
  const [, given] = BEARER.exec(authorization ?? '') ?? []
  return given !== undefined && isToken(given, token) ? null : 'token'
}
