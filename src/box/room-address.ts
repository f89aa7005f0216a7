/**
 * Where a room is, as a text that can be typed and sent around: `ops@000G…ZONE.PLACE`, the zone key of the device
 * that hosts it and the key of the place. It lets nobody in who is not invited.
 */

import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { normaliseLabel, zoneFromText, zoneToText } from '../gns/name.ts'
import { base32Length, decodeBase32, encodeBase32 } from '../wire/base32.ts'

/** An Ed25519 key. */
export const PLACE_KEY_SIZE = 32

export interface RoomAddress {
  /** What the room is called where it was made. */
  readonly name: string
  readonly device: ZoneKey
  readonly place: Uint8Array
}

export const formatRoomAddress = ({ name, device, place }: RoomAddress): string =>
  `${name}@${zoneToText(device)}.${encodeBase32(place)}`

/** Throws NAME_INVALID. */
export function parseRoomAddress(text: string): RoomAddress {
  const at = text.indexOf('@')
  const dot = text.indexOf('.', at + 1)
  if (at < 0 || dot < 0)
    throw new BoxError('NAME_INVALID', 'The address of a room is NAME@ZONE.PLACE.')
  return {
    name: roomName(text.slice(0, at)),
    device: zoneFromText(text.slice(at + 1, dot)),
    place: placeFromText(text.slice(dot + 1)),
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
