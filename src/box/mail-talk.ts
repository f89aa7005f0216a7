/**
 * What is said to a relay about letters, over the dialogue of push-talk.ts on the port `mail`: see there. A drop is the
 * name under which letters from one person to another are kept (src/social/bond.ts).
 */

import { BoxError } from '../base/errors.ts'
import { DROP_SIZE } from '../social/bond.ts'
import { CARD_BYTES_MAX } from '../social/prekeys.ts'
import { struct } from '../wire/fields.ts'
import { bytes, counted, lengthOf, list, u16, WireError } from '../wire/layout.ts'
import type { Json } from './push-talk.ts'

/** People who may write to one person. */
export const DROPS_MAX = 256
/** Drops and cards as they travel. */
export const MAILBOX_BYTES_MAX = DROPS_MAX * (DROP_SIZE + 2 + CARD_BYTES_MAX) + 2

export interface Drop {
  readonly drop: Uint8Array
  /** For whoever puts something there; the relay cannot read it. */
  readonly card: Uint8Array
}

const DropItem = struct('BOX_DROP', {
  drop: bytes(DROP_SIZE),
  cardSize: lengthOf('card', u16),
  card: counted('cardSize'),
})
const Mailbox = struct('BOX_MAILBOX', {
  count: lengthOf('drops', u16),
  drops: list(DropItem, 'count'),
})

export const encodeMailbox = (drops: readonly Drop[]): Uint8Array => Mailbox.encode({ drops })

/** Throws WIRE_MALFORMED. */
export function decodeMailbox(raw: Uint8Array): readonly Drop[] {
  try {
    const { drops } = Mailbox.decode(raw)
    return drops.map(({ drop, card }) => ({ drop: drop.slice(), card: card.slice() }))
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new BoxError('WIRE_MALFORMED', 'This is no mailbox.', cause)
  }
}

/** A letter that waits at a relay. */
export interface WaitingLetter {
  readonly id: string
  /** As encodeBase32 writes it. */
  readonly drop: string
}

/** What a relay says that waits. Throws STATE_UNEXPECTED. */
export function readWaitingLetters({ letters }: Json): readonly WaitingLetter[] {
  if (!Array.isArray(letters)) throw new BoxError('STATE_UNEXPECTED', 'The relay names no letters.')
  return letters.map(value => {
    const { id, drop } = (value ?? {}) as Record<string, unknown>
    if (typeof id !== 'string' || typeof drop !== 'string')
      throw new BoxError('STATE_UNEXPECTED', 'The relay names letters that are none.')
    return { id, drop }
  })
}
