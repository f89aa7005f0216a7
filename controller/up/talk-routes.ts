/** Routes about private talk: what was said with a contact, what is being said, saying something. */

import type { FastifyInstance } from 'fastify'
import type { Context } from '../context.ts'
import { aboutOne, NOTHING, options, SAID, streamed, TALK } from './schemas.ts'
import { followers } from './streams.ts'
import type { TalkHall } from './talk-hall.ts'

/** More bytes than a message has (src/social/saying.ts) are no message; fewer letters may be. */
const TEXT_MAX = 4_096
/** Each holds a connection. */
const LISTENERS_MAX = 16
const LAST = 50

type Named = { Params: { name: string } }

export function talkRoutes(app: FastifyInstance, context: Context, hall: TalkHall): void {
  app.get<Named & { Querystring: { last?: string } }>(
    '/v1/contacts/:name/messages',
    {
      schema: aboutOne({
        summary: 'What was said with a contact, the oldest first; `delivery` of what is yours',
        querystring: options({
          last: { type: 'string', pattern: '^[1-9]\\d{0,4}$', description: 'At most so many.' },
        }),
        answer: TALK,
      }),
    },
    async ({ params, query }) => ({
      messages: await hall.history(params.name, Number(query.last ?? LAST)),
    }),
  )
  app.post<Named & { Body: { text: string; wait?: boolean } }>(
    '/v1/contacts/:name/messages',
    {
      schema: aboutOne({
        summary:
          'Says something, which is brought by and by; with `wait`, answers when it is with them, or nothing more can be done now',
        body: options(
          {
            text: { type: 'string', minLength: 1, maxLength: TEXT_MAX },
            wait: { type: 'boolean' },
          },
          ['text'],
        ),
        answer: SAID,
      }),
    },
    async ({ params, body: { text, wait = false } }) => {
      const { number, is } = await hall.say(params.name, { is: 'text', text }, wait)
      return { number, at: new Date(number).toISOString(), is }
    },
  )
  app.post<Named>(
    '/v1/contacts/:name/read',
    {
      schema: aboutOne({
        summary: 'You have looked at what they said; they are not told',
        answer: NOTHING,
      }),
    },
    async ({ params }) => {
      await hall.markRead(params.name)
      return {}
    },
  )
  eventsOf(app, context, hall)
}

function eventsOf(app: FastifyInstance, { clock }: Context, hall: TalkHall): void {
  const listen = followers(clock, LISTENERS_MAX)
  app.get<Named>(
    '/v1/contacts/:name/events',
    {
      schema: aboutOne({
        summary:
          '`said`: a message, and the same again when it has come further; `there`: whether there is a channel to them; `over`',
        answer: streamed('text/event-stream', 'Server-sent events, until either side ends it.'),
      }),
    },
    async ({ params }, reply) => {
      hall.mustKnow(params.name)
      return await listen(reply, async ({ send, over, ended }) => {
        const said = (value: object) => send('said', value)
        const there = (there: boolean) => send('there', { there })
        await hall.follow(params.name, { said, there, over }, ended)
      })
    },
  )
}
