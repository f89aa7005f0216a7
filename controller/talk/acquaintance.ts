/**
 * How people become contacts and cease to be, for whoever asks: the commands, and the local API. The ways with a code are
 * in befriending.ts.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { personName } from '../../src/box/person-name.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { Bond } from '../../src/social/bond.ts'
import { signIntroduction } from '../../src/social/introduction.ts'
import type { Context } from '../context.ts'
import { type Book, type Contact, type ContactBook, filedUnder, offersIn } from './contact-book.ts'
import type { TalkDesk, Whither } from './desk.ts'
import { TalkMemory } from './memory.ts'
import type { SealedState } from './sealed-state.ts'

/** The zone key, where it is one. */
export function zoneIn(text: string): ZoneKey | null {
  try {
    return zoneFromText(text)
  } catch {
    return null
  }
}

/** The name in one spelling. Throws NAME_TAKEN, NAME_INVALID. */
export function freeName(book: ContactBook, text: string): string {
  const name = personName(text)
  if (book.contacts().some(one => one.name === name))
    throw new BoxError('NAME_TAKEN', `Another contact is called "${name}".`)
  return name
}

/** Takes somebody in whose key was typed. Fails with INPUT_INVALID, NAME_TAKEN. */
export async function addByKey(
  context: Context,
  book: ContactBook,
  zone: ZoneKey,
  name: string,
): Promise<Contact> {
  mustBeOther(context, zone)
  const known = { is: 'unverified' } as const
  return await book.add({ name, zone, known, addedAt: context.clock.now() })
}

/** Takes somebody in who was introduced, by their name or key. Fails with CONTACT_UNKNOWN, INPUT_INVALID, NAME_TAKEN. */
export async function acceptOffer(
  context: Context,
  book: ContactBook,
  text: string,
  as: string | undefined,
): Promise<Contact> {
  const found = offersIn(book.read()).filter(
    ({ name, zone }) => name === text || zoneToText(zone) === text,
  )
  const [offer, another] = found
  if (!offer) throw new BoxError('CONTACT_UNKNOWN', 'Nobody of this name was introduced to you.')
  if (another) throw new BoxError('INPUT_INVALID', 'Several are called so: say which by the key.')
  mustBeOther(context, offer.zone)
  const name = freeName(book, as ?? offer.name)
  const { zone, by, signed } = offer
  const known = { is: 'introduced', by, signed } as const
  return await book.add({ name, zone, known, addedAt: context.clock.now() })
}

export interface Introduced {
  readonly contacts: readonly [Contact, Contact]
  /** Where what was said to each is. */
  readonly is: readonly Whither[]
}

/** Tells two contacts the key of the other one. Fails with CONTACT_UNKNOWN, INPUT_INVALID. */
export async function introduceContacts(
  context: Context,
  desk: TalkDesk,
  names: readonly [string, string],
): Promise<Introduced> {
  const own = context.ego().secret
  const [one, other] = [desk.book.contact(names[0]), desk.book.contact(names[1])]
  if (one.name === other.name) throw new BoxError('INPUT_INVALID', 'That is one and the same.')
  for (const { known, name } of [one, other])
    if (known.is === 'unverified')
      throw new BoxError('INPUT_INVALID', `You have never checked the key of ${name} yourself.`)
  for (const [to, about] of [
    [one, other],
    [other, one],
  ] as const) {
    const { name, zone } = about
    const signed = signIntroduction(own, { to: to.zone, zone, name, at: context.clock.now() })
    await desk.say(to, { is: 'introduction', signed })
  }
  return { contacts: [one, other], is: await Promise.all([one, other].map(to => desk.deliver(to))) }
}

/** Forgets somebody, and all that was said. Fails with CONTACT_UNKNOWN. */
export async function forgetContact(
  book: ContactBook,
  sealed: SealedState,
  text: string,
): Promise<Contact> {
  const contact = book.contact(text)
  await book.remove(contact.zone)
  await new TalkMemory(sealed, filedUnder(contact)).forget()
  return contact
}

/** As programs read it: contacts, and who was introduced and is not accepted yet (`offered`). */
export interface ListedContact {
  readonly name: string
  readonly zone: string
  readonly known: Contact['known']['is'] | 'offered'
  /** Who introduced them, as they are called here. */
  readonly by: string | null
  /** Devices that keep letters for them. */
  readonly relays: readonly string[]
  /** The keys they had before this one, the oldest first. */
  readonly before: readonly string[]
}

export function listedContacts(book: Book): readonly ListedContact[] {
  const names = new Map(book.contacts.map(({ name, zone }) => [zoneToText(zone), name]))
  const nameOf = (zone: ZoneKey) => names.get(zoneToText(zone)) ?? zoneToText(zone)
  const contacts = book.contacts.map(({ name, zone, known, relays, before }) => ({
    ...{ name, zone: zoneToText(zone), known: known.is, relays: relays.map(zoneToText) },
    before: before.map(zoneToText),
    by: known.is === 'introduced' ? nameOf(known.by) : null,
  }))
  const offers = offersIn(book).map(({ name, zone, by }) => ({
    ...{
      name,
      zone: zoneToText(zone),
      known: 'offered' as const,
      by: nameOf(by),
      relays: [],
      before: [],
    },
  }))
  return [...contacts, ...offers]
}

/** Throws INPUT_INVALID for oneself, and for a key that cannot talk. */
function mustBeOther(context: Context, zone: ZoneKey): void {
  const { secret } = context.ego()
  if (zoneToText(secret.zone) === zoneToText(zone))
    throw new BoxError('INPUT_INVALID', 'This is your own key.')
  new Bond(secret, zone)
}
