/**
 * What an owner says to a device about its rooms, as requests of the control dialogue (control.ts): JSON both
 * ways. Who may say it is decided there; entering and talking is not for owners and goes another way
 * (src/psyc, on the port of rooms).
 */

import { BoxError, type ErrorCode } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { zoneFromText, zoneToText } from '../gns/name.ts'
import { encodeBase32 } from '../wire/base32.ts'
import { personName } from './person-name.ts'
import { placeFromText, roomName } from './room-address.ts'

export type RoomRequest =
  /** All rooms, without the people in them: an answer is one message. */
  | { readonly do: 'list' }
  | { readonly do: 'show'; readonly place: Uint8Array }
  | {
      readonly do: 'create'
      readonly name: string
      /** How whoever creates it is called in it; '' for nothing. */
      readonly nick: string
      /** Newcomers may read what was said before. */
      readonly isOpen: boolean
      /** A device that does not know such rooms makes another one: its answer says so. */
      readonly isDeniable: boolean
    }
  | {
      readonly do: 'invite'
      readonly place: Uint8Array
      readonly zone: ZoneKey
      readonly nick: string
    }
  /** `person` is a zone key, or what somebody is called in the room. */
  | { readonly do: 'remove'; readonly place: Uint8Array; readonly person: string }
  | { readonly do: 'delete'; readonly place: Uint8Array }

export interface RoomPerson {
  readonly zone: ZoneKey
  readonly nick: string
  /** Whether they have entered since they were invited. */
  readonly isIn: boolean
}

/** What the device says of a room. */
export interface RoomListing {
  readonly name: string
  readonly place: Uint8Array
  readonly isOpen: boolean
  readonly isDeniable: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly people: readonly RoomPerson[]
}

/** What was asked for, in a line of the audit journal. */
export function roomRequestText(request: RoomRequest): string {
  const { do: what } = request
  if (what === 'list') return what
  if (what === 'create') return `${what} ${request.name}${request.isDeniable ? ', deniable' : ''}`
  const place = encodeBase32(request.place)
  if (what === 'invite') return `${what} ${request.nick} ${zoneToText(request.zone)} to ${place}`
  return what === 'remove' ? `${what} ${request.person} from ${place}` : `${what} ${place}`
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function encodeRoomRequest(request: RoomRequest): Uint8Array {
  const place = 'place' in request ? { place: encodeBase32(request.place) } : {}
  const zone = 'zone' in request ? { zone: zoneToText(request.zone) } : {}
  return encoder.encode(JSON.stringify({ ...request, ...place, ...zone }))
}

/** Throws WIRE_MALFORMED, NAME_INVALID. */
export function decodeRoomRequest(body: Uint8Array): RoomRequest {
  const said = objectIn(body)
  const text = (name: string): string => {
    const value = said[name]
    if (typeof value === 'string') return value
    throw new BoxError('WIRE_MALFORMED', `The request has no ${name}.`)
  }
  const nick = () => (text('nick') === '' ? '' : personName(text('nick')))
  switch (said.do) {
    case 'list':
      return { do: 'list' }
    case 'show':
      return { do: 'show', place: placeFromText(text('place')) }
    case 'create':
      return {
        do: 'create',
        name: roomName(text('name')),
        nick: nick(),
        isOpen: said.isOpen === true,
        isDeniable: said.isDeniable === true,
      }
    case 'invite':
      return {
        do: 'invite',
        place: placeFromText(text('place')),
        zone: zoneFromText(text('zone')),
        nick: nick(),
      }
    case 'remove':
      return { do: 'remove', place: placeFromText(text('place')), person: text('person') }
    case 'delete':
      return { do: 'delete', place: placeFromText(text('place')) }
    default:
      throw new BoxError('WIRE_MALFORMED', 'Nothing of that kind can be asked of rooms.')
  }
}

/** The answer: the rooms that were asked for, or the one that was meant, as it is now. */
export const roomsAnswer = (rooms: readonly RoomListing[]): object => ({
  rooms: rooms.map(({ place, people, ...rest }) => ({
    ...rest,
    place: encodeBase32(place),
    people: people.map(({ zone, ...one }) => ({ ...one, zone: zoneToText(zone) })),
  })),
})

/** From what a device answers. Throws STATE_UNEXPECTED. */
export function parseRoomsAnswer(answer: Readonly<Record<string, unknown>>): RoomListing[] {
  const { rooms } = answer
  try {
    return (rooms as unknown[]).map(value => {
      const { name, place, isOpen, isDeniable, createdAt, people } = value as Record<
        string,
        unknown
      >
      if (typeof createdAt !== 'number') throw new TypeError('no time')
      return {
        name: roomName(name as string),
        place: placeFromText(place as string),
        isOpen: isOpen === true,
        isDeniable: isDeniable === true,
        createdAt,
        people: (people as unknown[]).map(personOf),
      }
    })
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'What the device says of its rooms is no list.', cause)
  }
}

function personOf(value: unknown): RoomPerson {
  const { zone, nick, isIn } = value as Record<string, unknown>
  return {
    zone: zoneFromText(zone as string),
    nick: nick === '' ? '' : personName(nick as string),
    isIn: isIn === true,
  }
}

/** Why a device refuses, in our words: it may say anything. */
export function roomRefusal(code: unknown): BoxError {
  const known: Partial<Record<ErrorCode, string>> = {
    NOT_PERMITTED: 'It takes the right admin on the device that hosts the room.',
    NAME_TAKEN: 'Another room of the device, or somebody else in the room, is called so.',
    NAME_INVALID: 'The device does not take this name.',
    ROOM_UNKNOWN: 'The device hosts none with this key: see box room ls --on DEVICE.',
    ROOM_LIMIT: 'It hosts as many rooms, or the room has as many people, as it takes.',
    INPUT_INVALID: 'Nobody is called so in the room.',
    STATE_UNREADABLE: 'What the device keeps of the room is damaged: it can only be deleted.',
    STATE_UNWRITABLE: 'The device cannot write it down: is its disk full?',
  }
  const found = Object.entries(known).find(([name]) => name === code)
  return found
    ? new BoxError(found[0] as ErrorCode, found[1])
    : new BoxError('STATE_UNEXPECTED', 'The device does not do that with rooms.')
}

function objectIn(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decoder.decode(body))
    if (value !== null && typeof value === 'object') return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new BoxError('WIRE_MALFORMED', 'The request about rooms is no JSON object.')
}
