/**
 * The files that people offer to each other, for whoever asks `box up`: which there are, offering one whose bytes have been
 * sent here, fetching one, and taking back. What was sent, or is fetched, lies with the state meanwhile (files/copies.ts).
 */

import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { safeFileName } from '../../src/social/file-name.ts'
import { type FileOffer, offerId, offerModifiers, offerText } from '../../src/social/file-offer.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { offeredValue } from '../commands/files.ts'
import type { Context } from '../context.ts'
import { copyFolder, isCopy, removeCopy, sweepCopies, writeCopy } from '../files/copies.ts'
import { FileBook, type HeldFile } from '../files/file-book.ts'
import { mustFetchFiles, mustHandFiles } from '../files/file-keys.ts'
import { leftOf, unheardTakingBack } from '../files/leaving.ts'
import { takeForOffer } from '../files/offering.ts'
import { type Offered, offerCalled, offersKnown } from '../files/offers.ts'
import { partPath } from '../files/part-file.ts'
import { type KnownRoom, RoomBook } from '../room/book.ts'
import { FILE_METHOD } from '../room/lines.ts'
import { type Contact, ContactBook } from '../talk/contact-book.ts'
import { SealedState } from '../talk/sealed-state.ts'
import { type FetchedBytes, fetchedBytes, heldBytes } from './offer-bytes.ts'
import type { RoomHall } from './room-hall.ts'
import { tooMany } from './streams.ts'
import type { TalkHall } from './talk-hall.ts'

/** Each is written to the disk, and read again. */
const OFFERING_MAX = 4
/** As many as come from others; each has a channel. */
const FETCHING_MAX = 8
const ID_SIZE = 10

/** Who is offered a file. */
export type Target =
  | { readonly is: 'contact'; readonly contact: Contact }
  | { readonly is: 'room'; readonly room: KnownRoom }

export interface Upload {
  /** What it is called where it comes from. */
  readonly name: string
  readonly body: AsyncIterable<Uint8Array>
  /** As far as it was said before; 0 where it was not. */
  readonly announced: number
}

export interface OfferParts {
  readonly hall: RoomHall
  readonly talk: TalkHall
}

interface Fetching {
  /** Bytes that have come. */
  done: number
  /** How long whoever has it is looked for. */
  readonly timeoutMs: number
  readonly end: AbortController
}

export class OfferDesk {
  private readonly context: Context
  private readonly parts: OfferParts
  /** Where something is being written that nothing else tells of yet. */
  private readonly busy = new Set<string>()
  private offering = 0
  private readonly fetching = new Map<string, Fetching>()

  constructor(context: Context, parts: OfferParts) {
    this.context = context
    this.parts = parts
  }

  /** As `box files --json`, with how much of each is here. Fails as offersKnown. */
  async list(): Promise<readonly object[]> {
    const { state, random, clock } = this.context
    const sealed = SealedState.find(state, random)
    // Asking makes nothing.
    if (!sealed && new RoomBook(state).rooms().length === 0) return []
    const { book, offers } = await this.known()
    const held = new Map(book.read().map(one => [offerId(one.offer), one]))
    return offers.map(one => {
      const found = held.get(offerId(one.offer)) ?? null
      return {
        ...{ path: null, fetched_by: null, relay: null },
        ...offeredValue(one, found, clock.now()),
        here: this.bytesHere(one.offer, found),
      }
    })
  }

  /** Throws CONTACT_UNKNOWN, and INPUT_INVALID where we or they cannot have to do with files. */
  contactFor(name: string): Target {
    const { contact } = this.parts.talk.mustKnow(name)
    mustHandFiles(this.context.ego().secret.zone)
    mustFetchFiles(contact)
    return { is: 'contact', contact }
  }

  /** Throws ROOM_UNKNOWN, and INPUT_INVALID where we cannot have to do with files. */
  roomFor(name: string): Target {
    const room = new RoomBook(this.context.state).room(name)
    mustHandFiles(this.context.ego().secret.zone)
    return { is: 'room', room }
  }

  /** Fails as writeCopy, takeForOffer, and as what is said; then nothing of it stays. */
  async offer(reader: Context, target: Target, { name, body, announced }: Upload) {
    if (this.offering >= OFFERING_MAX) throw tooMany('Too many files are under way already.')
    this.offering += 1
    const { state, random } = this.context
    try {
      const folder = copyFolder(state, encodeBase32(random.bytes(ID_SIZE)).toLowerCase())
      const path = join(folder, safeFileName(name))
      return await this.whileBusy(path, async ({ book }) => {
        await writeCopy(path, body, announced)
        const held = await takeForOffer(reader, book, {
          ...{ path, step: () => {} },
          circle:
            target.is === 'contact'
              ? { is: 'contact', zone: target.contact.zone }
              : { is: 'room', place: target.room.place },
        })
        return { held, is: await this.tell(book, target, held) }
      })
    } finally {
      this.offering -= 1
    }
  }

