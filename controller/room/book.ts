/**
 * The rooms of this controller: what each is called here, where it is, and where its host was the last time. Each
 * change reads the list again under the lock of the state directory and replaces it as a whole. Deniable rooms stand in
 * a list of their own, so that versions which do not know them can read the other one.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { formatDeviceRecord, parseDeviceRecord } from '../../src/box/device-record.ts'
import {
  formatRoomAddress,
  isRoomAddress,
  parseRoomAddress,
  type RoomAddress,
  roomMode,
  roomName,
} from '../../src/box/room-address.ts'
import type { PlaceMode } from '../../src/psyc/mode.ts'
import type { LastKnown } from '../fleet.ts'
import type { State } from '../state.ts'

/** More than one person reads. */
const ROOMS_MAX = 256
const FILES = { provable: 'rooms', deniable: 'deniable-rooms' } as const
const VERSION = 1

export interface KnownRoom extends RoomAddress {
  /** What it is called here. */
  readonly name: string
  /** Where its host was, as far as that is not in the fleet. */
  readonly last: LastKnown | null
}

export class RoomBook {
  private readonly state: State

  constructor(state: State) {
    this.state = state
  }

  /** All rooms. Throws STATE_UNREADABLE. */
  rooms(): readonly KnownRoom[] {
    return [...this.roomsOf('provable'), ...this.roomsOf('deniable')]
  }

  private roomsOf(mode: PlaceMode): readonly KnownRoom[] {
    const file = FILES[mode]
    const text = this.state.readText(file)
    if (text === null) return []
    try {
      const { version, rooms } = JSON.parse(text)
      if (version !== VERSION || rooms.length > ROOMS_MAX) throw new TypeError('no list of rooms')
      return (rooms as unknown[]).map(roomOf)
    } catch (cause) {
      throw new BoxError('STATE_UNREADABLE', `The list of rooms (${file}) is damaged.`, cause)
    }
  }

  /**
   * By its name here, or by its address, which need not be known. Throws ROOM_UNKNOWN, NAME_INVALID; PLACE_MODE on
   * an address by which a room that is known would be of another mode.
   */
  room(text: string): KnownRoom {
    if (isRoomAddress(text)) {
      const address = parseRoomAddress(text)
      const known = this.find(address.place)
      if (known && known.isDeniable !== address.isDeniable)
        throw new BoxError('PLACE_MODE', `You know this room as ${roomMode(known)}.`)
      return known ?? { ...address, last: null }
    }
    const name = roomName(text)
    const found = this.rooms().find(room => room.name === name)
    if (found) return found
    throw new BoxError('ROOM_UNKNOWN', `"${name}" is none of your rooms: see box room ls.`)
  }

  /** The room with this key; null where it is not known. */
  find(place: Uint8Array): KnownRoom | null {
    return this.rooms().find(room => equalBytes(room.place, place)) ?? null
  }

  /** Takes a room in; one that is here already keeps its name. Throws NAME_TAKEN. */
  async add(room: KnownRoom): Promise<KnownRoom> {
    let kept = room
    await this.change(rooms => {
      const known = rooms.find(one => equalBytes(one.place, room.place))
      if (known) {
        kept = known
        return rooms
      }
      if (rooms.some(one => one.name === room.name))
        throw new BoxError('NAME_TAKEN', `Another room is called "${room.name}": say --as NAME.`)
      if (rooms.length >= ROOMS_MAX)
        throw new BoxError('INPUT_INVALID', `There are ${ROOMS_MAX} rooms already.`)
      return [...rooms, room]
    })
    return kept
  }

  /** Keeps where the host of a room was, if the room is still there. */
  async remember(place: Uint8Array, last: LastKnown): Promise<void> {
    await this.change(rooms =>
      rooms.map(room => (equalBytes(room.place, place) ? { ...room, last } : room)),
    )
  }

  /** The device that hosts some of them has another key. */
  async succeed(before: ZoneKey, after: ZoneKey): Promise<void> {
    await this.change(rooms =>
      rooms.some(({ device }) => equalBytes(device, before))
        ? rooms.map(room => (equalBytes(room.device, before) ? { ...room, device: after } : room))
        : rooms,
    )
  }

  async remove(place: Uint8Array): Promise<void> {
    await this.change(rooms => rooms.filter(room => !equalBytes(room.place, place)))
  }

  private async change(edit: (rooms: readonly KnownRoom[]) => readonly KnownRoom[]): Promise<void> {
    await this.state.exclusively(() => {
      const before = this.rooms()
      const rooms = edit(before)
      if (rooms === before) return
      for (const mode of ['provable', 'deniable'] as const) {
        const text = format(rooms.filter(room => roomMode(room) === mode))
        const isSame = text === format(before.filter(room => roomMode(room) === mode))
        if (!isSame) this.state.writeText(FILES[mode], text)
      }
    })
  }
}

const format = (rooms: readonly KnownRoom[]): string =>
  `${JSON.stringify(
    {
      version: VERSION,
      rooms: rooms.map(({ last, ...address }) => ({
        address: formatRoomAddress(address),
        last: last && { at: last.at, record: formatDeviceRecord(last.record) },
      })),
    },
    null,
    1,
  )}\n`

function roomOf(value: unknown): KnownRoom {
  const { address, last } = value as { address: string; last: unknown }
  return { ...parseRoomAddress(address), last: lastOf(last) }
}

/** A record that this version cannot read is worth no more than none. */
function lastOf(value: unknown): LastKnown | null {
  if (value === null) return null
  const { at, record } = value as { at: number; record: string }
  try {
    return { at, record: parseDeviceRecord(record), hostKey: null }
  } catch {
    return null
  }
}
