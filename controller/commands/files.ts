/** box files: what was offered with box send, and fetching it. */

import { statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { BoxError, EXIT_CODES } from '../../src/base/errors.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { offerId } from '../../src/social/file-offer.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { lookAfterFiles } from '../files/carrying.ts'
import { FileBook, type HeldFile } from '../files/file-book.ts'
import { lockFile } from '../files/file-lock.ts'
import { getFile } from '../files/getting.ts'
import { leaveFile, leftOf, unheardTakingBack } from '../files/leaving.ts'
import { type Offered, offerCalled, offersKnown } from '../files/offers.ts'
import { table } from '../output.ts'
import { RoomBook } from '../room/book.ts'
import { ID_SHOWN, tame, timeText } from '../room/lines.ts'
import { RoomMemory } from '../room/memory.ts'
import { RoomVisit } from '../room/visit.ts'
import { TalkDesk } from '../talk/desk.ts'
import { SealedState } from '../talk/sealed-state.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const ACTIONS = {
  ls: 'list what was offered to you and by you, the oldest first',
  get: 'fetch files, or go on where that was interrupted',
  leave: 'leave files of yours with a relay of a contact who is away, or go on with that',
  rm: 'hand a file out no longer; the file itself stays',
} as const
type Action = keyof typeof ACTIONS

interface Arguments {
  readonly action: Action
  readonly ids: readonly string[]
  readonly out: string
  readonly timeout: number
}

export const files = command<Arguments>({
  usage: 'files [action] [ids..]',
  examples: [
    ['box files', 'lists what was offered; the first column calls it'],
    ['box files get 4k7zq0vd', 'fetches it into this directory'],
    ['box files get 4k7zq0vd --out /srv/new.tar', 'under another name; nothing is overwritten'],
    ['box files leave 4k7zq0vd', 'brings one of yours to a relay of who it is for'],
  ],
  options: yargs =>
    yargs
      .positional('action', {
        choices: Object.keys(ACTIONS) as Action[],
        default: 'ls' as Action,
        describe: 'what to do',
      })
      .positional('ids', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'get, leave, rm: which files, by the beginning of what box files calls them',
      })
      .option('out', {
        type: 'string',
        default: '.',
        describe: 'get: the directory to put them in, or for one file its new name',
      })
      .option('timeout', TIMEOUT)
      .epilogue(
        `${Object.entries(ACTIONS)
          .map(([name, effect]) => `${name.padEnd(6)} ${effect}`)
          .join(
            '\n',
          )}\n\nWhat has come lies beside, in hidden files, until all of it is there and was found right.`,
      ),
  run: async (context, args) => {
    const ms = timeoutMs(args.timeout)
    const sealed = await SealedState.open(context.state, context.random)
    const book = new FileBook(sealed)
    switch (args.action) {
      case 'ls':
        await catchUp(context, ms)
        return list(context, await offersKnown(context, sealed), book.read())
      case 'get': {
        const wanted = await wantedOf(context, sealed, args.ids, ms)
        return await get(context, sealed, wanted, { out: args.out, timeoutMs: ms })
      }
      case 'leave':
        return await leave(context, args.ids)
      case 'rm':
        return await remove(context, book, args.ids)
    }
  },
})

/** The offers that are meant; what is not known here may have been said meanwhile. */
async function wantedOf(
  context: Context,
  sealed: SealedState,
  ids: readonly string[],
  timeoutMs: number,
): Promise<readonly Offered[]> {
  if (ids.length === 0) throw new BoxError('INPUT_INVALID', 'Say which file: see box files.')
  const known = async () => {
    const offers = await offersKnown(context, sealed)
    return ids.map(id => offerCalled(offers, id))
  }
  try {
    return await known()
  } catch (error) {
    if (!(error instanceof BoxError) || error.code !== 'OFFER_UNKNOWN') throw error
    await catchUp(context, timeoutMs)
    return await known()
  }
}

async function get(
  context: Context,
  sealed: SealedState,
  wanted: readonly Offered[],
  { out, timeoutMs }: { readonly out: string; readonly timeoutMs: number },
): Promise<number> {
  if (wanted.length > 1 && !isDirectory(out))
    throw new BoxError('INPUT_INVALID', `Several files need a directory, and ${out} is none.`)
  for (const offered of wanted) {
    const { offer } = offered
    const target = isDirectory(out) ? join(resolve(out), offer.name) : resolve(out)
    if (!isDirectory(dirname(target)))
      throw new BoxError('FILE_UNUSABLE', `${dirname(target)} is no directory.`)
    const progress = context.output.progress(`looking for who has ${offer.name}`)
    const { path, isNew } = await getFile(context, sealed, offered, {
      ...{ target, timeoutMs },
      step: done => progress.now(`${basename(target)}: ${done} of ${offer.size} bytes`),
    }).finally(progress.end)
    context.output.result(isNew ? path : `${path} (it was there)`, {
      ...{ file: offerId(offer), path, size: offer.size, new: isNew },
    })
  }
  return 0
}

