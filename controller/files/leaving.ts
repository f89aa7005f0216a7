/**
 * Leaves a file that we offer with a relay of the person it is for, who is away: its parts as they are handed out to them,
 * which nobody else can read (src/social/file-part.ts). It goes on where it was, whoever of us was killed in between; at
 * the relay we are nobody, as with letters.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { type Lying, type RelayedFile, readLying } from '../../src/box/relayed-file.ts'
import { type FileOffer, offerId, relayTag } from '../../src/social/file-offer.ts'
import { encodePart, partsSize } from '../../src/social/file-part.ts'
import { CHUNK_SIZE, chunkCount } from '../../src/social/file-tree.ts'
import type { Context } from '../context.ts'
import { unusable } from '../file-side.ts'
import { mustNotBeRevoked } from '../revoked-zones.ts'
import type { ContactBook } from '../talk/contact-book.ts'
import type { People } from '../talk/people.ts'
import { type AtDrop, atTheirDrop, type Correspondent } from '../talk/post.ts'
import type { RevokedZones } from '../talk/succession.ts'
import type { AtRelay, FileBook, HeldFile } from './file-book.ts'
import { STALL_MS } from './source.ts'
import { PlantedFile } from './tree-file.ts'

const RELAY_MS = 20_000

export interface Leaving {
  readonly files: FileBook
  readonly contacts: ContactBook
  readonly people: People
  readonly revocations: RevokedZones
}

/** Where it lies, and until when. */
export type Left = Exclude<AtRelay, { is: 'never' }>

/** What of it lies with a relay, or did; null where nothing does. */
export function leftOf({ relay }: HeldFile, now: number): Left | null {
  if (!relay || relay.is === 'never') return null
  return relay.is === 'gone' || now < relay.until ? relay : null
}

/**
 * Brings all parts that a relay of theirs does not have. Fails with why none takes them (PEER_UNREACHABLE where they have
 * none, RELAY_REFUSED), FILE_UNUSABLE where the file is another one by now, CONTACT_UNKNOWN, ZONE_REVOKED, INPUT_INVALID where
 * it is for a room.
 */
export async function leaveFile(
  context: Context,
  leaving: Leaving,
  held: HeldFile,
  step: (done: number) => void,
): Promise<Left> {
  const to = addresseeOf(leaving, held)
  mustNotBeRevoked(leaving.revocations, to.contact)
  let reached = 0
  for (;;) {
    const before = reached
    try {
      return await atTheirDrop(context, to, relaysOf(leaving, to, held), at =>
        bring(context, leaving, held, at, has => {
          reached = Math.max(reached, has)
          step(Math.min(has * CHUNK_SIZE, held.offer.size))
        }),
      )
    } catch (error) {
      context.signal.throwIfAborted()
      // The relay was lost in the middle: it may be back.
      const goesOn = error instanceof BoxError && error.family === 'unreachable' && reached > before
      if (!goesOn) throw error
    }
  }
}

/** Says that it is not needed at the relay any more. Fails as leaveFile where that is not heard. */
export async function takeBack(context: Context, leaving: Leaving, held: HeldFile): Promise<void> {
  const to = addresseeOf(leaving, held)
  await atTheirDrop(context, to, relaysOf(leaving, to, held, { only: true }), at =>
    visiting(context, at, async talk => {
      await talk.ask('unstore', { tag: relayTag(held.offer) })
    }),
  )
}

/** As takeBack, for a file that nobody hands out any more: null where that is heard, or why it is not. */
export async function unheardTakingBack(
  context: Context,
  leaving: Leaving,
  held: HeldFile,
): Promise<BoxError | null> {
  try {
    await takeBack(context, leaving, held)
    return null
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof BoxError) || error.family === 'setup') throw error
    return error
  }
}

/** What of it lies at the relay where we have left it. Fails as leaveFile. */
export async function lookAfter(context: Context, leaving: Leaving, held: HeldFile) {
  const to = addresseeOf(leaving, held)
  return await atTheirDrop(context, to, relaysOf(leaving, to, held, { only: true }), at =>
    visiting(context, at, talk => asked(talk, held.offer)),
  )
}

