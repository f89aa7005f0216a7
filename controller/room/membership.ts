/** What members do without staying: read what was said and who is in it, and leave. For commands and the API alike. */

import { BoxError } from '../../src/base/errors.ts'
import { membersIn } from '../../src/psyc/member-list.ts'
import type { Context } from '../context.ts'
import type { KnownRoom } from './book.ts'
import { type Person, type Said, saidIn } from './lines.ts'
import { forget } from './owning.ts'
import { RoomVisit } from './visit.ts'

export interface Past<T> {
  readonly value: T
  /** Why it may be older than what its host has; null: it is all there is. */
  readonly failure: BoxError | null
}

/**
 * Brings what is kept here up to date, and reads it then. Where the host cannot be reached, what is known here is
 * read. Fails where we never were in, or are not let in; with STATE_UNREADABLE, STATE_LOCKED.
 */
export async function visited<T>(
  context: Context,
  room: KnownRoom,
  timeoutMs: number,
  read: (visit: RoomVisit) => T,
): Promise<Past<T>> {
  const visit = await RoomVisit.open(context, room, { timeoutMs })
  try {
    const failure = await bringUpToDate(visit)
    return { value: read(visit), failure }
  } finally {
    await visit.close()
  }
}

async function bringUpToDate(visit: RoomVisit): Promise<BoxError | null> {
  try {
    await visit.whenCurrent()
    visit.save()
    return null
  } catch (error) {
    if (!(error instanceof BoxError) || !visit.guest.isIn) throw error
    return error
  }
}

/** What was said last, the oldest first. */
export const lastSaid = ({ guest }: RoomVisit, last: number): readonly Said[] =>
  guest
    .messages({})
    .flatMap(message => saidIn(message) ?? [])
    .slice(-last)

export const peopleIn = ({ guest }: RoomVisit): readonly Person[] =>
  membersIn(guest.state).map(({ nym, nick }) => ({ zone: nym, nick }))

/** With `isForced` also where its host cannot be reached any more. Fails as `visited`, and where it is not. */
export async function leave(
  context: Context,
  room: KnownRoom,
  { isForced, timeoutMs }: { readonly isForced: boolean; readonly timeoutMs: number },
): Promise<void> {
  const visit = await RoomVisit.open(context, room, { timeoutMs })
  try {
    await visit.leave()
  } catch (error) {
    // Who is not let in has left already.
    const isOut = error instanceof BoxError && error.family === 'refused'
    if (!isOut && !isForced) throw error
  } finally {
    await visit.close()
  }
  await forget(context, room)
}
