/** Routes about the rooms of this controller: which there are, what is said there, saying something. */

import type { FastifyInstance } from 'fastify'
import { formatRoomAddress, roomMode } from '../../src/box/room-address.ts'
import type { Context } from '../context.ts'
import { RoomBook } from '../room/book.ts'
import { RoomNames, saidValue } from '../room/lines.ts'
import { lastSaid, type Past, peopleIn } from '../room/membership.ts'
import { hostOf } from '../room/visit.ts'
import type { RoomHall } from './room-hall.ts'
import {
  about,
  aboutOne,
  NOTHING,
  options,
  ROOM_HISTORY,
  ROOM_MEMBERS,
  ROOMS,
  streamed,
} from './schemas.ts'
import { followers } from './streams.ts'

/** A room carries longer ones; what people type is shorter. */
const TEXT_MAX = 16_384
/** Each holds a connection. */
const LISTENERS_MAX = 16
const HISTORY_LAST = 50

type Named = { Params: { name: string } }

export function roomRoutes(app: FastifyInstance, context: Context, hall: RoomHall): void {
  const book = new RoomBook(context.state)
  app.addHook('preClose', () => hall.close())
  app.get(
    '/v1/rooms',
    { schema: about({ summary: 'The rooms you are in', answer: ROOMS }) },
    async () => ({
      rooms: book.rooms().map(room => ({
        ...{ name: room.name, address: formatRoomAddress(room), host: hostOf(context, room).name },
        mode: roomMode(room),
      })),
    }),
  )
  app.post<Named & { Body: { text: string } }>(
    '/v1/rooms/:name/messages',
    {
      schema: aboutOne({
        summary: 'Says something in a room; answers when its host has taken it',
        body: options({ text: { type: 'string', minLength: 1, maxLength: TEXT_MAX } }, ['text']),
        answer: NOTHING,
      }),
    },
    async ({ params, body }) => {
      await hall.say(book.room(params.name), body.text)
      return {}
    },
  )
  eventsOf(app, { context, book, hall })
  membershipOf(app, { context, book, hall })
}

interface Parts {
  readonly context: Context
  readonly book: RoomBook
  readonly hall: RoomHall
}

function eventsOf(app: FastifyInstance, { context, book, hall }: Parts): void {
  const listen = followers(context.clock, LISTENERS_MAX)
  app.get<Named>(
    '/v1/rooms/:name/events',
    {
      schema: aboutOne({
        summary: '`said`: as box room enter --json; `attached`: whether its host is there; `over`',
        answer: streamed('text/event-stream', 'Server-sent events, until either side ends it.'),
      }),
    },
    async ({ params }, reply) => {
      const room = book.room(params.name)
      return await listen(reply, async ({ send, over, ended }) => {
        const said = (value: object) => send('said', value)
        const attached = (attached: boolean) => send('attached', { attached })
        await hall.follow(room, { said, attached, over }, ended)
      })
    },
  )
}

function membershipOf(app: FastifyInstance, { context, book, hall }: Parts): void {
  const last = { type: 'string', pattern: '^[1-9]\\d{0,3}$', description: 'At most so many.' }
  app.get<Named & { Querystring: { last?: string } }>(
    '/v1/rooms/:name/history',
    {
      schema: aboutOne({
        summary: 'What was said in a room; `failure`: its host is away, this is what is known here',
        querystring: options({ last }),
        answer: ROOM_HISTORY,
      }),
    },
    async ({ params, query }) => {
      const room = book.room(params.name)
      const read = await hall.read(room, one => lastSaid(one, Number(query.last ?? HISTORY_LAST)))
      const names = new RoomNames(context)
      const messages = read.value.map(said => saidValue(room.name, said, names))
      return { messages, failure: failureOf(read) }
    },
  )
  app.get<Named>(
    '/v1/rooms/:name/members',
    { schema: aboutOne({ summary: 'Who is in a room', answer: ROOM_MEMBERS }) },
    async ({ params }) => {
      const read = await hall.read(book.room(params.name), peopleIn)
      const names = new RoomNames(context)
      const members = read.value.map(one => ({ name: names.of(one), zone: one.zone }))
      return { members, failure: failureOf(read) }
    },
  )
  app.post<Named & { Body: { forget?: boolean } }>(
    '/v1/rooms/:name/leave',
    {
      schema: aboutOne({
        summary: 'Gives up being in a room; with `forget` also where its host is out of reach',
        body: options({ forget: { type: 'boolean' } }),
        answer: NOTHING,
      }),
    },
    async ({ params, body }) => {
      await hall.giveUp(book.room(params.name), { isForced: body.forget ?? false })
      return {}
    },
  )
}

const failureOf = ({ failure }: Past<unknown>) =>
  failure && { code: failure.code, message: failure.message }
