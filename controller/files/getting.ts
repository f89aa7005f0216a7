/** box files get: one file, from who has it to its place here, by one process at a time. */

import { lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { offerId } from '../../src/social/file-offer.ts'
import type { Context } from '../context.ts'
import { RoomBook } from '../room/book.ts'
import { keptRoom } from '../room/kept.ts'
import { ContactBook } from '../talk/contact-book.ts'
import { ownRelays } from '../talk/post.ts'
import type { SealedState } from '../talk/sealed-state.ts'
import { fetchFile, type Holder, holdersOf } from './fetching.ts'
import { FileBook, type HeldFile } from './file-book.ts'
import { mustHandFiles } from './file-keys.ts'
import { lockFile } from './file-lock.ts'
import { type Offered, zoneIn } from './offers.ts'
import { PartFile, removeParts } from './part-file.ts'

export interface GetOptions {
  /** The whole path; its directory is there. */
  readonly target: string
  readonly timeoutMs: number
  readonly step: (done: number) => void
}

export interface Got {
  readonly path: string
  /** Whether it was fetched now. */
  readonly isNew: boolean
}

/** Fails as fetchFile, and with FILE_EXISTS, FILE_UNUSABLE, INPUT_INVALID where it is our own or we cannot fetch, STATE_LOCKED. */
export async function getFile(
  context: Context,
  sealed: SealedState,
  offered: Offered,
  options: GetOptions,
): Promise<Got> {
  const { offer } = offered
  mustHandFiles(context.ego().secret.zone)
  if (offered.by === null)
    throw new BoxError('INPUT_INVALID', `${offer.name} is offered by yourself.`)
  const files = new FileBook(sealed)
  const before = files.find(offerId(offer))
  if (before?.isWhole && sizeAt(before.path) === offer.size && before.path === options.target) {
    removeParts(dirname(before.path), offer)
    return { path: before.path, isNew: false }
  }
  const release = lockFile(context.state, 'getting', offerId(offer))
  try {
    await get(context, sealed, offered, options)
    return { path: options.target, isNew: true }
  } finally {
    release()
  }
}

async function get(
  context: Context,
  sealed: SealedState,
  offered: Offered,
  { target, timeoutMs, step }: GetOptions,
): Promise<void> {
  const { offer, circle, by } = offered
  const { clock, signal, output } = context
  const files = new FileBook(sealed)
  const reading = { clock, signal }
  const part = await PartFile.open(dirname(target), offer, reading)
  try {
    // Told before anything is fetched, unless it may be what we have put there ourselves.
    if (!part.isWhole && sizeAt(target) !== null)
      throw new BoxError('FILE_EXISTS', `${target} is there: say where to with --out.`)
    const held: HeldFile = {
      ...{ offer, circle, by, path: target, isWhole: false, at: clock.now(), takenBy: [] },
      relay: null,
    }
    await files.keep(held)
    const holders = part.isWhole ? [] : await holdersFor(context, sealed, offered)
    await fetchFile(context, {
      ...{ offer, part, holders, timeoutMs, step },
      finish: async () => {
        await part.finish(target, files.treePath(offerId(offer)), reading, () =>
          files.keep({ ...held, isWhole: true }),
        )
      },
    })
  } catch (error) {
    if (part.next === 0) await files.forget(offerId(offer))
    else if (!(error instanceof BoxError) || error.code !== 'FILE_EXISTS')
      output.remark(`What has come is kept (${part.bytes} of ${offer.size} bytes): get it again.`)
    throw error
  } finally {
    part.leave()
  }
}

/** Whoever offers it, then the others of the room, or relays of ours. */
async function holdersFor(
  context: Context,
  sealed: SealedState,
  { circle, by }: Offered,
): Promise<readonly Holder[]> {
  const contacts = new ContactBook(sealed)
  // Who offered it may have another key since.
  const zones: ZoneKey[] = by ? [contacts.findEver(by)?.zone ?? by] : []
  const room = circle.is === 'room' ? new RoomBook(context.state).find(circle.place) : null
  if (room)
    for (const { nym } of (await keptRoom(context, room)).members) zones.push(...zoneOf(nym))
  const people = holdersOf(context, zones, zone => contacts.find(zone))
  if (circle.is === 'room') return people
  return [...people, ...ownRelays(context).map(device => ({ is: 'relay' as const, device }))]
}

function zoneOf(nym: string): readonly ZoneKey[] {
  const zone = zoneIn(nym)
  return zone ? [zone] : []
}

const sizeAt = (path: string): number | null =>
  lstatSync(path, { throwIfNoEntry: false })?.size ?? null
