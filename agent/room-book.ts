/**
 * The rooms that are hosted here: what each is called, its key, and who is invited. One file, replaced as a whole
 * at each change; what is said in them is kept elsewhere (room.ts).
 *
 * Deniable rooms stand in a file of their own: a version that does not know them, put back after an upgrade, would host
 * them as rooms that sign.
 */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Store } from '../src/base/store.ts'
import { roomName } from '../src/box/room-address.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import { decodeBase32, encodeBase32 } from '../src/wire/base32.ts'

export interface Invitation {
  readonly zone: ZoneKey
  /** What the one who invited calls them, for all in the room; '' where that was left out. */
  readonly nick: string
}

export interface RoomRecord {
  readonly name: string
  /** Of the signing key of the place. */
  readonly seed: Uint8Array
  /** Newcomers may read what was said before. */
  readonly isOpen: boolean
  readonly isDeniable: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly invited: readonly Invitation[]
}

const FILES = { provable: 'rooms', deniable: 'deniable-rooms' } as const
const VERSION = 1
const SEED_SIZE = 32

/** Throws STATE_UNREADABLE. */
export function readRoomBook(store: Store): readonly RoomRecord[] {
  return [...readFile(store, false), ...readFile(store, true)]
}

function readFile(store: Store, isDeniable: boolean): readonly RoomRecord[] {
  const file = fileOf(isDeniable)
  const bytes = store.get(file)
  if (!bytes) return []
  try {
    const { version, rooms } = JSON.parse(new TextDecoder().decode(bytes))
    if (version !== VERSION) throw new TypeError('another version')
    return (rooms as unknown[]).map(one => recordOf(one, isDeniable))
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `The list of rooms (${file}) is damaged.`, cause)
  }
}

/**
 * Writes down all rooms of the mode of the one that was made, changed or deleted. Throws STATE_UNWRITABLE; then the
 * list is as before.
 */
export function writeRoomBook(
  store: Store,
  records: readonly RoomRecord[],
  { isDeniable: changed }: Pick<RoomRecord, 'isDeniable'>,
): void {
  const rooms = records
    .filter(({ isDeniable }) => isDeniable === changed)
    .map(({ seed, invited, isDeniable: _, ...rest }) => ({
      ...rest,
      seed: encodeBase32(seed),
      invited: invited.map(({ zone, nick }) => ({ zone: zoneToText(zone), nick })),
    }))
  const text = `${JSON.stringify({ version: VERSION, rooms }, null, 1)}\n`
  store.set(fileOf(changed), new TextEncoder().encode(text))
}

const fileOf = (isDeniable: boolean): string => (isDeniable ? FILES.deniable : FILES.provable)

function recordOf(value: unknown, isDeniable: boolean): RoomRecord {
  const { name, seed, isOpen, createdAt, invited } = value as Record<string, unknown>
  if (typeof isOpen !== 'boolean' || typeof createdAt !== 'number') throw new TypeError('no room')
  return {
    name: roomName(name as string),
    seed: decodeBase32(seed as string, SEED_SIZE),
    ...{ isOpen, isDeniable, createdAt },
    invited: (invited as unknown[]).map(one => {
      const { zone, nick } = one as Record<string, unknown>
      if (typeof nick !== 'string') throw new TypeError('no nick')
      return { zone: zoneFromText(zone as string), nick }
    }),
  }
}