const asked = async (talk: PushTalk, offer: FileOffer): Promise<Lying> =>
  readLying(await talk.ask('stored', { tag: relayTag(offer) }))

function addresseeOf({ contacts, people }: Leaving, { circle, offer }: HeldFile): Correspondent {
  if (circle.is === 'room')
    throw new BoxError('INPUT_INVALID', `${offer.name} is for a room, which has no relay.`)
  const contact = contacts.findEver(circle.zone)
  if (contact) return people.of(contact)
  throw new BoxError('CONTACT_UNKNOWN')
}

/** Where it was begun comes first. */
function relaysOf(
  { contacts }: Leaving,
  { contact }: Correspondent,
  { relay }: HeldFile,
  { only = false } = {},
): { readonly relays: readonly ZoneKey[]; readonly timeoutMs: number } {
  const begun = relay && relay.is !== 'never' ? [relay.zone] : []
  const all = only ? [] : (contacts.find(contact.zone)?.relays ?? [])
  const others = all.filter(zone => !begun.some(one => equalBytes(one, zone)))
  return { relays: [...begun, ...others], timeoutMs: RELAY_MS }
}

async function bring(
  context: Context,
  { files }: Leaving,
  held: HeldFile,
  at: AtDrop,
  has: (parts: number) => void,
): Promise<Left> {
  const { offer } = held
  const id = offerId(offer)
  const tag = relayTag(offer)
  const count = chunkCount(offer.size)
  return await visiting(context, at, async (talk, stir) => {
    const there = await announced(talk, { tag, count, size: partsSize(offer) })
    const left = { zone: at.relay, until: there.until }
    await files.lies(id, { is: 'begun', ...left })
    let next = there.has
    has(next)
    const planted = openPlanted(files, held)
    try {
      if (next < count)
        await talk.giveEach('bring', { tag, from: next }, partsOf(planted, held, next), () => {
          stir()
          has(++next)
        })
    } finally {
      planted.close()
    }
    const whole: Left = { is: 'whole', ...left }
    await files.lies(id, whole)
    return whole
  })
}

/** Fails with RELAY_REFUSED where it does not take it. */
async function announced(talk: PushTalk, file: RelayedFile): Promise<Lying> {
  try {
    return readLying(await talk.ask('store', file))
  } catch (error) {
    if (!(error instanceof BoxError) || error.code !== 'PUSH_REFUSED') throw error
    throw new BoxError('RELAY_REFUSED', 'It keeps no files, or is of an older version.', error)
  }
}

function openPlanted(files: FileBook, { offer, path }: HeldFile): PlantedFile {
  try {
    return new PlantedFile(path, files.treePath(offerId(offer)), offer.size)
  } catch (error) {
    if (error instanceof BoxError) throw error
    return unusable(path)(error)
  }
}

/** Each is read when it is its turn. */
function* partsOf(
  planted: PlantedFile,
  { offer, path }: HeldFile,
  from: number,
): Iterable<Uint8Array> {
  for (let index = from; index < chunkCount(offer.size); index++) {
    const chunk = planted.chunk(index)
    if (!chunk) throw new BoxError('FILE_UNUSABLE', `${path} is another file by now.`)
    yield encodePart(offer, { index, ...chunk })
  }
}

/** A dialogue that ends once nothing is heard for long. */
async function visiting<T>(
  { clock, signal }: Context,
  { channel }: AtDrop,
  work: (talk: PushTalk, stir: () => void) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const late = () => clock.after(STALL_MS, () => over.abort(new BoxError('PEER_TIMEOUT')))
  let timer: Timer = late()
  const talk = new PushTalk(channel, clock, AbortSignal.any([signal, over.signal]))
  try {
    return await work(talk, () => {
      timer.cancel()
      timer = late()
    })
  } finally {
    timer.cancel()
    talk.close()
  }
}
