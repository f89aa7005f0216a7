/** What is done with a letter that came, by whichever way: taken once, and answered for. */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { readIntroduction } from '../../src/social/introduction.ts'
import type { Letter } from '../../src/social/letter.ts'
import { decodeSaying, RECEIVED_MAX, type Saying } from '../../src/social/saying.ts'
import { withoutPrekey } from './cards.ts'
import type { Contact, ContactBook } from './contact-book.ts'
import { type Taken, type TalkMemory, without } from './memory.ts'
import type { TalkState } from './talk-state.ts'

export interface Intake {
  readonly own: ZoneKey
  readonly book: ContactBook
  readonly memory: TalkMemory
  readonly contact: Contact
  /** They say which key came after theirs. */
  readonly follow: (chain: Uint8Array) => Promise<unknown>
}

/**
 * Takes a letter of a contact; `hint` names the prekey it was sealed for, where it came over a relay. When this
 * resolves it is on the disk, and will not be taken again. Fails with STATE_UNWRITABLE, STATE_LOCKED, STATE_UNREADABLE.
 */
export async function takeLetter(
  intake: Intake,
  { number, packet }: Letter,
  hint: Uint8Array | null,
): Promise<Taken> {
  const saying = sayingIn(packet)
  // Before the letter counts as taken: it is the same, however often it is offered.
  if (saying.is === 'introduction') await offer(intake, saying.signed)
  // What is new of it is noted by whoever follows.
  if (saying.is === 'succession') await intake.follow(saying.chain)
  const isAnswered = saying.is !== 'received'
  const isShown = isAnswered && saying.is !== 'succession'
  return await intake.memory.take(number, isShown ? packet : null, (state, taken) => {
    const answered = hint && isAnswered ? owing(state, number) : state
    const opened = hint ? withoutPrekey(answered, hint) : answered
    return saying.is === 'received' && taken === 'new' ? received(opened, saying) : opened
  })
}

/** What is no packet is kept as it came, and shown as something that cannot be read. */
export function sayingIn(packet: Uint8Array): Saying {
  try {
    return decodeSaying(packet)
  } catch (error) {
    if (error instanceof BoxError) return { is: 'unknown', method: '' }
    throw error
  }
}

/** Whoever vouches for somebody does that for us, and in their own name; all else is no introduction. */
async function offer({ own, book, contact }: Intake, signed: Uint8Array): Promise<void> {
  try {
    const { by, to, zone } = readIntroduction(signed)
    const isFitting = equalBytes(by, contact.zone) && equalBytes(to, own) && !equalBytes(zone, own)
    if (isFitting) await book.offer(signed)
  } catch (error) {
    if (!(error instanceof BoxError) || error.family !== 'fault') throw error
  }
}

const owing = (state: TalkState, number: number): TalkState =>
  state.owed.includes(number)
    ? state
    : { ...state, owed: [...state.owed, number].slice(-RECEIVED_MAX) }

function received(state: TalkState, { numbers, again }: Extract<Saying, { is: 'received' }>) {
  const rest = without(state, numbers)
  if (!again) return rest
  return { ...rest, unheard: rest.unheard.map(one => ({ ...one, leftAt: null })) }
}
