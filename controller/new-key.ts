/**
 * Who hears that our key is another one (`box rotate ego`), beside devices: the rooms we are in, whose hosts let in whom
 * they know, and contacts (talk/tie.ts). Who is not reached now is told by whatever runs later.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError, EXIT_CODES } from '../src/base/errors.ts'
import type { Context } from './context.ts'
import { PUBLISH_PATIENCE_MS } from './names.ts'
import { inParallel } from './parallel.ts'
import { type KnownRoom, RoomBook } from './room/book.ts'
import { visited } from './room/membership.ts'
import { RoomMemory } from './room/memory.ts'
import type { Contact } from './talk/contact-book.ts'
import { TalkDesk, type Whither } from './talk/desk.ts'
import { SealedState } from './talk/sealed-state.ts'

export const KNOWS = 'knows the new key'
const PARALLEL = 8

/** Enters each room we are in by the key of today, of which its host hears so. 0, or 75 where some are not reached. */
export async function tellRooms(context: Context, timeoutMs: number): Promise<number> {
  const { state, output } = context
  const rooms = new RoomBook(state).rooms().filter(one => RoomMemory.hasEntered(state, one))
  const failures = await inParallel(rooms, PARALLEL, async room => {
    const failure = await enter(context, room, timeoutMs)
    const line = failure ? `off: ${failure.message}` : KNOWS
    const error = failure && { code: failure.code, message: failure.message }
    const result = failure ? 'offline' : 'done'
    output.result(`${room.name}  ${line}`, { room: room.name, result, error })
    return failure
  })
  return failures.every(failure => failure === null) ? 0 : EXIT_CODES.unreachable
}

/** Why it was not reached, or we are not in; null: we are, and have what was said. */
async function enter(
  context: Context,
  room: KnownRoom,
  timeoutMs: number,
): Promise<BoxError | null> {
  try {
    return (await visited(context, room, timeoutMs, () => null)).failure
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof BoxError) || error.family === 'setup') throw error
    return error
  }
}

/** Tells each contact, or leaves it for them. 0, or 75 where it waits here for some. */
export async function tellContacts(context: Context): Promise<number> {
  if (!SealedState.find(context.state, context.random)) return 0
  const desk = await TalkDesk.open(context, { stays: false })
  try {
    return await tellContactsBy(context, desk)
  } finally {
    await desk.close()
  }
}

/** The same by a desk that is there already, and has been told of the key. */
export async function tellContactsBy(context: Context, desk: TalkDesk): Promise<number> {
  const all = desk.book.contacts()
  // Our own relays first: what contacts leave there from now on is for either key.
  await desk.visit()
  const whithers = await inParallel(all, PARALLEL, async contact => {
    const whither = await desk.deliver(contact)
    const { name, zone } = contact
    const result = whither === 'heard' ? heardBy(context, desk.book.findEver(zone)) : whither
    context.output.result(`${name}  ${LINES[result]}`, { contact: name, result, error: null })
    return whither
  })
  if (all.length > 0) await desk.out(PUBLISH_PATIENCE_MS)
  return whithers.includes('waits') ? EXIT_CODES.unreachable : 0
}

type Result = 'done' | 'told' | Exclude<Whither, 'heard'>

/** Who has heard of it and goes on by the key before does not know what it means. */
const heardBy = ({ ego }: Context, contact: Contact | null): Result =>
  contact?.knowsUs && equalBytes(contact.knowsUs, ego().secret.zone) ? 'done' : 'told'

const LINES: Readonly<Record<Result, string>> = {
  done: KNOWS,
  told: 'was told, and goes on by the key before: is it an older version?',
  left: 'is not there: it lies with a relay of theirs',
  waits: 'is out of reach: told by box up, or the next box chat with them',
}
