/** What is to be kept of the talk with one person beside what was said, as a value and as JSON. */

import { HINT_SIZE } from '../../src/social/prekeys.ts'

/** Something of ours that they have not said to have. */
export interface Unheard {
  readonly number: number
  readonly packet: Uint8Array
  /** When it was left with a relay; null: it was not. */
  readonly leftAt: number | null
}

/** What was said, by one of the two. */
export interface Said {
  readonly by: 'me' | 'them'
  /** Milliseconds since 1970 by the clock of whoever said it. */
  readonly number: number
  readonly packet: Uint8Array
}

/** The secret half of a prekey. */
export interface OwnPrekey {
  readonly secret: Uint8Array
  readonly hint: Uint8Array
  /** It serves for several letters, until it is retired. */
  readonly isLast: boolean
  /** When it is deleted; null while the card is current. */
  readonly retireAt: number | null
}

/** A card that lies, or shall lie, at a relay of ours. */
export interface OwnCard {
  readonly serial: number
  readonly madeAt: number
  readonly sealed: Uint8Array
  readonly hints: readonly Uint8Array[]
}

/** What we have used of a card of theirs. */
export interface TheirCard {
  readonly serial: number
  readonly used: readonly Uint8Array[]
}

export interface TalkState {
  /** The last number that was given. */
  readonly last: number
  readonly unheard: readonly Unheard[]
  /** What the history has, or is about to have: it is written there after this. */
  readonly pending: readonly Said[]
  /** Numbers of theirs that were taken; all up to `floor` count as such. */
  readonly seen: { readonly floor: number; readonly numbers: readonly number[] }
  /** What came over a relay and they have not been told so. */
  readonly owed: readonly number[]
  /** How many of theirs in the history nobody of ours has looked at yet. Nobody else is told. */
  readonly unread: number
  /** Something could not be read: they are to send all again. */
  readonly isAgain: boolean
  /** The key of ours of which they were told that it came after another one, as text; '' for none. */
  readonly announced: string
  readonly prekeys: readonly OwnPrekey[]
  /** By the zone of the relay, as text; for a key of ours from before, that follows (cards.ts). */
  readonly cards: Readonly<Record<string, OwnCard>>
  readonly theirs: Readonly<Record<string, TheirCard>>
}

export const BEGINNING: TalkState = {
  ...{ last: 0, unheard: [], pending: [], seen: { floor: 0, numbers: [] }, owed: [] },
  ...{ unread: 0, isAgain: false, announced: '', prekeys: [], cards: {}, theirs: {} },
}

const VERSION = 1
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const bytes = (value: unknown): Uint8Array =>
  Uint8Array.from(Buffer.from(value as string, 'base64'))

export const saidJson = ({ by, number, packet }: Said): object => ({
  by,
  number,
  packet: text(packet),
})

/** Throws TypeError. */
export function saidOf(value: unknown): Said {
  const { by, number, packet } = value as Record<string, unknown>
  if (by !== 'me' && by !== 'them') throw new TypeError('said by nobody')
  return { by, number: whole(number), packet: bytes(packet) }
}

export const talkJson = (state: TalkState): object => ({
  ...{ version: VERSION, last: state.last, seen: state.seen, owed: state.owed },
  ...{ isAgain: state.isAgain, unread: state.unread, announced: state.announced },
  unheard: state.unheard.map(one => ({ ...one, packet: text(one.packet) })),
  pending: state.pending.map(saidJson),
  prekeys: state.prekeys.map(one => ({ ...one, secret: text(one.secret), hint: text(one.hint) })),
  cards: mapped(state.cards, one => ({
    ...one,
    sealed: text(one.sealed),
    hints: one.hints.map(text),
  })),
  theirs: mapped(state.theirs, one => ({ ...one, used: one.used.map(text) })),
})

/** Throws TypeError where it is not as `talkJson` makes it. */
export function talkOf(value: unknown): TalkState {
  const said = value as Record<keyof TalkState | 'version', unknown>
  if (said.version !== VERSION) throw new TypeError('another version')
  const { floor, numbers } = said.seen as Record<string, unknown>
  return {
    last: whole(said.last),
    unheard: listOf(said.unheard, ({ number, packet, leftAt }) => ({
      number: whole(number),
      packet: bytes(packet),
      leftAt: wholeOrNull(leftAt),
    })),
    pending: listOf(said.pending, saidOf),
    seen: { floor: whole(floor), numbers: (numbers as unknown[]).map(whole) },
    owed: (said.owed as unknown[]).map(whole),
    isAgain: said.isAgain === true,
    // Files of before it was counted have none.
    unread: whole(said.unread ?? 0),
    announced: typeof said.announced === 'string' ? said.announced : '',
    prekeys: listOf(said.prekeys, ({ secret, hint, isLast, retireAt }) => ({
      secret: bytes(secret),
      hint: hintOf(hint),
      isLast: isLast === true,
      retireAt: wholeOrNull(retireAt),
    })),
    cards: mapped(said.cards as Record<string, Record<string, unknown>>, one => ({
      serial: whole(one.serial),
      madeAt: whole(one.madeAt),
      sealed: bytes(one.sealed),
      hints: (one.hints as unknown[]).map(hintOf),
    })),
    theirs: mapped(said.theirs as Record<string, Record<string, unknown>>, one => ({
      serial: whole(one.serial),
      used: (one.used as unknown[]).map(hintOf),
    })),
  }
}

const mapped = <A, B>(values: Readonly<Record<string, A>>, map: (value: A) => B) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)])) as Record<
    string,
    B
  >

const listOf = <T>(value: unknown, map: (value: Record<string, unknown>) => T): T[] =>
  (value as Record<string, unknown>[]).map(map)

function whole(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw new TypeError('no number')
}

const wholeOrNull = (value: unknown): number | null => (value === null ? null : whole(value))

function hintOf(value: unknown): Uint8Array {
  const hint = bytes(value)
  if (hint.length === HINT_SIZE) return hint
  throw new TypeError('no hint')
}
