/**
 * The rooms of admins that this device hosts: made, changed and deleted by whoever has the right `admin` here,
 * entered by whoever was invited, who needs no other right. Few and bounded, so that nobody fills the disk.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import type { Store } from '../src/base/store.ts'
import type { Admission, Session } from '../src/box/handshake.ts'
import type { RoomListing, RoomRequest } from '../src/box/room-talk.ts'
import { zoneFromText } from '../src/gns/name.ts'
import type { TreeNode } from '../src/psyc/edge.ts'
import { ledgerFile, type OpenLedger, Room, type RoomTraffic, roomFile } from './room.ts'
import { RoomAnswers, type RoomAnswersOptions } from './room-answers.ts'
import { type Invitation, type RoomRecord, readRoomBook, writeRoomBook } from './room-book.ts'

/** Each may take some 4 MiB of the disk and 2 MiB of memory. */
export const ROOMS_MAX = 8
/** People; those who are invited and have not come count. A departure costs 56 bytes for each. */
export const PEOPLE_MAX = 64
const SEED_SIZE = 32
const NOTHING = new Uint8Array(0)

type Mode = Pick<RoomRecord, 'isDeniable'>

export interface RoomsOptions {
  readonly self: TreeNode
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: Store
  /** Opens what a room has said, a file of this name beside the values of the store. */
  readonly openLedger: (name: string, sizeMax: number) => OpenLedger
  /** What the device says when it is asked in one of them (room-answers.ts) comes from these; absent: nothing. */
  readonly ask?: Omit<RoomAnswersOptions, 'clock'>
}

export class Rooms {
  private readonly options: RoomsOptions
  private readonly answers: RoomAnswers | null
  private readonly rooms: Room[]

  /** Throws STATE_UNREADABLE where the list of rooms is damaged; one room that is keeps no other down. */
  constructor(options: RoomsOptions) {
    this.options = options
    const { ask, clock } = options
    this.answers = ask ? new RoomAnswers({ ...ask, clock }) : null
    this.rooms = readRoomBook(options.store).map(record => this.roomOf(record))
    this.tidy()
    for (const room of this.rooms) this.raise(room)
  }

  /** Whether somebody who has proven who it is may come in to the place it names. */
  admit(zone: ZoneKey, place: Uint8Array, mode: Mode): Admission {
    // Who is not invited learns nothing, not even whether there is such a room.
    return this.roomFor(zone, place, mode) ? { payload: NOTHING } : { refused: 'NOT_PERMITTED' }
  }

  /** A room is entered in its own mode alone: who would sign to be in a deniable one is not let do it. */
  serve(session: Session, mode: Mode): void {
    const room = this.roomFor(session.peerZone, session.payload, mode)
    if (room) room.serve(session)
    else session.channel.close()
  }

  /**
   * What an owner asks for; `by` is that owner. Throws ROOM_UNKNOWN, ROOM_LIMIT, NAME_TAKEN, INPUT_INVALID,
   * STATE_UNREADABLE, STATE_UNWRITABLE.
   */
  handle(request: RoomRequest, by: Invitation): readonly RoomListing[] {
    switch (request.do) {
      case 'list':
        return this.rooms.map(room => ({ ...listingOf(room), people: [] }))
      case 'create':
        return [listingOf(this.create(request, by.zone))]
      case 'show':
        return [listingOf(this.get(request.place))]
      case 'invite':
        return [listingOf(this.invite(request, by))]
      case 'remove':
        return [listingOf(this.remove(request))]
      case 'delete':
        return [listingOf(this.delete(request.place))]
    }
  }

  /** The device says something in a room of this name, once for each tag. Throws ROOM_UNKNOWN, and as `handle`. */
  say(name: string, text: string, { nick, tag }: { nick: string; tag: Uint8Array }): void {
    const room = this.rooms.find(({ record }) => record.name === name)
    if (!room) throw new BoxError('ROOM_UNKNOWN')
    room.say(text, nick, tag)
  }

  /** Who was invited by one key is invited by another. False where nobody was. Throws as `handle`. */
  succeed(before: ZoneKey, after: ZoneKey): boolean {
    return this.rooms.filter(room => room.succeed(before, after)).length > 0
  }

  traffic(): readonly RoomTraffic[] {
    return this.rooms.flatMap(room => room.traffic() ?? [])
  }

  close(): void {
    for (const room of this.rooms) room.close()
  }

