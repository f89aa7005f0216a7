/** What is said with one contact, as one listener of the API hears it: what was said last, then each thing once, and how far ours has come. */

import type { BoxError } from '../../src/base/errors.ts'
import type { Contact } from '../talk/contact-book.ts'
import type { Whither } from '../talk/desk.ts'
import { talkValue } from '../talk/lines.ts'
import type { TalkMemory } from '../talk/memory.ts'
import type { Said, TalkState } from '../talk/talk-state.ts'

/** Of what was said before, to whoever begins to listen. */
const FIRST_LAST = 200

export interface ConversationEvents {
  /** As `box chat --json`, with where it is; again when what is ours has come further. */
  said(value: object): void
  /** Whether there is a channel to them. */
  there(isThere: boolean): void
  /** They are no contact any more. The last call. */
  over(reason: BoxError): void
}

/** As programs read it; `delivery` is null for what they said. */
export const saidValue = (said: Said, contact: Contact, state: TalkState): object => ({
  ...talkValue(said, contact),
  delivery: said.by === 'me' ? whitherOf(state, said.number) : null,
})

/** Where something of ours is. */
export function whitherOf({ unheard }: TalkState, number: number): Whither {
  const waiting = unheard.find(one => one.number === number)
  if (!waiting) return 'heard'
  return waiting.leftAt === null ? 'waits' : 'left'
}

export class Listener {
  readonly events: ConversationEvents
  private readonly contact: Contact
  private readonly memory: TalkMemory
  /** The last it was told of the history, and where what is on its way was then. */
  private last: string | null = null
  private readonly underWay = new Map<number, Whither>()
  private telling: Promise<void> = Promise.resolve()

  constructor(contact: Contact, memory: TalkMemory, events: ConversationEvents) {
    this.contact = contact
    this.memory = memory
    this.events = events
  }

  /** Tells what it was not told yet. Fails with STATE_UNREADABLE, STATE_LOCKED. */
  tell(): Promise<void> {
    const next = this.telling.then(() => this.tellNow())
    this.telling = next.catch(() => {})
    return next
  }

  private async tellNow(): Promise<void> {
    const all = await this.memory.history()
    const state = this.memory.read()
    const at = this.last === null ? -1 : all.findLastIndex(said => keyOf(said) === this.last)
    const from = at < 0 ? Math.max(0, all.length - FIRST_LAST) : at + 1
    for (const said of all.slice(0, from)) {
      const before = said.by === 'me' ? this.underWay.get(said.number) : undefined
      if (before !== undefined && before !== whitherOf(state, said.number)) this.say(said, state)
    }
    for (const said of all.slice(from)) {
      this.say(said, state)
      this.last = keyOf(said)
    }
  }

  private say(said: Said, state: TalkState): void {
    const whither = whitherOf(state, said.number)
    if (said.by === 'me' && whither !== 'heard') this.underWay.set(said.number, whither)
    else this.underWay.delete(said.number)
    this.events.said(saidValue(said, this.contact, state))
  }
}

const keyOf = ({ by, number }: Said): string => `${by} ${number}`
