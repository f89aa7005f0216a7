/**
 * Where a room is, as a text that can be typed and sent around: `ops@000G…ZONE.PLACE`, the zone key of the device
 * that hosts it and the key of the place. It lets nobody in who is not invited. That of a deniable room says so,
 * `ops@000G…ZONE:deniable:PLACE`: who enters knows what was promised, and versions that know no such rooms refuse it.
 */

import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { normaliseLabel, zoneFromText, zoneToText } from '../gns/name.ts'
import type { PlaceMode } from '../psyc/mode.ts'
import { base32Length, decodeBase32, encodeBase32 } from '../wire/base32.ts'
import type { Service } from './ports.ts'

/** An Ed25519 key. */
export const PLACE_KEY_SIZE = 32

/** Between zone and place, in the address of a deniable room. */
const DENIABLE = 'deniable'

export interface RoomAddress {
  /** What the room is called where it was made. */
  readonly name: string
  readonly device: ZoneKey
  readonly place: Uint8Array
  readonly isDeniable: boolean
}

/** At which port its host and its members are asked for, and how both sides prove who they are. */
export const roomService = ({ isDeniable }: Pick<RoomAddress, 'isDeniable'>): Service =>
  isDeniable ? 'deniable-room' : 'room'

/** As people are told. */
export const roomMode = ({ isDeniable }: Pick<RoomAddress, 'isDeniable'>): PlaceMode =>
  isDeniable ? 'deniable' : 'provable'

export const formatRoomAddress = ({ name, device, place, isDeniable }: RoomAddress): string =>
  `${name}@${zoneToText(device)}${isDeniable ? `:${DENIABLE}:` : '.'}${encodeBase32(place)}`

/** Throws NAME_INVALID. */
export function parseRoomAddress(text: string): RoomAddress {
  const [, name, device, mode, place] = /^([^@]*)@([^.:]*)(?:\.|:([^:]*):)(.*)$/u.exec(text) ?? []
  if (name === undefined || device === undefined || place === undefined)
    throw new BoxError('NAME_INVALID', 'The address of a room is NAME@ZONE.PLACE.')
  if (mode !== undefined && mode !== DENIABLE)
    throw new BoxError('NAME_INVALID', 'The room is of a kind that this version does not know.')
  return {
    name: roomName(name),
    device: zoneFromText(device),
    place: placeFromText(place),
    isDeniable: mode === DENIABLE,
  }
}

/** Whether the text is meant to be an address: names have no `@`. */
export const isRoomAddress = (text: string): boolean => text.includes('@')

/** The key of a place. Throws NAME_INVALID. */
export function placeFromText(text: string): Uint8Array {
  if (text.length !== base32Length(PLACE_KEY_SIZE))
    throw new BoxError('NAME_INVALID', 'The key of a place has 52 characters.')
  try {
    return decodeBase32(text, PLACE_KEY_SIZE)
  } catch (cause) {
    throw new BoxError('NAME_INVALID', 'The key of the place has a wrong character.', cause)
  }
}

/** What a room is called, in the one form in which it is kept. Throws NAME_INVALID. */
export function roomName(text: string): string {
  const name = normaliseLabel(text)
  if (/^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_-]*$/u.test(name)) return name
  throw new BoxError('NAME_INVALID', 'A room is named by letters, digits, "-" and "_".')
}
