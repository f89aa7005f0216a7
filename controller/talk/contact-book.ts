/**
 * The people of this controller: what each is called here, by which key they are known and how sure that is, and where
 * they were the last time. Nobody else has this list. Each change reads it again under the lock of the state directory
 * and replaces it as a whole.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import {
  type DeviceRecord,
  formatDeviceRecord,
  parseDeviceRecord,
} from '../../src/box/device-record.ts'
import { DROPS_MAX } from '../../src/box/mail-talk.ts'
import { personName } from '../../src/box/person-name.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { type Introduction, readIntroduction } from '../../src/social/introduction.ts'
import type { SealedState } from './sealed-state.ts'

const FILE = 'contacts'
const VERSION = 1
/** Introductions that wait; the oldest give way. */
const OFFERS_MAX = 64
/** Of the keys that somebody had before; the first is kept beside, since files are called by it. */
const BEFORE_MAX = 8

/** How we know that the key is theirs. */
export type Known =
  /** Both showed the same words. */
  | { readonly is: 'paired' }
  /** Somebody vouched for it: who, and what they signed. */
  | { readonly is: 'introduced'; readonly by: ZoneKey; readonly signed: Uint8Array }
  /** Somebody typed it. */
  | { readonly is: 'unverified' }

export interface Contact {
  readonly name: string
  readonly zone: ZoneKey
  readonly known: Known
  /** Milliseconds since 1970. */
  readonly addedAt: number
  /** Where they were, and which devices keep letters for them, as they said the last time. */
  readonly where: DeviceRecord | null
  readonly relays: readonly ZoneKey[]
  /** The keys they had before this one, the oldest first (succession.ts): they are theirs no longer. */
  readonly before: readonly ZoneKey[]
  /** The last key of ours by which they are sure to know us; null: nobody can say yet. */
  readonly knowsUs: ZoneKey | null
}

/** The key by which what was said with somebody is filed: the first they had here. */
export const filedUnder = ({ zone, before }: Pick<Contact, 'zone' | 'before'>): ZoneKey =>
  before[0] ?? zone

type NewContact = Pick<Contact, 'name' | 'zone' | 'known' | 'addedAt'> &
  Partial<Pick<Contact, 'knowsUs'>>

export interface Book {
  readonly contacts: readonly Contact[]
  /** Introductions that were not accepted yet, signed. */
  readonly offers: readonly Uint8Array[]
}

const NOBODY: Book = { contacts: [], offers: [] }

export class ContactBook {
  private readonly sealed: SealedState

  constructor(sealed: SealedState) {
    this.sealed = sealed
  }

  /** Throws STATE_UNREADABLE. */
  read(): Book {
    const value = this.sealed.read(FILE)
    if (value === null) return NOBODY
    try {
      return bookOf(value)
    } catch (cause) {
      throw new BoxError('STATE_UNREADABLE', `The list of contacts (${FILE}) is damaged.`, cause)
    }
  }

  /** Another one as soon as the list is. */
  revision(): string {
    return this.sealed.revision(FILE)
  }

  contacts(): readonly Contact[] {
    return this.read().contacts
  }

  /** By name, or by zone key, also one they had before. Throws CONTACT_UNKNOWN, NAME_INVALID. */
  contact(text: string): Contact {
    const name = personName(text)
    const found = this.contacts().find(
      one => one.name === name || [one.zone, ...one.before].some(zone => zoneToText(zone) === text),
    )
    if (found) return found
    throw new BoxError('CONTACT_UNKNOWN', `"${name}" is none of your contacts: see box contact ls.`)
  }

  /** By the key they have: who proves another one is somebody else. */
  find(zone: ZoneKey): Contact | null {
    return this.contacts().find(one => equalBytes(one.zone, zone)) ?? null
  }

  /** By a key that they have, or had: for what was noted here about them, not for what anybody proves. */
  findEver(zone: ZoneKey): Contact | null {
    const all = this.contacts()
    return (
      all.find(one => equalBytes(one.zone, zone)) ?? all.find(one => hadBefore(one, zone)) ?? null
    )
  }

  /**
   * Takes somebody in. Who is there already keeps what is known of where they are, and is known the better way of the
   * two. Throws NAME_TAKEN, INPUT_INVALID.
   */
  async add(given: NewContact): Promise<Contact> {
    let kept: Contact = { knowsUs: null, ...given, where: null, relays: [], before: [] }
    await this.change(book => {
      const before = book.contacts.find(one => equalBytes(one.zone, given.zone))
      const others = book.contacts.filter(one => one !== before)
      if (others.some(({ name }) => name === given.name))
        throw new BoxError('NAME_TAKEN', `Another contact is called "${given.name}".`)
      if (others.length >= DROPS_MAX)
        throw new BoxError('INPUT_INVALID', `There are ${DROPS_MAX} contacts already.`)
      const heir = others.find(one => hadBefore(one, given.zone))
      if (heir)
        throw new BoxError('INPUT_INVALID', `This key was given up: ${heir.name} has another one.`)
      const known = before && rank(before.known) > rank(given.known) ? before.known : given.known
      kept = { ...kept, ...before, name: given.name, known }
      if (given.knowsUs) kept = { ...kept, knowsUs: given.knowsUs }
      const offers = book.offers.filter(one => !isAbout(one, given.zone))
      return { contacts: [...others, kept], offers }
    })
    return kept
  }

  /** Throws CONTACT_UNKNOWN, NAME_TAKEN, NAME_INVALID. */
  async rename(text: string, to: string): Promise<Contact> {
    const { zone } = this.contact(text)
    const name = personName(to)
    await this.change(book => {
      if (book.contacts.some(one => one.name === name && !equalBytes(one.zone, zone)))
        throw new BoxError('NAME_TAKEN', `Another contact is called "${name}".`)
      return edited(book, zone, one => ({ ...one, name }))
    })
    return this.contact(name)
  }

