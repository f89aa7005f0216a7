/** Routes that make and end rooms, and let people in and out: what their owner may. */

import type { FastifyInstance } from 'fastify'
import { formatRoomAddress, roomMode } from '../../src/box/room-address.ts'
import type { Context } from '../context.ts'
import { RoomBook } from '../room/book.ts'
import { create, deleteRoom, invite, remove } from '../room/owning.ts'
import { hostOf } from '../room/visit.ts'
import { about, aboutOne, INVITED, NOTHING, options, ROOM } from './schemas.ts'

const TIMEOUT_MS = 30_000

type Named = { Params: { name: string } }

interface NewRoom {
  readonly name: string
  readonly on: string
  readonly as?: string
  readonly open?: boolean
  readonly deniable?: boolean
}

const flag = { type: 'boolean' }
const text = { type: 'string', minLength: 1, maxLength: 255 }

export function roomOwnerRoutes(app: FastifyInstance, context: Context): void {
  const book = new RoomBook(context.state)
  app.post<{ Body: NewRoom }>(
    '/v1/rooms',
    {
      schema: about({
        summary: 'Has a device host a new room; it takes the right admin there',
        body: options({ name: text, on: text, as: text, open: flag, deniable: flag }, [
          'name',
          'on',
        ]),
        answer: ROOM,
      }),
    },
    async ({ body: { name, on, as, open: isOpen = false, deniable: isDeniable = false } }) => {
      await create(context, name, { on, as, isOpen, isDeniable, timeoutMs: TIMEOUT_MS })
      const room = book.room(name)
      return {
        ...{ name: room.name, address: formatRoomAddress(room), host: hostOf(context, room).name },
        mode: roomMode(room),
      }
    },
  )
  app.post<Named & { Body: { person: string; as?: string } }>(
    '/v1/rooms/:name/invite',
    {
      schema: aboutOne({
        summary: 'Lets somebody in by their key; with the address they enter',
        body: options({ person: text, as: text }, ['person']),
        answer: INVITED,
      }),
    },
    async ({ params, body: { person, as } }) => {
      const room = book.room(params.name)
      await invite(context, room, person, { as, timeoutMs: TIMEOUT_MS })
      return { room: room.name, person_zone: person, address: formatRoomAddress(room) }
    },
  )
  app.post<Named & { Body: { person: string } }>(
    '/v1/rooms/:name/remove',
    {
      schema: aboutOne({
        summary: 'Puts somebody out, by what they are called in the room, or by their key',
        body: options({ person: text }, ['person']),
        answer: NOTHING,
      }),
    },
    async ({ params, body }) => {
      await remove(context, book.room(params.name), body.person, TIMEOUT_MS)
      return {}
    },
  )
  app.delete<Named>(
    '/v1/rooms/:name',
    {
      schema: aboutOne({
        summary: 'Deletes a room on its host, with all that was said',
        answer: NOTHING,
      }),
    },
    async ({ params }) => {
      await deleteRoom(context, book.room(params.name), TIMEOUT_MS)
      return {}
    },
  )
}
