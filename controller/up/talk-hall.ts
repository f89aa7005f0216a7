/**
 * Private talk for as long as `box up` stays: contacts reach us, what waits for them is brought, and whoever listens
 * through the API hears what changes. Other processes of ours talk for the same files: these are looked at, too.
 */

import { pause, type Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import type { Listening } from '../../src/mesh/mesh.ts'
import type { Sayable } from '../../src/social/saying.ts'
import type { Context } from '../context.ts'
import { tellContactsBy } from '../new-key.ts'
import type { Output } from '../output.ts'
import { type ListedContact, listedContacts } from '../talk/acquaintance.ts'
import { ContactBook, filedUnder } from '../talk/contact-book.ts'
import { TalkDesk, type Whither } from '../talk/desk.ts'
import { TalkMemory } from '../talk/memory.ts'
import { SealedState } from '../talk/sealed-state.ts'
import { type ConversationEvents, Listener, saidValue, whitherOf } from './conversation.ts'

/** What other commands do is noticed so soon. */
const LOOK_EVERY_MS = 1_000
/** What happens within a moment is told together. */
const GATHER_MS = 50
/** Where it cannot be begun. */
const AGAIN_MS = 60_000

/** A contact as programs read it. */
export interface ShownContact extends ListedContact {
  /** There is a channel to them at the moment. */
  readonly there: boolean
  /** What they said and nobody here has looked at. */
  readonly unread: number
  /** What was said to them and they do not have yet. */
  readonly waiting: number
}

export interface ContactEvents {
  contact(contact: ShownContact): void
  gone(contact: Pick<ShownContact, 'name' | 'zone'>): void
}

interface Known {
  readonly memory: TalkMemory
  readonly revision: string
  readonly shown: ShownContact
}

export class TalkHall {
  private readonly context: Context
  private readonly known = new Map<string, Known>()
  private readonly listeners = new Set<ContactEvents>()
  private readonly conversations = new Map<string, Set<Listener>>()
  private opening: Promise<TalkDesk> | null = null
  private opened: TalkDesk | null = null
  private listed: { readonly revision: string; readonly all: readonly ListedContact[] } | null =
    null
  private soon: Timer | null = null

  constructor(context: Context) {
    this.context = context
  }

  /** Resolves when the signal is aborted; what goes wrong is in the log. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, state, random, log } = this.context
    while (!signal.aborted) {
      try {
        // Whoever talks to nobody is found by nobody.
        if (!this.opened && SealedState.find(state, random)) await this.desk()
        this.look()
        await pause(clock, LOOK_EVERY_MS, signal)
      } catch (error) {
        if (signal.aborted) break
        if (!(error instanceof BoxError)) throw error
        log.note('error', 'talk', 'no private talk', { code: error.code })
        await pause(clock, AGAIN_MS, signal)
      }
    }
    this.soon?.cancel()
    await (await this.opening?.catch(() => null))?.close()
  }

  /** Who brings and takes what is said. Fails as TalkDesk.open. */
  async desk(): Promise<TalkDesk> {
    this.opening ??= TalkDesk.open(this.context, {
      stays: true,
      changed: () => this.lookSoon(),
    }).catch(error => {
      this.opening = null
      throw error
    })
    this.opened = await this.opening
    return this.opened
  }

  /** Who is known, and who was introduced. */
  people(): readonly ShownContact[] {
    this.look()
    return [...this.known.values()].map(({ shown }) => shown)
  }

  listen(events: ContactEvents): Listening {
    this.listeners.add(events)
    return { close: () => void this.listeners.delete(events) }
  }

  /** What was said last, the oldest first. Fails with CONTACT_UNKNOWN, STATE_UNREADABLE. */
  async history(name: string, last: number): Promise<readonly object[]> {
    const { contact, memory } = await this.with(name)
    const all = await memory.history()
    const state = memory.read()
    return all.slice(-last).map(said => saidValue(said, contact, state))
  }

  /** Notes it and brings it; with `waits`, answers only when that has ended. Fails as TalkDesk.say. */
  async say(name: string, saying: Sayable, waits: boolean) {
    const { desk, contact, memory } = await this.with(name)
    const number = await desk.say(contact, saying)
    this.lookSoon()
    const is: Whither = waits ? await desk.deliver(contact) : whitherOf(memory.read(), number)
    return { number, is }
  }

  /** Fails with CONTACT_UNKNOWN, STATE_UNWRITABLE. */
  async markRead(name: string): Promise<void> {
    await (await this.with(name)).memory.markRead()
    this.look()
  }

  /** Tells what was said and what is being said, until the signal, and is in touch. Fails as `history`. */
  async follow(name: string, events: ConversationEvents, signal: AbortSignal): Promise<void> {
    const { desk, contact, memory } = await this.with(name)
    const key = zoneToText(filedUnder(contact))
    const listeners = this.conversations.get(key) ?? new Set()
    this.conversations.set(key, listeners)
    const listener = new Listener(contact, memory, events)
    listeners.add(listener)
    signal.addEventListener('abort', () => listeners.delete(listener), { once: true })
    events.there(desk.isLinked(contact))
    await listener.tell()
    desk.call(contact).catch(error => {
      // Whoever is not there is told nothing; what fails besides is noted where it is done again.
      if (!(error instanceof BoxError)) throw error
    })
  }

  /** The list of contacts may be another one, or that of files: those who are new find us, those who are not no longer. */
  contactsChanged(): void {
    this.opened?.listsChanged()
    this.look()
  }

  /** Our key is another one: tells contacts so, as `tellContacts`, and says how that went. */
  async keyChanged(output: Output): Promise<number> {
    const { state, random } = this.context
    if (!SealedState.find(state, random)) return 0
    const desk = await this.desk()
    await desk.keyChanged()
    return await tellContactsBy({ ...this.context, output }, desk)
  }

  /** Throws CONTACT_UNKNOWN, NAME_INVALID, STATE_UNREADABLE. */
  mustKnow(name: string) {
    const { state, random } = this.context
    const sealed = SealedState.find(state, random)
    // Asking makes nothing.
    if (!sealed) throw new BoxError('CONTACT_UNKNOWN', 'You have no contacts: see box contact.')
    const contact = new ContactBook(sealed).contact(name)
    return { contact, memory: new TalkMemory(sealed, filedUnder(contact)) }
  }

  private async with(name: string) {
    const known = this.mustKnow(name)
    return { ...known, desk: await this.desk() }
  }

  private lookSoon(): void {
    this.soon ??= this.context.clock.after(GATHER_MS, () => {
      this.soon = null
      try {
        this.look()
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
      }
    })
  }

  /** Tells what is different. Throws STATE_UNREADABLE. */
  private look(): void {
    const { state, random } = this.context
    const sealed = SealedState.find(state, random)
    if (!sealed) return
    const book = new ContactBook(sealed)
    const revision = book.revision()
    if (this.listed?.revision !== revision)
      this.listed = { revision, all: listedContacts(book.read()) }
    const left = new Map(this.known)
    for (const one of this.listed.all) {
      left.delete(keyOf(one))
      this.lookAt(one, sealed)
    }
    for (const [key, { shown }] of left) {
      this.known.delete(key)
      for (const listener of this.listeners) listener.gone(shown)
      const over = new BoxError('CONTACT_UNKNOWN', `${shown.name} is no contact any more.`)
      for (const { events } of this.conversations.get(key) ?? []) events.over(over)
      this.conversations.delete(key)
    }
  }

  private lookAt(listed: ListedContact, sealed: SealedState): void {
    const zone = zoneFromText(listed.zone)
    const key = keyOf(listed)
    const before = this.known.get(key)
    const memory = before?.memory ?? new TalkMemory(sealed, zoneFromText(key))
    const revision = memory.revision()
    const isSame = before?.revision === revision
    const { unread, waiting } = isSame ? before.shown : countsOf(memory)
    const there = this.opened?.isLinked({ zone }) ?? false
    const shown = { ...listed, there, unread, waiting }
    this.known.set(key, { memory, revision, shown })
    for (const listener of this.conversations.get(key) ?? []) {
      if (before?.shown.there !== there) listener.events.there(there)
      if (!isSame) this.context.meanwhile(listener.tell())
    }
    if (JSON.stringify(before?.shown) === JSON.stringify(shown)) return
    // Who has another key is the same to us, and another one to those who know people by keys.
    const isAnother = before !== undefined && before.shown.zone !== shown.zone
    if (isAnother) for (const one of this.listeners) one.gone(before.shown)
    for (const one of this.listeners) one.contact(shown)
  }
}

/** The first key they had here: what is kept of them is filed so. */
const keyOf = ({ zone, before }: ListedContact): string => before[0] ?? zone

function countsOf(memory: TalkMemory) {
  const { unread, unheard } = memory.read()
  return { unread, waiting: unheard.length }
}
