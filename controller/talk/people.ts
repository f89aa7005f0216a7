/** The contacts of this controller, each with what is needed to write to them, made once. */

import { equalBytes } from '../../src/base/bytes.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { Bond } from '../../src/social/bond.ts'
import type { Context } from '../context.ts'
import type { Contact, ContactBook } from './contact-book.ts'
import { TalkMemory } from './memory.ts'
import type { Correspondent } from './post.ts'
import type { SealedState } from './sealed-state.ts'

export class People {
  private readonly context: Pick<Context, 'ego'>
  private readonly sealed: SealedState
  private readonly book: ContactBook
  private readonly known = new Map<string, Correspondent>()

  constructor(context: Pick<Context, 'ego'>, sealed: SealedState, book: ContactBook) {
    this.context = context
    this.sealed = sealed
    this.book = book
  }

  all(): readonly Correspondent[] {
    return this.book.contacts().map(contact => this.of(contact))
  }

  /** Throws INPUT_INVALID where the two cannot talk: see Bond. */
  of(contact: Contact): Correspondent {
    const key = zoneToText(contact.zone)
    const known = this.known.get(key)
    const own = this.context.ego().secret
    // Our key may be another one since (box rotate).
    const isCurrent = known && equalBytes(known.bond.own, own.zone)
    const one: Correspondent = {
      contact,
      bond: isCurrent ? known.bond : new Bond(own, contact.zone),
      memory: known?.memory ?? new TalkMemory(this.sealed, contact.zone),
    }
    this.known.set(key, one)
    return one
  }
}
