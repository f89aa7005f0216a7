/**
 * Routes about the files that people hand out: which were offered, offering one, fetching one, taking back. What is offered
 * is sent here as bytes; no path of this machine is taken from anybody who asks.
 */

import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { offerId } from '../../src/social/file-offer.ts'
import type { Context } from '../context.ts'
import { toldOfFiles } from './device-sftp.ts'
import { OfferDesk, type OfferParts, type Target } from './offer-desk.ts'
import { OFFERED, OFFERS, TAKEN_BACK } from './offer-schemas.ts'
import { BYTES, BYTES_BODY, bodyOf, bytesHeaders, takingBytes } from './raw-bytes.ts'
import { about, aboutOne, ERROR_ANSWERS, options, streamed } from './schemas.ts'
import { whileRead } from './streams.ts'

/** As long as a browser has it; what is offered has a shorter one. */
const NAME_MAX = 1_024
const TIMEOUT_S = 30
/** As people type it: the beginning is enough. */
const ID = { type: 'string', pattern: '^[0-9a-zA-Z]{4,16}$' }
const ONE = { params: options({ id: ID }, ['id']) }

type Named = { Params: { name: string }; Querystring: { name: string } }
type One = { Params: { id: string } }
type Fetched = One & { Querystring: { timeout_s?: string } }

export function offerRoutes(app: FastifyInstance, context: Context, parts: OfferParts): void {
  const desk = new OfferDesk(context, parts)
  app.get(
    '/v1/files',
    { schema: about({ summary: 'What was offered to you and by you', answer: OFFERS }) },
    async () => ({ files: await desk.list() }),
  )
  takingBytes(app, inner => {
    offerRoute(inner, context, desk, 'contacts', name => desk.contactFor(name))
    offerRoute(inner, context, desk, 'rooms', name => desk.roomFor(name))
  })
  fetchRoute(app, context, desk)
  app.delete<One>(
    '/v1/files/:id',
    {
      schema: {
        ...ONE,
        ...about({
          summary:
            'Hands a file out no longer; what was sent here for that, lies with a relay, or was fetched to be asked for again, is deleted',
          answer: TAKEN_BACK,
        }),
      },
    },
    async ({ params }) => {
      const { offer, isAtRelay } = await desk.forget(params.id)
      return { file: offerId(offer), name: offer.name, at_relay: isAtRelay }
    },
  )
}

function offerRoute(
  app: FastifyInstance,
  context: Context,
  desk: OfferDesk,
  whose: 'contacts' | 'rooms',
  targetFor: (name: string) => Target,
): void {
  const name = { type: 'string', minLength: 1, maxLength: NAME_MAX }
  app.post<Named>(
    `/v1/${whose}/:name/files`,
    {
      schema: {
        ...aboutOne({
          summary:
            whose === 'contacts'
              ? 'Offers a file to a contact, who fetches it from here'
              : 'Offers a file to whoever is in a room',
          querystring: options({ name }, ['name']),
          answer: OFFERED,
        }),
        body: BYTES_BODY,
      },
    },
    async (request, reply) => {
      const target = targetFor(request.params.name)
      const { held, is } = await told(
        desk.offer(whileRead(context, reply.raw), target, {
          ...{ name: request.query.name, announced: lengthOf(request) },
          body: bodyOf(request, reply, context.clock),
        }),
      )
      const { offer } = held
      const to = target.is === 'contact' ? target.contact.name : target.room.name
      return {
        ...{ file: offerId(offer), name: offer.name, size: offer.size },
        ...{ to, in: target.is, offer: is },
      }
    },
  )
}

const lengthOf = ({ headers }: FastifyRequest): number => Number(headers['content-length'] ?? 0)

function fetchRoute(app: FastifyInstance, context: Context, desk: OfferDesk): void {
  const timeout_s = {
    ...{ type: 'string', pattern: '^[1-9]\\d{0,2}$' },
    description: 'How long whoever has it is looked for; 30 unless told otherwise.',
  }
  app.get<Fetched>(
    '/v1/files/:id/content',
    {
      exposeHeadRoute: false,
      schema: {
        ...{ ...ONE, querystring: options({ timeout_s }) },
        summary:
          'Fetches a file that was offered, as it comes; to close the connection ends that, and what has come is kept for the next time',
        response: { 200: streamed(BYTES, 'Its bytes.'), ...ERROR_ANSWERS },
      },
    },
    async ({ params, query }, reply) => {
      const { raw } = reply
      const { timeout_s = TIMEOUT_S } = query
      const { offer, bytes } = await told(
        desk.fetch(whileRead(context, raw), params.id, Number(timeout_s) * 1_000),
      )
      void reply.headers({ ...bytesHeaders(offer.name), 'content-length': offer.size })
      // Only where all of it has left.
      raw.once('finish', () => context.meanwhile(desk.handedOver(offer)))
      return reply.send(Readable.from(bytes, { objectMode: false }))
    },
  )
}

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw toldOfFiles(error)
  }
}
