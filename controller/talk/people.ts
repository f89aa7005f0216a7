/** The contacts of this controller, each with what is needed to write to them, made once. */

import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { type Contact, type ContactBook, filedUnder } from './contact-book.ts'
import { TalkMemory } from './memory.ts'
import type { Correspondent } from './post.ts'
import type { SealedState } from './sealed-state.ts'
import { Ties } from './tie.ts'

export class People {
  private readonly context: Pick<Context, 'ego' | 'clock'>
  private readonly sealed: SealedState
  private readonly book: ContactBook
  private readonly ties = new Ties()
  private readonly memories = new Map<string, TalkMemory>()

  constructor(context: Pick<Context, 'ego' | 'clock'>, sealed: SealedState, book: ContactBook) {
    this.context = context
    this.sealed = sealed
    this.book = book
  }

  all(): readonly Correspondent[] {
    return this.book.contacts().map(contact => this.with(contact))
  }

  /** As they are now: they may have another key since (succession.ts). Throws INPUT_INVALID as Bond, STATE_UNREADABLE. */
  of(contact: Contact): Correspondent {
    return this.with(this.book.findEver(contact.zone) ?? contact)
  }

  private with(contact: Contact): Correspondent {
    const { ego, clock } = this.context
    const key = zoneToText(filedUnder(contact))
    const memory = this.memories.get(key) ?? new TalkMemory(this.sealed, filedUnder(contact))
    this.memories.set(key, memory)
    return { contact, memory, ties: this.ties.to(contact, ego(), clock.now()) }
  }
}