  /**
   * The bytes of one that was offered, as they come; they end only when all of it was found right. Fails as getFile before
   * the first is there.
   */
  async fetch(reader: Context, id: string, timeoutMs: number): Promise<FetchedBytes> {
    const { book, offers } = await this.known()
    const offered = offerCalled(offers, id)
    const { offer } = offered
    const file = offerId(offer)
    const held = book.find(file)
    const planted = held?.isWhole ? heldBytes(held, book.treePath(file)) : null
    if (planted) return { offer, bytes: planted }
    if (offered.by === null)
      throw new BoxError('FILE_UNKNOWN', 'It was changed or removed since it was offered.')
    if (this.fetching.has(file)) throw fetchedAlready()
    if (this.fetching.size >= FETCHING_MAX) throw tooMany('Too many files are under way already.')
    const one: Fetching = { done: 0, timeoutMs, end: new AbortController() }
    this.fetching.set(file, one)
    try {
      // A copy that is not what it was gives way to another one.
      if (held?.isWhole && isCopy(this.context.state, held.path)) await book.forget(file)
      return { offer, bytes: await this.begin(reader, offered, one) }
    } catch (error) {
      this.fetching.delete(file)
      throw isLocked(error) ? fetchedAlready() : error
    }
  }

  private async begin(reader: Context, offered: Offered, one: Fetching) {
    const file = offerId(offered.offer)
    const target = join(copyFolder(this.context.state, file), offered.offer.name)
    const signal = AbortSignal.any([reader.signal, one.end.signal])
    return await this.whileBusy(target, ({ sealed }) =>
      fetchedBytes({ ...reader, signal }, sealed, offered, {
        ...{ target, timeoutMs: one.timeoutMs },
        step: done => {
          one.done = done
        },
        ended: () => this.fetching.delete(file),
      }),
    )
  }

  /** What lies there goes where it fails, unless it is written down by then. */
  private async whileBusy<T>(
    path: string,
    use: (opened: { readonly sealed: SealedState; readonly book: FileBook }) => Promise<T>,
  ): Promise<T> {
    const { state, random } = this.context
    this.busy.add(path)
    const sealed = await SealedState.open(state, random)
    const book = new FileBook(sealed)
    try {
      await this.sweep(sealed, book)
      return await use({ sealed, book })
    } catch (error) {
      if (!book.read().some(one => one.path === path)) removeCopy(state, path)
      throw error
    } finally {
      this.busy.delete(path)
    }
  }

  /** Whoever asked for a file has all of it: where nobody else may have it from us, the copy goes. */
  async handedOver(offer: FileOffer): Promise<void> {
    const { state, random } = this.context
    const book = new FileBook(await SealedState.open(state, random))
    const held = book.find(offerId(offer))
    const isLast = held?.isWhole && held.by !== null && held.circle.is === 'contact'
    if (isLast && isCopy(state, held.path)) await book.forget(offerId(offer))
  }

  /**
   * Hands it out no longer, stops fetching it, and has a relay delete it; whether one did not hear that. Fails with
   * OFFER_UNKNOWN, INPUT_INVALID.
   */
  async forget(id: string): Promise<{ readonly offer: FileOffer; readonly isAtRelay: boolean }> {
    const { state, random, clock } = this.context
    const sealed = SealedState.find(state, random)
    const book = sealed && new FileBook(sealed)
    const held = offerCalled(book?.read() ?? [], id)
    const { offer } = held
    const file = offerId(offer)
    this.fetching.get(file)?.end.abort(new BoxError('OFFER_UNKNOWN', 'It was given up.'))
    await book?.forget(file)
    this.parts.talk.contactsChanged()
    const left = leftOf(held, clock.now())
    if (left === null || left.is === 'gone') return { offer, isAtRelay: false }
    const { leaving } = await this.parts.talk.desk()
    const unheard = await unheardTakingBack(this.context, leaving, held)
    return { offer, isAtRelay: unheard !== null }
  }

  /** Says it; where that fails, nothing is handed out. */
  private async tell(book: FileBook, target: Target, { offer }: HeldFile) {
    const { talk, hall } = this.parts
    try {
      await talk.desk()
      // Whoever hears of it asks for it at once.
      talk.contactsChanged()
      if (target.is === 'contact') {
        const { is } = await talk.say(zoneToText(target.contact.zone), { is: 'file', offer }, false)
        return is
      }
      const data = new TextEncoder().encode(offerText(offer))
      await hall.tell(target.room, { method: FILE_METHOD, entity: offerModifiers(offer), data })
      return 'said' as const
    } catch (error) {
      await book.forget(offerId(offer))
      throw error
    }
  }

  private async known() {
    const sealed = await SealedState.open(this.context.state, this.context.random)
    const book = new FileBook(sealed)
    const offers = await offersKnown(this.context, sealed)
    return { book, offers }
  }

  private bytesHere(offer: FileOffer, held: HeldFile | null): number {
    if (!held) return 0
    if (held.isWhole) return offer.size
    const running = this.fetching.get(offerId(offer))
    if (running) return running.done
    const part = statSync(partPath(dirname(held.path), offer), { throwIfNoEntry: false })
    return Math.min(part?.size ?? 0, offer.size)
  }

  /** What was left by a process that was killed, and what we hand out to nobody any more. */
  private async sweep(sealed: SealedState, book: FileBook): Promise<void> {
    const { state } = this.context
    const [contacts, rooms] = [new ContactBook(sealed), new RoomBook(state)]
    for (const { path, circle, offer } of book.read()) {
      const known =
        circle.is === 'contact' ? contacts.findEver(circle.zone) : rooms.find(circle.place)
      if (!known && isCopy(state, path)) await book.forget(offerId(offer))
    }
    sweepCopies(state, [...book.read().map(({ path }) => path), ...this.busy])
  }
}

const isLocked = (error: unknown): boolean =>
  error instanceof BoxError && error.code === 'STATE_LOCKED'

const fetchedAlready = (): BoxError =>
  Object.assign(new BoxError('STATE_LOCKED', 'It is being fetched already.'), { statusCode: 409 })
