/** box room: talk among admins, in rooms that always-on devices host. */

import { text as textOf } from 'node:stream/consumers'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError, EXIT_CODES } from '../../src/base/errors.ts'
import { formatRoomAddress, roomMode, roomName } from '../../src/box/room-address.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { table } from '../output.ts'
import { type KnownRoom, RoomBook } from '../room/book.ts'
import { lineOf, modeLine, type Person, RoomNames, type Said, saidValue } from '../room/lines.ts'
import { lastSaid, leave, peopleIn, visited } from '../room/membership.ts'
import { RoomMemory } from '../room/memory.ts'
import { create, deleteRoom, forget, invite, listHosted, remove } from '../room/owning.ts'
import { stay } from '../room/stay.ts'
import { RoomVisit } from '../room/visit.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const LAST = 50
const ACTIONS = {
  create: 'have a device host a new room',
  ls: 'list your rooms; with --on, those that a device hosts',
  invite: 'let somebody enter, by the key that box id shows to them',
  enter: 'be there, by name or by the address you were given: ^D leaves it',
  say: 'say one thing; without words, what comes on standard input',
  history: 'show what was said',
  who: 'list who is in it',
  remove: 'put somebody out, by name or key',
  leave: 'give up being in it',
  delete: 'delete it on its device, with all that was said',
} as const
type Action = keyof typeof ACTIONS

interface Arguments {
  readonly action: Action
  readonly room: string | undefined
  readonly words: readonly string[]
  readonly on: string | undefined
  readonly as: string | undefined
  readonly open: boolean
  readonly deniable: boolean
  readonly last: number
  readonly listen: boolean
  readonly forget: boolean
  readonly timeout: number
  readonly '--'?: readonly string[]
}

export const room = command<Arguments>({
  usage: 'room <action> [room] [words..]',
  examples: [
    ['box room create ops --on kitchen', 'kitchen hosts the room; it takes the right admin there'],
    ['box room create ops --on kitchen --deniable', 'what is said there proves nothing to others'],
    ['box room invite ops 000G0… --as ada', 'prints what Ada is to type'],
    ['box room enter ops', 'shows what you missed, then what is said; what you type is said'],
    ['uptime | box room say ops', 'says one thing and is done'],
    ['box room enter ops --listen --json', 'prints one JSON object a message'],
    ['box room history ops --last 10', 'shows what was said'],
  ],
  options: yargs =>
    yargs
      .positional('action', {
        choices: Object.keys(ACTIONS) as Action[],
        demandOption: true,
        describe: 'what to do',
      })
      .positional('room', { type: 'string', describe: 'its name, or the address you were given' })
      .positional('words', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'say: the text; invite, remove: the person',
      })
      .option('on', { type: 'string', describe: 'create, ls: the device that hosts it' })
      .option('as', {
        type: 'string',
        describe:
          'invite: what all in the room call the person; create: what they call you; enter: what you call the room',
      })
      .option('open', {
        type: 'boolean',
        default: false,
        describe: 'create: newcomers may read what was said before they came',
      })
      .option('deniable', {
        type: 'boolean',
        default: false,
        describe: 'create: what is said proves nothing to others; otherwise the room signs it',
      })
      .option('last', { type: 'number', default: LAST, describe: 'history: so many at most' })
      .option('listen', { type: 'boolean', default: false, describe: 'enter: say nothing' })
      .option('forget', {
        type: 'boolean',
        default: false,
        describe: 'leave: also where its host cannot be reached any more',
      })
      .option('timeout', TIMEOUT)
      .epilogue(
        Object.entries(ACTIONS)
          .map(([name, effect]) => `${name.padEnd(8)} ${effect}`)
          .join('\n'),
      ),
  run: async (context, args) => {
    const ms = timeoutMs(args.timeout)
    const { action } = args
    if (action === 'ls') return await list(context, args.on, ms)
    const text = args.room
    if (text === undefined) throw new BoxError('INPUT_INVALID', `Say which room to ${action}.`)
    if (action === 'create') {
      if (args.on === undefined)
        throw new BoxError('INPUT_INVALID', 'Say which device hosts it: --on DEVICE.')
      const { on, as, open: isOpen, deniable: isDeniable } = args
      await create(context, text, { on, as, isOpen, isDeniable, timeoutMs: ms })
      return 0
    }
    return await inRoom(context, new RoomBook(context.state).room(text), args, ms)
  },
})

async function inRoom(
  context: Context,
  known: KnownRoom,
  args: Arguments,
  timeoutMs: number,
): Promise<number> {
  switch (args.action) {
    case 'invite':
      await invite(context, known, personIn(args), { as: args.as, timeoutMs })
      return 0
    case 'remove':
      await remove(context, known, personIn(args), timeoutMs)
      return 0
    case 'delete':
      await deleteRoom(context, known, timeoutMs)
      return 0
    case 'leave':
      await leave(context, known, { isForced: args.forget, timeoutMs })
      context.output.result(`You are not in ${known.name} any more.`, { room: known.name })
      return 0
    default:
      return await asMember(context, await takenIn(context, known, args), args, timeoutMs)
  }
}

