/** The cards at relays (src/social/prekeys.ts): when ours are made anew, and which key of theirs is next. */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { AgreementKey } from '../../src/crypto/agreement.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Bond } from '../../src/social/bond.ts'
import { openCard, PREKEYS, type Prekeys, prekeyHint, sealCard } from '../../src/social/prekeys.ts'
import type { OwnCard, OwnPrekey, TalkState } from './talk-state.ts'
import type { Tie } from './tie.ts'

const KEY_SIZE = 32
const DAY_MS = 24 * 60 * 60_000
/** The key that serves for several letters is no older. */
const CARD_AGE_MAX_MS = 7 * DAY_MS
/** Fewer left for single use make a new card. */
const FRESH_MIN = PREKEYS / 2
/** Letters to an old card may still lie at the relay, which keeps them for 14 days. */
const RETIRED_MS = 16 * DAY_MS
/** Those of some weeks, at several relays. */
const PREKEYS_MAX = 1_024

export interface CardParts {
  readonly bond: Bond
  readonly now: number
  readonly random: Random
}

/** What our card for somebody is called here: by the relay, and by the key of ours where that is one from before. */
export const cardName = (relay: string, { own, chain }: Tie): string =>
  chain.length === 0 ? relay : `${relay} ${zoneToText(own.zone)}`

/** The state without cards of keys of ours by which they know us no longer. */
export function withoutCards(state: TalkState, relay: string, ties: readonly Tie[], now: number) {
  const names = new Set(ties.map(tie => cardName(relay, tie)))
  const isOver = (name: string) => name.startsWith(`${relay} `) && !names.has(name)
  const all = Object.entries(state.cards)
  const over = all.filter(([name]) => isOver(name)).flatMap(([, { hints }]) => hints)
  if (over.length === 0) return state
  const prekeys = state.prekeys.map(one =>
    over.some(hint => equalBytes(hint, one.hint)) ? { ...one, retireAt: now + RETIRED_MS } : one,
  )
  return { ...state, prekeys, cards: Object.fromEntries(all.filter(([name]) => !isOver(name))) }
}

/**
 * The state with a card of this name (cardName) that is good to be left at a relay; what is over is deleted from it. One
 * that was made for other keys, of theirs or of ours, is good for nothing.
 */
export function withCard(given: TalkState, relay: string, parts: CardParts): TalkState {
  const { now, random, bond } = parts
  const state = withoutRetired(given, now)
  const card = state.cards[relay]
  const isSingle = (hint: Uint8Array) =>
    state.prekeys.some(one => !one.isLast && equalBytes(one.hint, hint))
  const isOfThese = card !== undefined && openCard(card.sealed, bond.cardKey(bond.own)) !== null
  const age = isOfThese ? now - card.madeAt : CARD_AGE_MAX_MS
  if (card && age < CARD_AGE_MAX_MS && card.hints.filter(isSingle).length >= FRESH_MIN) return state
  const made = Array.from({ length: PREKEYS }, (_, at) => newPrekey(random, at === PREKEYS - 1))
  const isReplaced = ({ hint }: OwnPrekey) => card?.hints.some(one => equalBytes(one, hint))
  const kept = state.prekeys.map(one =>
    isReplaced(one) ? { ...one, retireAt: now + RETIRED_MS } : one,
  )
  const serial = Math.max(now, (card?.serial ?? 0) + 1)
  const keys = made.map(({ publicKey }) => publicKey)
  const fresh: OwnCard = {
    ...{ serial, madeAt: now, hints: made.map(({ own }) => own.hint) },
    sealed: sealCard({ serial, keys }, bond.cardKey(bond.own), random),
  }
  const prekeys = [...kept, ...made.map(({ own }) => own)].slice(-PREKEYS_MAX)
  return { ...state, prekeys, cards: { ...state.cards, [relay]: fresh } }
}

function newPrekey(random: Random, isLast: boolean) {
  const secret = random.bytes(KEY_SIZE)
  const { publicKey } = AgreementKey.fromSecret(secret)
  const own: OwnPrekey = { secret, hint: prekeyHint(publicKey), isLast, retireAt: null }
  return { publicKey, own }
}

function withoutRetired(state: TalkState, now: number): TalkState {
  const isOver = ({ retireAt }: OwnPrekey) => retireAt !== null && retireAt <= now
  return state.prekeys.some(isOver)
    ? { ...state, prekeys: state.prekeys.filter(one => !isOver(one)) }
    : state
}

/** The key that this letter was sealed for; null where it is no more. */
export function prekeyOf({ prekeys }: TalkState, hint: Uint8Array): AgreementKey | null {
  const found = prekeys.find(one => equalBytes(one.hint, hint))
  return found ? AgreementKey.fromSecret(found.secret) : null
}

/** Deletes the key that a letter was read with, unless it serves for more. */
export const withoutPrekey = (state: TalkState, hint: Uint8Array): TalkState => ({
  ...state,
  prekeys: state.prekeys.filter(one => one.isLast || !equalBytes(one.hint, hint)),
})

/** The next key of their card at a relay, and the state in which it is used. Throws PUSH_REFUSED on an old card. */
export function nextKey(
  state: TalkState,
  relay: string,
  { serial, keys }: Prekeys,
): readonly [Uint8Array, TalkState] {
  const before = state.theirs[relay]
  if (before && serial < before.serial)
    throw new BoxError('PUSH_REFUSED', 'The relay hands over an old card.')
  const used = before?.serial === serial ? before.used : []
  const isUsed = (key: Uint8Array) => used.some(hint => equalBytes(hint, prekeyHint(key)))
  const key = keys.find(one => !isUsed(one)) ?? keys.at(-1)!
  const nowUsed = isUsed(key) ? used : [...used, prekeyHint(key)]
  return [key, { ...state, theirs: { ...state.theirs, [relay]: { serial, used: nowUsed } } }]
}
