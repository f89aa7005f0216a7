/**
 * Letters by way of relays: left at one of theirs, without saying there who we are; fetched from ours. A relay of ours
 * is a device of the fleet with the tag `mail`, whose agent has `relay` on.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { authenticate } from '../../src/box/handshake.ts'
import {
  DROPS_MAX,
  type Drop,
  encodeMailbox,
  readWaitingLetters,
  type WaitingLetter,
} from '../../src/box/mail-talk.ts'
import { servicePort } from '../../src/box/ports.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { CELL_SIZES } from '../../src/psyc/padding.ts'
import type { Bond } from '../../src/social/bond.ts'
import { envelopeHint, openEnvelope, sealEnvelope, writerOf } from '../../src/social/envelope.ts'
import type { Letter } from '../../src/social/letter.ts'
import { CARD_BYTES_MAX, openCard } from '../../src/social/prekeys.ts'
import { encodeSaying } from '../../src/social/saying.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { search } from '../device-search.ts'
import { reach } from '../device-session.ts'
import type { Device } from '../fleet.ts'
import { openResolver } from '../names.ts'
import { cardName, nextKey, prekeyOf, withCard, withoutCards } from './cards.ts'
import type { Contact } from './contact-book.ts'
import type { TalkMemory } from './memory.ts'
import type { TalkState } from './talk-state.ts'
import type { Tie } from './tie.ts'
import { RELAYS_MAX } from './whereabouts.ts'

export const MAIL_TAG = 'mail'
const LETTER_BYTES_MAX = CELL_SIZES[CELL_SIZES.length - 1]!
/** Of one visit; the relay keeps more for the next. */
const ROUNDS_MAX = 4
/** A relay that is silent, or goes on for ever, holds nobody up for longer. */
const VISIT_MS = 60_000
/** A relay throws letters away after 14 days: what was not heard of by then is left anew. */
const LEAVE_AGAIN_MS = 13 * 24 * 60 * 60_000

/** A contact with what is needed to write to them. */
export interface Correspondent {
  readonly contact: Contact
  readonly memory: TalkMemory
  /** Never empty; the first is of our key of today. */
  readonly ties: readonly Tie[]
}

/** The relays of our own. */
export const ownRelays = ({ fleet }: Pick<Context, 'fleet'>): readonly Device[] =>
  fleet
    .devices()
    .filter(({ tags }) => tags.includes(MAIL_TAG))
    .slice(0, RELAYS_MAX)

/** What is to be left for them: of what they have not said to have, what does not lie there already. */
export const leftOver = ({ unheard }: TalkState, now: number) =>
  unheard.filter(({ leftAt }) => leftAt === null || now - leftAt > LEAVE_AGAIN_MS)

/** Whether something is to be left for them, receipts included. */
export const hasMail = (state: TalkState, now: number): boolean =>
  leftOver(state, now).length > 0 || state.owed.length > 0 || state.isAgain

/** At a drop of somebody at one of their relays. */
export interface AtDrop {
  readonly channel: Channel
  readonly relay: ZoneKey
  readonly tie: Tie
}

/**
 * Leaves what is to be left at the first of their relays that takes it. Fails with why none did, PEER_UNREACHABLE
 * where they have none.
 */
export async function leaveLetters(
  context: Context,
  to: Correspondent,
  relays: readonly ZoneKey[],
  timeoutMs: number,
): Promise<void> {
  await atTheirDrop(context, to, { relays, timeoutMs }, at => leaveAt(context, to, at))
}

/** Does something at the first of their relays that lets it; fails as leaveLetters. `work` closes the channel. */
export async function atTheirDrop<T>(
  context: Context,
  to: Correspondent,
  { relays, timeoutMs }: { readonly relays: readonly ZoneKey[]; readonly timeoutMs: number },
  work: (at: AtDrop) => Promise<T>,
): Promise<T> {
  let failure = new BoxError('PEER_UNREACHABLE', `${to.contact.name} names no relay.`)
  for (const relay of relays) {
    for (const tie of likeliestFirst(to.ties)) {
      try {
        const channel = await dropAt(context, tie.bond, relay, timeoutMs)
        return await work({ channel, relay, tie })
      } catch (error) {
        context.signal.throwIfAborted()
        if (!(error instanceof BoxError) || error.family === 'setup') throw error
        failure = error
        // There is no drop for this key of ours: there may be one for another.
        if (error.code !== 'NOT_PERMITTED') break
      }
    }
  }
  throw failure
}