/** Brings here what was said meanwhile, unless a `box up` does that; what is not reached is said. */
async function catchUp(context: Context, timeoutMs: number): Promise<void> {
  const { output, state } = context
  if ((await context.mesh()).isLent) return
  const progress = output.progress('asking relays and rooms')
  const desk = await TalkDesk.open(context, { stays: false })
  const rooms = new RoomBook(state).rooms().filter(one => RoomMemory.hasEntered(state, one))
  const visitRoom = async (room: (typeof rooms)[number]) => {
    const visit = await RoomVisit.open(context, room, { timeoutMs })
    try {
      await visit.whenCurrent()
      visit.save()
    } catch (error) {
      if (!(error instanceof BoxError) || error.family === 'setup') throw error
      output.remark(`${room.name} is not reached: ${error.message}`)
    } finally {
      await visit.close()
    }
  }
  try {
    const looking = lookAfterFiles(context, desk.leaving)
    await Promise.all([desk.visit(), looking, ...rooms.map(visitRoom)])
  } finally {
    progress.end()
    await desk.close()
  }
}

function list(
  { output, clock }: Context,
  offers: readonly Offered[],
  held: readonly HeldFile[],
): number {
  if (offers.length === 0) output.remark('Nothing was offered yet: see box send --help.')
  const heldOf = (one: Offered) =>
    held.find(({ offer }) => offerId(offer) === offerId(one.offer)) ?? null
  const lines = table(
    offers.map(one => [
      offerId(one.offer).slice(0, ID_SHOWN),
      timeText(one.at),
      tame(one.who),
      one.where,
      `${one.offer.size}`,
      stateOf(one, heldOf(one), clock.now()),
      one.offer.name,
    ]),
  )
  offers.forEach(
    (one, i) => void output.result(lines[i]!, offeredValue(one, heldOf(one), clock.now())),
  )
  return 0
}

/** What has become of it here. */
function stateOf({ by }: Offered, held: HeldFile | null, now: number): string {
  if (by === null) {
    if (!held) return 'taken back'
    if (held.takenBy.length > 0) return `fetched by ${held.takenBy.length}`
    const left = leftOf(held, now)
    if (left?.is === 'whole') return `left with a relay until ${timeText(left.until)}`
    return left?.is === 'gone' ? 'gone from the relay' : 'yours'
  }
  if (!held) return 'offered'
  return held.isWhole ? 'here' : 'begun'
}

/** As programs read it. */
export function offeredValue(one: Offered, held: HeldFile | null, now: number): object {
  const left = held && leftOf(held, now)
  return {
    ...{ file: offerId(one.offer), name: one.offer.name, size: one.offer.size },
    ...{ by: one.who, by_zone: one.by && zoneToText(one.by), in: one.circle.is, where: one.where },
    ...{ at: new Date(one.at).toISOString(), state: stateOf(one, held, now).split(' ')[0] },
    ...(held && { path: held.path }),
    ...(held && one.by === null && { fetched_by: held.takenBy.map(zoneToText) }),
    ...(left && {
      relay: {
        has: left.is,
        zone: zoneToText(left.zone),
        until: new Date(left.until).toISOString(),
      },
    }),
  }
}

/** The files of ours that are meant. Throws OFFER_UNKNOWN, INPUT_INVALID. */
function heldCalled(book: FileBook, ids: readonly string[]): readonly HeldFile[] {
  if (ids.length === 0) throw new BoxError('INPUT_INVALID', 'Say which file: see box files.')
  return ids.map(id => {
    const found = book.read().filter(({ offer }) => offerId(offer).startsWith(id.toLowerCase()))
    const [one, another] = found
    if (!one) throw new BoxError('OFFER_UNKNOWN')
    if (another) throw new BoxError('INPUT_INVALID', 'Several files begin so: say more of it.')
    return one
  })
}

async function leave(context: Context, ids: readonly string[]): Promise<number> {
  const desk = await TalkDesk.open(context, { stays: false })
  try {
    for (const held of heldCalled(desk.files, ids)) {
      const { name, size } = held.offer
      if (held.by !== null)
        throw new BoxError('INPUT_INVALID', `${name} is not offered by yourself.`)
      const id = offerId(held.offer)
      const release = lockFile(context.state, 'leaving', id)
      const progress = context.output.progress('looking for a relay of theirs')
      const { until } = await leaveFile(context, desk.leaving, held, done =>
        progress.now(`${name}: ${done} of ${size} bytes are with a relay`),
      ).finally(() => {
        progress.end()
        release()
      })
      context.output.result(`${name} lies with a relay until ${timeText(until)}.`, {
        ...{ file: id, name, size, at_relay_until: new Date(until).toISOString() },
      })
    }
  } finally {
    await desk.close()
  }
  return 0
}

async function remove(context: Context, book: FileBook, ids: readonly string[]): Promise<number> {
  let code = 0
  for (const held of heldCalled(book, ids)) {
    const { offer } = held
    const left = leftOf(held, context.clock.now())
    await book.forget(offerId(offer))
    const isBack = !left || left.is === 'gone' || (await isTakenBack(context, held))
    const value = { file: offerId(offer), name: offer.name, at_relay: !isBack }
    context.output.result(`${offer.name} is handed out no longer.`, value)
    if (!isBack) code = EXIT_CODES.unreachable
  }
  return code
}

/** Where it is not, that is said: nobody but who it is for can read it there. */
async function isTakenBack(context: Context, held: HeldFile): Promise<boolean> {
  const desk = await TalkDesk.open(context, { stays: false })
  const progress = context.output.progress('taking it back from a relay')
  try {
    const unheard = await unheardTakingBack(context, desk.leaving, held)
    progress.end()
    if (unheard)
      context.output.remark(`The relay that has it does not hear that: ${unheard.message}`)
    return unheard === null
  } finally {
    progress.end()
    await desk.close()
  }
}

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
