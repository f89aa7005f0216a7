/** What owners of a device do with the rooms it hosts: make, invite, put out, delete. It takes the right `admin` there. */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { askRooms } from '../../src/box/control.ts'
import { personName } from '../../src/box/person-name.ts'
import { formatRoomAddress, roomMode, roomName } from '../../src/box/room-address.ts'
import type { RoomListing, RoomRequest } from '../../src/box/room-talk.ts'
import { zoneType } from '../../src/crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import type { Device } from '../fleet.ts'
import { table } from '../output.ts'
import { type KnownRoom, RoomBook } from './book.ts'
import { RoomMemory } from './memory.ts'
import { hostOf, keeping, RoomVisit } from './visit.ts'

/** Asks the device; the room that is meant, or all. Fails as `reach`, and with what the device says. */
async function ask(
  context: Context,
  device: Device,
  request: RoomRequest,
  timeoutMs: number,
  keep: ReturnType<typeof keeping> = {},
): Promise<readonly RoomListing[]> {
  const { clock, output, signal } = context
  const progress = output.progress(`looking for ${device.name}`)
  try {
    const session = await reach(context, device, { service: 'control', timeoutMs, ...keep })
    return await askRooms(session, request, { clock, signal })
  } finally {
    progress.end()
  }
}

const askAbout = async (
  context: Context,
  room: KnownRoom,
  request: RoomRequest,
  timeoutMs: number,
): Promise<RoomListing | undefined> =>
  (await ask(context, hostOf(context, room), request, timeoutMs, keeping(context, room)))[0]

export interface CreateOptions {
  readonly on: string
  readonly as: string | undefined
  readonly isOpen: boolean
  readonly isDeniable: boolean
  readonly timeoutMs: number
}

/** Has the device host a new room, and enters it. */
export async function create(
  context: Context,
  text: string,
  { on, as, isOpen, isDeniable, timeoutMs }: CreateOptions,
): Promise<void> {
  const { fleet, output, state } = context
  const name = roomName(text)
  const device = fleet.device(on)
  const book = new RoomBook(state)
  if (book.rooms().some(room => room.name === name))
    throw new BoxError('NAME_TAKEN', `You have a room "${name}" already: see box room ls.`)
  const nick = personName(as ?? context.ego().name)
  if (isDeniable) demandEdkey(context.ego().secret.zone)
  const request = { do: 'create', name, nick, isOpen, isDeniable } as const
  const [made] = await ask(context, device, request, timeoutMs)
  if (!made) throw new BoxError('STATE_UNEXPECTED', 'The device does not say what it has made.')
  if (made.isDeniable !== isDeniable) {
    // It knows one kind alone, and has made that one.
    await ask(context, device, { do: 'delete', place: made.place }, timeoutMs)
    const why = `${device.name} is of a version without deniable rooms: see box upgrade.`
    throw new BoxError('PLACE_MODE', why)
  }
  const address = { name, device: device.zone, place: made.place, isDeniable }
  const room = await book.add({ ...address, last: null })
  output.result(`${name} is hosted by ${device.name}.`, {
    ...{ room: name, device: device.name, open: isOpen, mode: roomMode(room) },
    address: formatRoomAddress(address),
  })
  const visit = await RoomVisit.open(context, room, { timeoutMs })
  try {
    await visit.whenCurrent()
    visit.save()
  } finally {
    await visit.close()
  }
}

/** Lets somebody in, and says what they are to type. */
export async function invite(
  context: Context,
  room: KnownRoom,
  person: string,
  { as, timeoutMs }: { readonly as: string | undefined; readonly timeoutMs: number },
): Promise<void> {
  const zone = zoneFromText(person)
  if (room.isDeniable) demandEdkey(zone)
  const nick = as === undefined ? '' : personName(as)
  await askAbout(context, room, { do: 'invite', place: room.place, zone, nick }, timeoutMs)
  const address = formatRoomAddress(room)
  const { output } = context
  output.result(`box room enter ${address}`, {
    ...{ room: room.name, person: nick, person_zone: zoneToText(zone), address },
    mode: roomMode(room),
  })
  output.remark(`${nick || 'Whoever has this key'} is invited, and types the line above.`)
}

/** Puts somebody out, by what they are called in the room or by their key. */
export async function remove(
  context: Context,
  room: KnownRoom,
  person: string,
  timeoutMs: number,
): Promise<void> {
  await askAbout(context, room, { do: 'remove', place: room.place, person }, timeoutMs)
  context.output.result(`${person} is not in ${room.name} any more.`, { room: room.name, person })
}

/** Deletes the room on its host, with all that was said, then here. */
export async function deleteRoom(
  context: Context,
  room: KnownRoom,
  timeoutMs: number,
): Promise<void> {
  await askAbout(context, room, { do: 'delete', place: room.place }, timeoutMs)
  await forget(context, room)
  context.output.result(`${room.name} is no more.`, { room: room.name })
}

export async function forget({ state }: Context, room: KnownRoom): Promise<void> {
  await new RoomBook(state).remove(room.place)
  await RoomMemory.forget(state, room)
}

/** Others can prove by a signature alone who they are, which a deniable room is there to avoid. Throws INPUT_INVALID. */
function demandEdkey(zone: ZoneKey): void {
  if (zoneType(zone) === 'EDKEY') return
  throw new BoxError(
    'INPUT_INVALID',
    'Deniable rooms are for keys of the kind EDKEY: see box rotate.',
  )
}

/** The rooms that a device hosts, with those who are invited; in parentheses who has not come yet. */
export async function listHosted(context: Context, on: string, timeoutMs: number): Promise<void> {
  const { fleet, output } = context
  const device = fleet.device(on)
  const rooms: RoomListing[] = []
  for (const { place } of await ask(context, device, { do: 'list' }, timeoutMs))
    rooms.push(...(await ask(context, device, { do: 'show', place }, timeoutMs)))
  const addresses = rooms.map(room => formatRoomAddress({ ...room, device: device.zone }))
  const cells = rooms.map((room, i) => [
    ...[room.name, roomMode(room)],
    room.people
      .map(({ nick, zone, isIn }) => {
        const called = nick || zoneToText(zone)
        return isIn ? called : `(${called})`
      })
      .join(' '),
    addresses[i]!,
  ])
  const lines = table(cells)
  rooms.forEach((room, i) => {
    const { name, place, isOpen, createdAt, people } = room
    output.result(lines[i]!, {
      ...{ room: name, place: encodeBase32(place), open: isOpen, mode: roomMode(room) },
      address: addresses[i],
      created_at: new Date(createdAt).toISOString(),
      people: people.map(one => ({
        ...{ name: one.nick, zone: zoneToText(one.zone), entered: one.isIn },
      })),
    })
  })
}