/** Whoever has not shown that they know our new key knows the one before. */
const likeliestFirst = ([today, ...former]: readonly Tie[]): readonly Tie[] => [...former, today!]

async function leaveAt(
  context: Context,
  to: Correspondent,
  { channel, relay, tie: { own, bond } }: AtDrop,
): Promise<void> {
  const { clock, random } = context
  const { memory, contact } = to
  await visiting(context, channel, async talk => {
    const [, sealed] = await talk.fetch('card', {}, CARD_BYTES_MAX)
    const card = openCard(sealed, bond.cardKey(contact.zone))
    if (!card) throw new BoxError('PUSH_REFUSED', 'What lies at the relay is not their card.')
    const post = async (letter: Letter) => {
      const prekey = await memory.change(state => nextKey(state, zoneToText(relay), card))
      await talk.give(
        'post',
        sealEnvelope(letter, writerOf(own), { zone: contact.zone, prekey }, random),
      )
    }
    for (const { number, packet } of leftOver(memory.read(), clock.now())) {
      await post({ number, packet })
      await memory.change(state => [undefined, withLeft(state, number, clock.now())])
    }
    await leaveReceipt(memory, clock.now(), post)
  })
}

/** A dialogue that ends in time. */
async function visiting<T>(
  { clock, signal }: Context,
  channel: Channel,
  work: (talk: PushTalk) => Promise<T>,
): Promise<T> {
  const tooLate = new AbortController()
  const timer = clock.after(VISIT_MS, () => tooLate.abort(new BoxError('PEER_TIMEOUT')))
  const talk = new PushTalk(channel, clock, AbortSignal.any([signal, tooLate.signal]))
  try {
    return await work(talk)
  } finally {
    timer.cancel()
    talk.close()
  }
}

async function leaveReceipt(
  memory: TalkMemory,
  now: number,
  post: (letter: Letter) => Promise<void>,
): Promise<void> {
  const { owed, isAgain } = memory.read()
  if (owed.length === 0 && !isAgain) return
  const number = await memory.change(state => {
    const last = Math.max(now, state.last + 1)
    return [last, { ...state, last }]
  })
  await post({ number, packet: encodeSaying({ is: 'received', numbers: owed, again: isAgain }) })
  await memory.change(state => [undefined, withoutOwed(state, owed)])
}

/** They were told that these have come. */
export const withoutOwed = (state: TalkState, told: readonly number[]): TalkState => ({
  ...state,
  owed: state.owed.filter(number => !told.includes(number)),
  isAgain: false,
})

const withLeft = (state: TalkState, number: number, leftAt: number): TalkState => ({
  ...state,
  unheard: state.unheard.map(one => (one.number === number ? { ...one, leftAt } : one)),
})

/** A channel to their drop at a relay, as nobody: the zone that is proven there was never used before. */
async function dropAt(context: Context, bond: Bond, relay: ZoneKey, timeoutMs: number) {
  const { clock, random, fleet } = context
  const mesh = await context.mesh()
  const resolver = openResolver(mesh, clock, context.ego(), [])
  const own = fleet.devices().find(({ zone }) => equalBytes(zone, relay))
  try {
    const { met } = await search(context, resolver, {
      called: 'Their relay',
      name: { labels: [], zone: relay },
      zone: relay,
      port: servicePort('mail', relay),
      known: own?.last?.record ?? null,
      timeoutMs,
      meet: (channel, signal) =>
        authenticate(channel, {
          ...{ self: mesh.self, purpose: 'mail', device: relay, clock, random, signal },
          own: ZoneSecret.generate('EDKEY', random),
          payload: bond.drop(bond.other),
        }),
    })
    return met.channel
  } finally {
    resolver.close()
  }
}