/** What members do. Who is not let in, and never was, does not keep the room. */
async function asMember(
  context: Context,
  known: KnownRoom,
  args: Arguments,
  timeoutMs: number,
): Promise<number> {
  try {
    switch (args.action) {
      case 'say':
        await say(context, known, args, timeoutMs)
        return 0
      case 'history':
        return await history(context, known, args.last, timeoutMs)
      case 'who':
        return await who(context, known, timeoutMs)
      default:
        return await stay(context, known, { timeoutMs, isSilent: args.listen })
    }
  } catch (error) {
    const isRefused = error instanceof BoxError && error.family === 'refused'
    if (isRefused && !RoomMemory.hasEntered(context.state, known)) await forget(context, known)
    throw error
  }
}

function personIn({ action, words }: Arguments): string {
  const [person, ...others] = words
  if (person !== undefined && others.length === 0) return person
  throw new BoxError('INPUT_INVALID', `Say whom to ${action}: one name or key.`)
}

/** A room that is only known by its address is written down, before anything happens in it. */
async function takenIn(
  { state, ego }: Context,
  known: KnownRoom,
  { action, as }: Arguments,
): Promise<KnownRoom> {
  ego()
  const name = action === 'enter' && as !== undefined ? roomName(as) : known.name
  return await new RoomBook(state).add({ ...known, name })
}

async function list(context: Context, on: string | undefined, ms: number): Promise<number> {
  const { output, state, fleet } = context
  if (on !== undefined) {
    await listHosted(context, on, ms)
    return 0
  }
  const rooms = new RoomBook(state).rooms()
  if (rooms.length === 0) output.remark('No rooms yet: see box room --help.')
  const hosts = rooms.map(({ device }) => {
    const own = fleet.devices().find(({ zone }) => equalBytes(zone, device))
    return own?.name ?? null
  })
  const lines = table(
    rooms.map((one, i) => [one.name, hosts[i] ?? '-', roomMode(one), formatRoomAddress(one)]),
  )
  rooms.forEach((one, i) => {
    output.result(lines[i]!, {
      ...{ room: one.name, device: hosts[i], device_zone: zoneToText(one.device) },
      mode: roomMode(one),
      address: formatRoomAddress(one),
    })
  })
  return 0
}

async function say(
  context: Context,
  known: KnownRoom,
  { words, '--': more = [] }: Arguments,
  timeoutMs: number,
): Promise<void> {
  const { output, stdio } = context
  const given = [...words, ...more].join(' ')
  const text = (given === '' ? await textOf(stdio.input) : given).trimEnd()
  if (text === '') throw new BoxError('INPUT_INVALID', 'There is nothing to say.')
  const visit = await RoomVisit.open(context, known, { timeoutMs })
  const progress = output.progress(`looking for the host of ${known.name}`)
  try {
    const wasIn = visit.guest.isIn
    await visit.say(text, timeoutMs)
    if (!wasIn) visit.save()
  } finally {
    progress.end()
    await visit.close()
  }
  if (output.json) output.result('', { room: known.name, said: text })
}

/** Shows what is read there, or what is known here: then why is the exit code. */
async function shown<T>(
  context: Context,
  known: KnownRoom,
  timeoutMs: number,
  [read, show]: readonly [read: (visit: RoomVisit) => T, show: (value: T) => void],
): Promise<number> {
  const { output } = context
  const progress = output.progress(`looking for the host of ${known.name}`)
  const { value, failure } = await visited(context, known, timeoutMs, read).finally(progress.end)
  show(value)
  if (failure) output.remark(`This is what is known here. ${failure.message}`)
  return failure ? EXIT_CODES[failure.family] : 0
}

function history(
  context: Context,
  known: KnownRoom,
  last: number,
  timeoutMs: number,
): Promise<number> {
  if (!Number.isInteger(last) || last < 1)
    throw new BoxError('INPUT_INVALID', '--last takes a whole number from 1.')
  const names = new RoomNames(context)
  const show = (all: readonly Said[]) => {
    for (const said of all)
      context.output.result(lineOf(said, names), saidValue(known.name, said, names))
  }
  return shown(context, known, timeoutMs, [visit => lastSaid(visit, last), show])
}

function who(context: Context, known: KnownRoom, timeoutMs: number): Promise<number> {
  const names = new RoomNames(context)
  const show = (members: readonly Person[]) => {
    const lines = table(members.map(one => [names.of(one), one.zone]))
    members.forEach((one, i) => {
      context.output.result(lines[i]!, {
        ...{ name: names.of(one), zone: one.zone, mode: roomMode(known) },
      })
    })
    context.output.remark(modeLine(known))
  }
  return shown(context, known, timeoutMs, [peopleIn, show])
}
