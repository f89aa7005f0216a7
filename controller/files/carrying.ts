/**
 * Looks after the files we offer to people who are away, for as long as a process stays: what was not left with a relay of
 * theirs is left there, what was begun is gone on with, and what they have is taken back.
 */

import { type Clock, pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { offerId } from '../../src/social/file-offer.ts'
import type { Context } from '../context.ts'
import { inParallel } from '../parallel.ts'
import { sayingIn } from '../talk/intake.ts'
import type { HeldFile } from './file-book.ts'
import { lockFile } from './file-lock.ts'
import { type Leaving, leaveFile, lookAfter, takeBack } from './leaving.ts'

const LOOK_EVERY_MS = 60_000
/** What has just been looked at lies there still. */
const LOOK_AFTER_MS = 60 * 60_000
/** A relay that cannot be reached may be back; one that says no has reasons that last. */
const AGAIN_MS = 10 * 60_000
const AGAIN_REFUSED_MS = 60 * 60_000
const PARALLEL = 8

type Due = 'leave' | 'look' | 'take back'

/** Resolves when the signal of the context is aborted. */
export async function carryFiles(context: Context, leaving: Leaving): Promise<void> {
  const { clock, signal } = context
  const notBefore = new Map<string, number>()
  while (!signal.aborted) {
    for (const held of offered(leaving)) {
      const due = signal.aborted ? null : dueFor(leaving, held, clock)
      const matter = `${due} ${offerId(held.offer)}`
      if (due === null || clock.elapsed() < (notBefore.get(matter) ?? 0)) continue
      const restMs = await attend(context, leaving, held, due)
      notBefore.set(matter, clock.elapsed() + restMs)
    }
    await pause(clock, LOOK_EVERY_MS, signal)
  }
}

/** Looks, once, which of the files that were left with relays are there no more. */
export async function lookAfterFiles(context: Context, leaving: Leaving): Promise<void> {
  const left = offered(leaving).filter(held => dueFor(leaving, held, context.clock) === 'look')
  await inParallel(left, PARALLEL, async held => {
    await attend(context, leaving, held, 'look')
  })
}

/** Does what is due for one file; how long that need not be done again. */
async function attend(
  context: Context,
  leaving: Leaving,
  { offer }: HeldFile,
  due: Due,
): Promise<number> {
  const id = offerId(offer)
  try {
    const release = lockFile(context.state, 'leaving', id)
    try {
      // As it is now: whoever had the lock may have done it.
      const held = leaving.files.find(id)
      if (!held || dueFor(leaving, held, context.clock) !== due) return 0
      return await doWhatIsDue(context, leaving, held, due)
    } finally {
      release()
    }
  } catch (error) {
    if (context.signal.aborted) return 0
    if (!(error instanceof BoxError)) throw error
    if (error.code === 'STATE_LOCKED') return 0
    context.log.note('info', 'files', 'not at a relay', { file: id, code: error.code })
    return error.family === 'unreachable' ? AGAIN_MS : AGAIN_REFUSED_MS
  }
}

async function doWhatIsDue(
  context: Context,
  leaving: Leaving,
  held: HeldFile,
  due: Due,
): Promise<number> {
  const { files } = leaving
  const id = offerId(held.offer)
  switch (due) {
    case 'leave':
      await leaveFile(context, leaving, held, () => {})
      return 0
    case 'look': {
      const { has } = await lookAfter(context, leaving, held)
      const { relay } = held
      if (has === 0 && relay?.is === 'whole') await files.lies(id, { ...relay, is: 'gone' })
      return LOOK_AFTER_MS
    }
    case 'take back':
      await takeBack(context, leaving, held)
      await files.lies(id, null)
      return 0
  }
}

function dueFor(leaving: Leaving, held: HeldFile, clock: Pick<Clock, 'now'>): Due | null {
  const { relay, takenBy } = held
  if (relay?.is === 'never' || relay?.is === 'gone') return null
  const isThere = relay !== null && clock.now() < relay.until
  if (takenBy.length > 0) return isThere ? 'take back' : null
  if (isThere) return relay.is === 'whole' ? 'look' : 'leave'
  return isOfferLeft(leaving, held) ? 'leave' : null
}

/** Whether the offer lies with a relay of theirs, and they have not heard of it. */
function isOfferLeft({ contacts, people }: Leaving, { circle, offer }: HeldFile): boolean {
  const contact = circle.is === 'contact' ? contacts.findEver(circle.zone) : null
  if (!contact) return false
  const id = offerId(offer)
  return people
    .of(contact)
    .memory.read()
    .unheard.some(({ leftAt, packet }) => {
      if (leftAt === null) return false
      const saying = sayingIn(packet)
      return saying.is === 'file' && offerId(saying.offer) === id
    })
}

/** What cannot be read now is looked at again. */
function offered({ files }: Leaving): readonly HeldFile[] {
  try {
    return files
      .read()
      .filter(({ by, circle, isWhole }) => by === null && circle.is === 'contact' && isWhole)
  } catch (error) {
    if (error instanceof BoxError) return []
    throw error
  }
}
