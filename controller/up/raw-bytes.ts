/**
 * Bodies and answers that are bytes and nothing else: how they are taken, and how they are handed out so that no browser
 * ever shows them as a page of ours.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { arriving } from './arrival.ts'
import { attachment } from './byte-range.ts'

export const BYTES = 'application/octet-stream'
/** In the schema of a route. */
export const BYTES_BODY = { content: { [BYTES]: { schema: { description: 'Its bytes.' } } } }
/** Even what a browser shows of it against our word does nothing. */
const POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

/** In a place of its own: nowhere else may a body be anything. */
export function takingBytes(app: FastifyInstance, routes: (inner: FastifyInstance) => void): void {
  void app.register((inner, _options, ready) => {
    inner.removeAllContentTypeParsers()
    inner.addContentTypeParser(BYTES, (_request, _payload, done) => done(null, null))
    routes(inner)
    ready()
  })
}

/** Of an answer: an attachment of no type, of this name. */
export const bytesHeaders = (name: string) => ({
  'content-type': BYTES,
  'content-disposition': attachment(name),
  'content-security-policy': POLICY,
})

/** The body of a request, as it comes. That it breaks off is no failure of ours: CHANNEL_CLOSED. */
export const bodyOf = (
  request: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
): AsyncIterable<Uint8Array> => whole(arriving(request, reply, clock))

async function* whole(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw new BoxError('CHANNEL_CLOSED', undefined, cause)
  }
}