  private create(
    { name, nick, isOpen, isDeniable }: Extract<RoomRequest, { do: 'create' }>,
    creator: ZoneKey,
  ): Room {
    const { random, clock } = this.options
    if (this.rooms.some(({ record }) => record.name === name)) throw new BoxError('NAME_TAKEN')
    if (this.rooms.length >= ROOMS_MAX) throw new BoxError('ROOM_LIMIT')
    const record: RoomRecord = {
      ...{ name, isOpen, isDeniable, createdAt: clock.now(), seed: random.bytes(SEED_SIZE) },
      invited: [{ zone: creator, nick }],
    }
    writeRoomBook(this.options.store, [...this.records(), record], record)
    const room = this.roomOf(record)
    this.rooms.push(room)
    try {
      room.open()
    } catch (error) {
      this.delete(room.place)
      throw error
    }
    return room
  }

  private invite(
    { place, zone, nick }: Extract<RoomRequest, { do: 'invite' }>,
    by: Invitation,
  ): Room {
    const room = this.get(place)
    const { invited } = room.record
    const others = invited.filter(one => !equalBytes(one.zone, zone))
    if (others.length >= PEOPLE_MAX) throw new BoxError('ROOM_LIMIT')
    const isTaken = nick !== '' && others.some(one => one.nick.toLowerCase() === nick.toLowerCase())
    if (isTaken) throw new BoxError('NAME_TAKEN')
    const inviter = invited.find(one => equalBytes(one.zone, by.zone)) ?? by
    room.invite({ zone, nick }, inviter)
    return room
  }

  private remove({ place, person }: Extract<RoomRequest, { do: 'remove' }>): Room {
    const room = this.get(place)
    const found = room.record.invited.find(({ nick }) => nick !== '' && nick === person)
    const zone = found?.zone ?? zoneIn(person)
    if (!zone || !room.isInvited(zone))
      throw new BoxError('INPUT_INVALID', 'Nobody is called so in the room.')
    room.remove(zone)
    return room
  }

  /** Off the list first: what is left after a crash is found to belong to nothing. */
  private delete(place: Uint8Array): Room {
    const room = this.get(place)
    const others = this.rooms.filter(one => one !== room)
    writeRoomBook(
      this.options.store,
      others.map(({ record }) => record),
      room.record,
    )
    this.rooms.splice(this.rooms.indexOf(room), 1)
    room.close()
    this.tidy()
    return room
  }

  private roomFor(zone: ZoneKey, place: Uint8Array, { isDeniable }: Mode): Room | null {
    const room = this.find(place)
    return room?.record.isDeniable === isDeniable && room.isInvited(zone) ? room : null
  }

  private find(place: Uint8Array): Room | null {
    return this.rooms.find(room => equalBytes(room.place, place)) ?? null
  }

  private get(place: Uint8Array): Room {
    const room = this.find(place)
    if (room) return room
    throw new BoxError('ROOM_UNKNOWN')
  }

  private records(): RoomRecord[] {
    return this.rooms.map(({ record }) => record)
  }

  private roomOf(record: RoomRecord): Room {
    const room: Room = new Room(record, {
      ...this.options,
      answers: this.answers,
      keep: changed => {
        const all = this.rooms.map(one => (one === room ? changed : one.record))
        writeRoomBook(this.options.store, all, changed)
      },
    })
    return room
  }

  /** A room that cannot be read is said to be so, and the others are served. */
  private raise(room: Room): void {
    try {
      const host = room.open()
      for (const zone of host.zones()) if (!room.isInvited(zone)) room.remove(zone)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      const { code, detail } = error
      this.options.log.note('error', 'rooms', 'not hosted', {
        ...{ room: room.record.name, code, why: detail },
      })
    }
  }

  /** Deletes what is kept of rooms that are no more. */
  private tidy(): void {
    const { store } = this.options
    const ours = new Set(
      this.rooms.flatMap(({ place, record: { isDeniable } }) => [
        roomFile(place, isDeniable),
        ledgerFile(place, isDeniable),
      ]),
    )
    for (const name of store.names())
      if (/^(deniable-)?room-/.test(name) && !ours.has(name)) store.delete(name)
  }
}

const listingOf = (room: Room): RoomListing => {
  const { name, isOpen, isDeniable, createdAt, invited } = room.record
  const people = invited.map(({ zone, nick }) => ({ zone, nick, isIn: room.isMember(zone) }))
  return { name, place: room.place, isOpen, isDeniable, createdAt, people }
}

function zoneIn(text: string): ZoneKey | null {
  try {
    return zoneFromText(text)
  } catch {
    return null
  }
}