  async remove(zone: ZoneKey): Promise<void> {
    await this.change(book => ({
      ...book,
      contacts: book.contacts.filter(one => !equalBytes(one.zone, zone)),
    }))
  }

  /** Keeps where somebody is, if they are still there and it is something new. */
  async remember(zone: ZoneKey, seen: Partial<Pick<Contact, 'where' | 'relays'>>): Promise<void> {
    await this.change(book => edited(book, zone, one => ({ ...one, ...seen })))
  }

  /**
   * Somebody has another key from now on; what is known of them stays. False where they are no contact by the key
   * before any more, or another contact has the new key.
   */
  async succeed(before: ZoneKey, after: ZoneKey): Promise<boolean> {
    let isNew = false
    await this.change(book => {
      const isTaken = book.contacts.some(
        one => equalBytes(one.zone, after) || hadBefore(one, after),
      )
      if (isTaken) return book
      return edited(book, before, one => {
        isNew = true
        const [first, ...rest] = [...one.before, one.zone]
        return { ...one, zone: after, before: [first!, ...rest.slice(-BEFORE_MAX)] }
      })
    })
    return isNew
  }

  /** They have shown that they know us by this key of ours. */
  async knowsUsBy(zone: ZoneKey, ours: ZoneKey): Promise<void> {
    await this.change(book => edited(book, zone, one => ({ ...one, knowsUs: ours })))
  }

  /** Keeps an introduction until it is accepted. One of somebody we know already is not needed. */
  async offer(signed: Uint8Array): Promise<void> {
    const { zone } = readIntroduction(signed)
    await this.change(book => {
      if (book.contacts.some(one => equalBytes(one.zone, zone) || hadBefore(one, zone))) return book
      const others = book.offers.filter(one => !isAbout(one, zone))
      return { ...book, offers: [...others, signed].slice(-OFFERS_MAX) }
    })
  }

  private async change(edit: (book: Book) => Book): Promise<void> {
    const { state } = this.sealed
    await state.exclusively(() => {
      const before = this.read()
      const after = edit(before)
      if (after !== before) this.sealed.write(FILE, jsonOf(after))
    })
  }
}

/** What these introductions say. */
export const offersIn = ({ offers }: Book): readonly (Introduction & { signed: Uint8Array })[] =>
  offers.map(signed => ({ ...readIntroduction(signed), signed }))

const hadBefore = ({ before }: Contact, zone: ZoneKey): boolean =>
  before.some(one => equalBytes(one, zone))

const isAbout = (signed: Uint8Array, zone: ZoneKey): boolean =>
  equalBytes(readIntroduction(signed).zone, zone)

const rank = ({ is }: Known): number => ['unverified', 'introduced', 'paired'].indexOf(is)

/** The same book where nothing is different. */
function edited(book: Book, zone: ZoneKey, edit: (contact: Contact) => Contact): Book {
  let isDifferent = false
  const contacts = book.contacts.map(one => {
    if (!equalBytes(one.zone, zone)) return one
    const after = edit(one)
    isDifferent ||= JSON.stringify(contactJson(after)) !== JSON.stringify(contactJson(one))
    return after
  })
  return isDifferent ? { ...book, contacts } : book
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const fromBase64 = (text: unknown): Uint8Array =>
  Uint8Array.from(Buffer.from(text as string, 'base64'))

const jsonOf = ({ contacts, offers }: Book): object => ({
  version: VERSION,
  contacts: contacts.map(contactJson),
  offers: offers.map(toBase64),
})

const contactJson = ({ name, zone, known, addedAt, where, relays, ...keys }: Contact): object => ({
  ...{ name, zone: zoneToText(zone), addedAt },
  known:
    known.is === 'introduced'
      ? { is: known.is, by: zoneToText(known.by), signed: toBase64(known.signed) }
      : known,
  where: where && formatDeviceRecord(where),
  relays: relays.map(zoneToText),
  ...(keys.before.length > 0 && { before: keys.before.map(zoneToText) }),
  ...(keys.knowsUs && { knowsUs: zoneToText(keys.knowsUs) }),
})

/** Throws where anything is not as `jsonOf` makes it. */
function bookOf(value: unknown): Book {
  const { version, contacts, offers } = value as Record<string, unknown>
  if (version !== VERSION) throw new TypeError('another version')
  const signed = (offers as unknown[]).map(fromBase64)
  for (const one of signed) readIntroduction(one)
  return { contacts: (contacts as unknown[]).map(contactOf), offers: signed }
}

function contactOf(value: unknown): Contact {
  const { name, zone, known, addedAt, where, relays, ...keys } = value as Partial<
    Record<keyof Contact, unknown>
  >
  if (typeof addedAt !== 'number') throw new TypeError('no contact')
  return {
    name: personName(name as string),
    zone: zoneFromText(zone as string),
    known: knownOf(known),
    addedAt,
    where: typeof where === 'string' ? parseDeviceRecord(where) : null,
    relays: (relays as string[]).map(zoneFromText),
    before: ((keys.before ?? []) as string[]).map(zoneFromText),
    knowsUs: typeof keys.knowsUs === 'string' ? zoneFromText(keys.knowsUs) : null,
  }
}

function knownOf(value: unknown): Known {
  const { is, by, signed } = value as Record<string, unknown>
  if (is === 'paired' || is === 'unverified') return { is }
  if (is === 'introduced') return { is, by: zoneFromText(by as string), signed: fromBase64(signed) }
  throw new TypeError('known in no way')
}
