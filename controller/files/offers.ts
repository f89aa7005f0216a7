/**
 * What was offered to us, and by us: as private talk and rooms have it here, which is where offers are kept. An offer
 * goes when what was said does.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { type FileOffer, offerId } from '../../src/social/file-offer.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { RoomBook } from '../room/book.ts'
import { keptRoom } from '../room/kept.ts'
import { RoomNames, saidIn } from '../room/lines.ts'
import { ContactBook, filedUnder } from '../talk/contact-book.ts'
import { sayingIn } from '../talk/intake.ts'
import { TalkMemory } from '../talk/memory.ts'
import type { SealedState } from '../talk/sealed-state.ts'
import type { Circle } from './file-book.ts'

/** The latest: nobody looks through more. */
const OFFERS_MAX = 512
/** Of an id that is typed. */
const ID_CHARS_MIN = 4

export interface Offered {
  readonly offer: FileOffer
  readonly circle: Circle
  /** The contact or the room, as it is called here. */
  readonly where: string
  /** Null: we do. */
  readonly by: ZoneKey | null
  /** What they are called here. */
  readonly who: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The oldest first. Fails with STATE_UNREADABLE, STATE_UNWRITABLE, STATE_LOCKED, NO_EGO. */
export async function offersKnown(
  context: Context,
  sealed: SealedState,
): Promise<readonly Offered[]> {
  const all = [...(await fromPeople(context, sealed)), ...(await fromRooms(context))]
  const first = new Map<string, Offered>()
  for (const one of all.toSorted((a, b) => a.at - b.at)) {
    // Who says it first in a circle offers it; whoever repeats it does not.
    const key = `${offerId(one.offer)} ${circleText(one.circle)}`
    if (!first.has(key)) first.set(key, one)
  }
  return [...first.values()].slice(-OFFERS_MAX)
}

/** The one that is meant by the beginning of its id. Throws OFFER_UNKNOWN, INPUT_INVALID. */
export function offerCalled<T extends Pick<Offered, 'offer'>>(
  offers: readonly T[],
  text: string,
): T {
  const wanted = text.toLowerCase()
  if (!/^[0-9a-z]+$/.test(wanted) || wanted.length < ID_CHARS_MIN)
    throw new BoxError('INPUT_INVALID', `A file is called by ${ID_CHARS_MIN} characters or more.`)
  const found = offers.filter(({ offer }) => offerId(offer).startsWith(wanted))
  const [one] = found
  if (!one) throw new BoxError('OFFER_UNKNOWN')
  if (found.some(({ offer }) => offerId(offer) !== offerId(one.offer)))
    throw new BoxError('INPUT_INVALID', 'Several files begin so: say more of it.')
  return one
}

async function fromPeople(context: Context, sealed: SealedState): Promise<Offered[]> {
  const me = context.ego().name
  const offers: Offered[] = []
  for (const contact of new ContactBook(sealed).contacts()) {
    const { name, zone } = contact
    const memory = new TalkMemory(sealed, filedUnder(contact))
    for (const { by, number, packet } of await memory.history()) {
      const saying = sayingIn(packet)
      if (saying.is !== 'file') continue
      offers.push({
        ...{ offer: saying.offer, circle: { is: 'contact', zone }, where: name, at: number },
        ...(by === 'me' ? { by: null, who: me } : { by: zone, who: name }),
      })
    }
  }
  return offers
}

async function fromRooms(context: Context): Promise<Offered[]> {
  const { secret, former } = context.ego()
  const own = new Set(
    [secret, ...former.map(one => one.secret)].map(({ zone }) => zoneToText(zone)),
  )
  const names = new RoomNames(context)
  const offers: Offered[] = []
  for (const room of new RoomBook(context.state).rooms())
    for (const message of (await keptRoom(context, room)).messages) {
      const said = saidIn(message)
      const zone = said?.author && zoneIn(said.author.zone)
      if (!said?.offer || !zone) continue
      offers.push({
        ...{ offer: said.offer, circle: { is: 'room', place: room.place }, where: room.name },
        ...{ by: own.has(said.author.zone) ? null : zone, who: names.of(said.author), at: said.at },
      })
    }
  return offers
}

const circleText = (circle: Circle): string =>
  circle.is === 'contact' ? zoneToText(circle.zone) : encodeBase32(circle.place)

export function zoneIn(text: string): ZoneKey | null {
  try {
    return zoneFromText(text)
  } catch (error) {
    if (error instanceof BoxError) return null
    throw error
  }
}
