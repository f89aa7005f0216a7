/** The page as a browser gets it: its files, by exact name and nothing else, and logging in and out. */

import type { FastifyInstance } from 'fastify'
import { sha256 } from '../../src/crypto/hash.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { cookieName, endWith, SESSION_PATH } from './access.ts'
import { eventText } from './fleet-news.ts'
import type { FleetTexts } from './fleet-texts.ts'
import type { PageFile } from './page-files.ts'
import { about, ERROR_ANSWERS, LOGIN, LOGIN_LINK, options } from './schemas.ts'
import { SESSION_LASTS_MS, type Session, type Sessions } from './sessions.ts'
import type { TellAll } from './streams.ts'

export type PageFiles = ReadonlyMap<string, PageFile>

const FRONT = 'index.html'
/** Another content has another name (deploy/page.ts): it need not be asked for again. */
const HASHED = /^part-[0-9A-Z]{8}\.js$/
/** Nothing from elsewhere, nothing inline; the page is in no frame. */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

export const pagePaths = (files: PageFiles): readonly string[] =>
  [...files.keys()].flatMap(name => (name === FRONT ? ['/', `/${name}`] : [`/${name}`]))

interface Parts {
  readonly sessions: Sessions
  readonly texts: FleetTexts
  readonly tellAll: TellAll
}

export function pageRoutes(app: FastifyInstance, files: PageFiles, parts: Parts): void {
  for (const [name, file] of files) {
    serve(app, `/${name}`, name, file)
    if (name === FRONT) serve(app, '/', name, file)
  }
  loginRoutes(app, parts)
}

function serve(app: FastifyInstance, path: string, name: string, { type, text }: PageFile): void {
  const etag = `"${encodeBase32(sha256(new TextEncoder().encode(text))).slice(0, 26)}"`
  app.get(path, { schema: { hide: true } }, async (request, reply) => {
    void reply.headers({
      'cache-control': HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy': POLICY,
      'content-type': type,
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=()',
      etag,
    })
    if (request.headers['if-none-match'] !== etag) return reply.send(text)
    return reply.code(304).send()
  })
}

function loginRoutes(app: FastifyInstance, { sessions, texts, tellAll }: Parts): void {
  app.post(
    '/v1/login-links',
    {
      schema: about({
        summary: 'An address that opens the page, logged in: good once, for a minute',
        answer: LOGIN_LINK,
      }),
    },
    async (request, reply) => {
      // Until the browser is there, there is time to write down what its page asks for first.
      reply.raw.once('finish', () => void texts.by(reply).all())
      const { code, expiresAt } = sessions.invite()
      // Behind the #: browsers do not send that, so no log has it.
      const url = `http://${request.headers.host}/#login=${code}`
      return { url, expires_at: new Date(expiresAt).toISOString() }
    },
  )
  const code = { type: 'string', minLength: 1, maxLength: 128 }
  app.post<{ Body: { code: string; follow?: boolean } }>(
    SESSION_PATH,
    {
      schema: {
        ...{ hide: true, body: options({ code, follow: { type: 'boolean' } }, ['code']) },
        response: { 200: LOGIN, ...ERROR_ANSWERS },
      },
    },
    async ({ raw, body }, reply) => {
      const begin = () => {
        const session = sessions.redeem(body.code)
        const lasts = `Max-Age=${SESSION_LASTS_MS / 1_000}`
        const cookie = `${cookieName(raw)}=${session.cookie}`
        void reply.header('set-cookie', `${cookie}; ${ATTRIBUTES}; ${lasts}`)
        return session
      }
      // What the page asks for next comes along: one way there and back less until something is shown.
      const first = () => {
        const session = begin()
        endWith(session, reply.raw)
        return eventText('session', told(session))
      }
      if (body.follow && tellAll(reply, first)) return reply
      return told(begin())
    },
  )
  app.delete(SESSION_PATH, { schema: { hide: true } }, async (request, reply) => {
    void reply.header('set-cookie', `${cookieName(request.raw)}=; ${ATTRIBUTES}; Max-Age=0`)
    const { session } = request
    // Once it is answered: what goes on in the session is cut off, and this is part of it.
    reply.raw.once('close', () => session && sessions.end(session))
    return reply.code(204).send()
  })
}

const told = ({ key, expiresAt }: Session) => ({
  ...{ key, expires_at: new Date(expiresAt).toISOString() },
})

const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict'
