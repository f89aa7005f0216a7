/**
 * What was said in a room, as lines for people and as values for programs. Names come from the fleet first, then
 * from the room; what others wrote cannot steer the terminal, nor look like a line of somebody else.
 */

import type { RoomAddress } from '../../src/box/room-address.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Message } from '../../src/psyc/channel.ts'
import { inherits } from '../../src/psyc/keyword.ts'
import { type FileOffer, offerId, readOffer } from '../../src/social/file-offer.ts'
import type { Context } from '../context.ts'

/** The text of a zone begins with its type, which is the same for all; these tell one from the other. */
const SHORT = { from: 7, to: 15 } as const
/** Written behind the first line of a text, so that no line of it begins as a message does. */
const INDENT = ' '.repeat(4)
const decoder = new TextDecoder()
/** Of what an offer is called by, as people type it. */
export const ID_SHOWN = 8

export interface Person {
  readonly zone: string
  /** What the room calls them; '' for nothing. */
  readonly nick: string
}

/** How people are called here. */
export class RoomNames {
  private readonly known = new Map<string, string>()

  constructor({ fleet, ego }: Pick<Context, 'fleet' | 'ego'>) {
    for (const { zone, name } of fleet.devices()) this.known.set(zoneToText(zone), name)
    const { name, secret, former } = ego()
    // What we said by a key before is ours.
    for (const own of [secret, ...former.map(one => one.secret)])
      this.known.set(zoneToText(own.zone), name)
  }

  /** Ours for them, else the room's, marked where we call somebody else so; else a short form of the key. */
  of({ zone, nick }: Person): string {
    const own = this.known.get(zone)
    if (own !== undefined) return own
    const short = `…${zone.slice(SHORT.from, SHORT.to)}`
    if (nick === '') return short
    return [...this.known.values()].includes(nick) ? `${nick}(${short})` : nick
  }
}

/** What everybody is told who comes in. */
export const modeLine = ({ name, isDeniable }: Pick<RoomAddress, 'name' | 'isDeniable'>): string =>
  isDeniable
    ? `${name} is deniable: some hours later, what is said proves nothing to anybody else.`
    : `${name} is provable: what is said is signed by the room.`

/** What happened, of all methods that are shown; what has none of these is passed over. */
const KINDS = [
  ['_message', 'message'],
  ['_notice_place_enter', 'enter'],
  ['_notice_place_leave_removed', 'remove'],
  ['_notice_place_leave', 'leave'],
  ['_notice_place_invite', 'invite'],
  ['_notice_place_nick', 'name'],
  ['_notice_place_key', 'key'],
] as const
/** A message that offers a file: who does not know it shows the text of it. */
export const FILE_METHOD = '_message_file'
type Kind = (typeof KINDS)[number][1]

export interface Said {
  readonly id: bigint
  readonly at: number
  readonly what: Kind
  /** Who said or did it; null where nobody is named. */
  readonly author: Person | null
  /** Whom it is about. */
  readonly person: Person | null
  readonly text: string
  /** What is offered with it. */
  readonly offer: FileOffer | null
}

/** Null where it is nothing to show. */
export function saidIn({ id, at, method, entity, data }: Message): Said | null {
  const what = KINDS.find(([name]) => inherits(method, name))?.[1]
  if (!what) return null
  // The host's own words come first, and it lets nobody else say these.
  const text = (name: string) => {
    const found = entity.find(one => one.name === name)
    return found ? decoder.decode(found.value) : ''
  }
  const personOf = (zone: string, nick: string): Person | null =>
    zone === '' ? null : { zone, nick }
  return {
    ...{ id, at, what },
    author: personOf(text('_nym_author'), text('_nick_author')),
    person: personOf(text('_nym'), text('_nick')),
    text: what === 'message' ? decoder.decode(data) : '',
    offer: inherits(method, FILE_METHOD) ? readOffer(entity) : null,
  }
}

/** For people. */
export function lineOf(said: Said, names: RoomNames): string {
  const time = timeText(said.at)
  const who = said.author ? names.of(said.author) : '?'
  if (said.offer) return `${time} -- ${who} ${offerLine(said.offer)}`
  if (said.what === 'message') return `${time} ${who}: ${tame(said.text)}`
  const whom = said.person ? names.of(said.person) : '?'
  const happened = {
    enter: `${whom} enters`,
    leave: `${whom} leaves`,
    remove: `${whom} is put out`,
    invite: `${who} invites ${whom}`,
    key: `${whom} has a new key`,
    name: `${who} calls ${said.person?.zone ?? '?'} ${said.person?.nick || 'nothing'}`,
  }[said.what]
  return `${time} -- ${tame(happened)}`
}

/** For programs. */
export const saidValue = (room: string, said: Said, names: RoomNames): object => ({
  room,
  id: `${said.id}`,
  at: new Date(said.at).toISOString(),
  what: said.offer ? 'file' : said.what,
  ...(said.author && { author: names.of(said.author), author_zone: said.author.zone }),
  ...(said.person && { person: names.of(said.person), person_zone: said.person.zone }),
  ...(said.what === 'message' && { text: said.text }),
  ...(said.offer && offerValue(said.offer)),
})

/** Behind who offers it. */
export const offerLine = (offer: FileOffer): string =>
  `offers ${offer.name}, ${offer.size} bytes: box files get ${offerId(offer).slice(0, ID_SHOWN)}`

/** An offer as programs see it: nothing that opens it. */
export const offerValue = (offer: FileOffer): object => ({
  file: offerId(offer),
  name: offer.name,
  size: offer.size,
})

/**
 * A text that stays where it is put: line ends are followed by blanks, and what turns the direction of writing
 * around is shown as `?`. What steers terminals is taken out where all lines are printed (output.ts).
 */
export const tame = (text: string): string =>
  text
    .trimEnd()
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, '?')
    .replace(/\r\n|[\n\r\u2028\u2029]/g, `\n${INDENT}`)

/** The time at this machine: what people in a room compare with their clocks. */
export function timeText(at: number): string {
  const time = new Date(at)
  const two = (number: number) => `${number}`.padStart(2, '0')
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`
}
