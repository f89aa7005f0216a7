/**
 * The letters this agent keeps for people who are away: sealed, of few sizes, from writers that it does not know. A
 * person names the drops into which others may put something, and leaves a card for each, for whoever comes; nobody
 * else can put anything anywhere. Bounded for each drop, each person and in all, and kept for two weeks.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Store } from '../src/base/store.ts'
import { DROPS_MAX, type Drop } from '../src/box/mail-talk.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import { CELL_SIZES } from '../src/psyc/padding.ts'
import { CARD_BYTES_MAX } from '../src/social/prekeys.ts'
import { encodeBase32 } from '../src/wire/base32.ts'

const KEPT_MS = 14 * 24 * 60 * 60_000
/** Of whoever has not looked for so long, everything goes. */
const MAILBOX_KEPT_MS = 180 * 24 * 60 * 60_000
/** As the flash of a hub allows, beside all else. */
const MAILBOXES_MAX = 32
const LETTERS_BYTES_MAX = 16 * 1_024 * 1_024
/** Of one writer to one reader: a day of talk, or four of the largest. */
const DROP_LETTERS_MAX = 64
const DROP_BYTES_MAX = 256 * 1_024
const MAILBOX = 'mailbox-'
const LETTER = 'letter-'

export interface KeptLetter {
  /** As its drop is written. */
  readonly drop: string
  /** One of a kind in its drop; grows. */
  readonly number: number
  readonly size: number
  /** Milliseconds since 1970. */
  readonly at: number
}