export interface Collecting {
  readonly correspondents: readonly Correspondent[]
  /** Takes a letter that came from them to this key of ours, read with the prekey of this hint. */
  take(from: Correspondent, letter: Letter, by: { tie: Tie; hint: Uint8Array }): Promise<unknown>
}

/** What was left at our relays the last time, by their zone: it need not be said again. */
export type LeftBefore = Map<string, string>

/**
 * Renews the cards at a relay of ours where that is due, and fetches what lies there. The number of letters. Fails with
 * why it was not reached, and what it says.
 */
export async function visitRelay(
  context: Context,
  relay: Device,
  collecting: Collecting,
  before: LeftBefore,
  timeoutMs: number,
): Promise<number> {
  const { channel } = await reach(context, relay, { service: 'mail', timeoutMs })
  return await visiting(context, channel, async talk => {
    await leaveCards(context, relay, collecting.correspondents, talk, before)
    let count = 0
    for (let i = 0; i < ROUNDS_MAX; i++) {
      const letters = readWaitingLetters(await talk.ask('mail', {}))
      for (const letter of letters) await fetch(context, talk, letter, collecting)
      count += letters.length
      if (letters.length === 0) return count
      // What was read has used up keys.
      await leaveCards(context, relay, collecting.correspondents, talk, before)
    }
    return count
  })
}

async function leaveCards(
  { clock, random }: Context,
  relay: Device,
  correspondents: readonly Correspondent[],
  talk: PushTalk,
  before: LeftBefore,
): Promise<void> {
  const name = zoneToText(relay.zone)
  const drops: Drop[] = []
  const formerDrops: Drop[] = []
  for (const { ties, memory } of correspondents)
    for (const tie of ties) {
      const { bond, chain } = tie
      const called = cardName(name, tie)
      const card = await memory.change(state => {
        const now = clock.now()
        const next = withCard(withoutCards(state, name, ties, now), called, { bond, now, random })
        return [next.cards[called]!.sealed, next]
      })
      const of = chain.length === 0 ? drops : formerDrops
      of.push({ drop: bond.drop(bond.own), card })
    }
  const all = [...drops, ...formerDrops].slice(0, DROPS_MAX)
  const digest = encodeBase32(sha256(encodeMailbox(all)))
  if (before.get(name) === digest) return
  try {
    await talk.give('mailbox', encodeMailbox(all))
  } catch (error) {
    if (!(error instanceof BoxError) || error.code !== 'PUSH_REFUSED' || formerDrops.length === 0)
      throw error
    // An older relay has the drops of our key before as those of somebody else.
    await talk.give('mailbox', encodeMailbox(drops))
  }
  before.set(name, digest)
}

async function fetch(
  context: Context,
  talk: PushTalk,
  { id, drop }: WaitingLetter,
  { correspondents, take }: Collecting,
): Promise<void> {
  const addressed = correspondents
    .flatMap(from => from.ties.map(tie => ({ from, tie })))
    .find(({ tie: { bond } }) => encodeBase32(bond.drop(bond.own)) === drop)
  const [, envelope] = await talk.fetch('letter', { id }, LETTER_BYTES_MAX)
  if (addressed) {
    const { from, tie } = addressed
    const opened = opening(from, tie, envelope)
    if (opened) await take(from, opened.letter, { tie, hint: opened.hint })
    else {
      context.log.note('warn', 'talk', 'letter not readable', {})
      await from.memory.change(state => [undefined, { ...state, isAgain: true }])
    }
  }
  await talk.ask('lettered', { id })
}

/** Null where it cannot be read: its key is no more, or never was. */
function opening({ contact, memory }: Correspondent, { own }: Tie, envelope: Uint8Array) {
  try {
    const hint = envelopeHint(envelope)
    const prekey = prekeyOf(memory.read(), hint)
    const letter = prekey && openEnvelope(envelope, contact.zone, own, prekey)
    return letter ? { letter, hint } : null
  } catch (error) {
    if (error instanceof BoxError && error.family === 'fault') return null
    throw error
  }
}