interface Mailbox {
  readonly owner: string
  readonly at: number
  readonly drops: readonly Drop[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const fromBase64 = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'))

export class MailShelf {
  private readonly store: Store
  private readonly now: () => number

  constructor(store: Store, now: () => number) {
    this.store = store
    this.now = now
  }

  /** The drops of a person, in place of those before. Throws LIMIT_EXCEEDED, PUSH_REFUSED, STATE_UNWRITABLE. */
  setMailbox(owner: ZoneKey, drops: readonly Drop[]): void {
    this.tidy()
    const text = zoneToText(owner)
    const others = this.mailboxes().filter(one => one.owner !== text)
    const isTooMuch = drops.length > DROPS_MAX || others.length >= MAILBOXES_MAX
    if (isTooMuch || drops.some(({ card }) => card.length > CARD_BYTES_MAX))
      throw new BoxError('LIMIT_EXCEEDED', 'This relay keeps as many mailboxes as it can already.')
    const taken = new Set(others.flatMap(one => one.drops.map(({ drop }) => encodeBase32(drop))))
    if (drops.some(({ drop }) => taken.has(encodeBase32(drop))))
      throw new BoxError('PUSH_REFUSED', 'A drop is somebody else’s.')
    this.write({ owner: text, at: this.now() }, drops)
    this.sweep()
  }

  /**
   * What one key keeps here, another one keeps from now on. Where that has a mailbox already, both become one, as far as
   * it goes. Throws STATE_UNWRITABLE.
   */
  succeed(before: ZoneKey, after: ZoneKey): void {
    const all = this.mailboxes()
    const old = all.find(({ owner }) => owner === zoneToText(before))
    if (!old) return
    const own = all.find(({ owner }) => owner === zoneToText(after))?.drops ?? []
    const more = old.drops.filter(({ drop }) => !own.some(one => equalBytes(one.drop, drop)))
    this.write({ owner: zoneToText(after), at: this.now() }, [...own, ...more].slice(0, DROPS_MAX))
    this.store.delete(MAILBOX + old.owner)
  }

  /** Whether somebody keeps letters here. */
  hasMailbox(owner: ZoneKey): boolean {
    return this.store.get(MAILBOX + zoneToText(owner)) !== null
  }

  /** The card that lies at a drop; null where there is no such drop. */
  card(drop: Uint8Array): Uint8Array | null {
    return this.dropOf(drop)?.card ?? null
  }

  /** Whose drop it is; null where there is no such drop. */
  ownerOf(drop: Uint8Array): ZoneKey | null {
    const owner = this.dropOf(drop)?.owner
    return owner === undefined ? null : zoneFromText(owner)
  }

  /** The drops of a person, or of all for null, as encodeBase32 writes them. */
  dropsOf(owner: ZoneKey | null): ReadonlySet<string> {
    const boxes = this.mailboxes().filter(one => owner === null || one.owner === zoneToText(owner))
    return new Set(boxes.flatMap(({ drops }) => drops).map(({ drop }) => encodeBase32(drop)))
  }

  /** Keeps a letter. Throws PUSH_REFUSED, LIMIT_EXCEEDED, STATE_UNWRITABLE. */
  put(drop: Uint8Array, letter: Uint8Array): void {
    if (!this.dropOf(drop)) throw new BoxError('PUSH_REFUSED', 'There is no such drop here.')
    if (!(CELL_SIZES as readonly number[]).includes(letter.length))
      throw new BoxError('PUSH_REFUSED', 'A letter has one of few sizes.')
    this.tidy()
    const text = encodeBase32(drop)
    const all = this.letters()
    const own = all.filter(one => one.drop === text)
    const sizeOf = (some: readonly KeptLetter[]) =>
      some.reduce((sum, { size }) => sum + size, letter.length)
    if (own.length >= DROP_LETTERS_MAX || sizeOf(own) > DROP_BYTES_MAX)
      throw new BoxError('LIMIT_EXCEEDED', 'So many letters wait here already.')
    if (sizeOf(all) > LETTERS_BYTES_MAX)
      throw new BoxError('LIMIT_EXCEEDED', 'This relay keeps as much as it can already.')
    const number = Math.max(0, ...own.map(one => one.number)) + 1
    this.store.set(nameOf({ drop: text, number, size: letter.length, at: this.now() }), letter)
  }

  /** What waits for a person, the oldest first. */
  waitingFor(owner: ZoneKey): readonly KeptLetter[] {
    const drops = this.dropsOf(owner)
    return this.letters()
      .filter(one => drops.has(one.drop) && !this.isOver(one))
      .toSorted((a, b) => a.at - b.at || a.number - b.number)
  }

  /** Null where it is no longer there. */
  get(letter: KeptLetter): Uint8Array | null {
    return this.store.get(nameOf(letter))
  }

  drop(letter: KeptLetter): void {
    this.store.delete(nameOf(letter))
  }

  private write({ owner, at }: Pick<Mailbox, 'owner' | 'at'>, drops: readonly Drop[]): void {
    const json = drops.map(({ drop, card }) => [toBase64(drop), toBase64(card)])
    const value = JSON.stringify({ version: 1, at, drops: json })
    this.store.set(MAILBOX + owner, encoder.encode(value))
  }

  private dropOf(drop: Uint8Array): (Drop & { readonly owner: string }) | null {
    for (const { owner, drops } of this.mailboxes()) {
      const found = drops.find(one => equalBytes(one.drop, drop))
      if (found) return { ...found, owner }
    }
    return null
  }

  private tidy(): void {
    for (const one of this.letters()) if (this.isOver(one)) this.drop(one)
    for (const { owner, at } of this.mailboxes())
      if (this.now() - at > MAILBOX_KEPT_MS) this.store.delete(MAILBOX + owner)
  }

  /** What lies in drops that nobody has any more. */
  private sweep(): void {
    const known = this.dropsOf(null)
    for (const one of this.letters()) if (!known.has(one.drop)) this.drop(one)
  }

  private isOver({ at }: KeptLetter): boolean {
    return this.now() - at > KEPT_MS
  }

  private letters(): readonly KeptLetter[] {
    return this.store.names().flatMap(name => letterOf(name) ?? [])
  }

  private mailboxes(): readonly Mailbox[] {
    const names = this.store.names().filter(name => name.startsWith(MAILBOX))
    return names.flatMap(name => mailboxOf(name, this.store.get(name)) ?? [])
  }
}

/** All that is to be known of a letter is in its name: nothing is read before somebody asks for it. */
const nameOf = ({ drop, number, size, at }: KeptLetter): string =>
  `${LETTER}${[drop, number, size, at].join('-')}`

function letterOf(name: string): KeptLetter | null {
  if (!name.startsWith(LETTER)) return null
  const [drop, ...rest] = name.slice(LETTER.length).split('-')
  const [number, size, at] = rest.map(Number)
  if (rest.length !== 3 || ![number, size, at].every(Number.isSafeInteger)) return null
  return { drop: drop!, number: number!, size: size!, at: at! }
}

/** What is damaged is none: its owner leaves another one. */
function mailboxOf(name: string, value: Uint8Array | null): Mailbox | null {
  try {
    const { version, at, drops } = JSON.parse(decoder.decode(value ?? new Uint8Array(0)))
    if (version !== 1 || typeof at !== 'number') return null
    return {
      owner: name.slice(MAILBOX.length),
      at,
      drops: (drops as [string, string][]).map(([drop, card]) => ({
        drop: fromBase64(drop),
        card: fromBase64(card),
      })),
    }
  } catch {
    return null
  }
}
