/** box send: offers a file to one person or to a room. */

import { pause } from '../../src/base/clock.ts'
import { BoxError, EXIT_CODES } from '../../src/base/errors.ts'
import { offerId, offerModifiers, offerText } from '../../src/social/file-offer.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import type { HeldFile } from '../files/file-book.ts'
import { mustFetchFiles, mustHandFiles } from '../files/file-keys.ts'
import { lockFile } from '../files/file-lock.ts'
import { type Left, leaveFile } from '../files/leaving.ts'
import { takeForOffer } from '../files/offering.ts'
import { type KnownRoom, RoomBook } from '../room/book.ts'
import { FILE_METHOD, ID_SHOWN, timeText } from '../room/lines.ts'
import { RoomVisit } from '../room/visit.ts'
import { type Contact, ContactBook } from '../talk/contact-book.ts'
import { TalkDesk } from '../talk/desk.ts'
import { SealedState } from '../talk/sealed-state.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const LOOK_EVERY_MS = 250
const WAIT_SECONDS_MAX = 7 * 86_400

interface Arguments {
  readonly file: string
  readonly to: string
  readonly wait: number | undefined
  readonly relay: boolean
  readonly timeout: number
}

type Target =
  | { readonly is: 'contact'; readonly contact: Contact }
  | { readonly is: 'room'; readonly room: KnownRoom }

export const send = command<Arguments>({
  usage: 'send <file>',
  examples: [
    ['box send firewall.box --to ada', 'one of your contacts; she fetches it with box files get'],
    ['box send backup.tar --to ops', 'a room: whoever is in it may fetch it'],
    ['box send backup.tar --to ada --no-relay', 'no relay keeps it, also while she is away'],
    ['box send backup.tar --to ada --wait 3600', 'hands it out from here, until she has it'],
  ],
  options: yargs =>
    yargs
      .positional('file', { type: 'string', demandOption: true, describe: 'the file' })
      .option('to', {
        type: 'string',
        demandOption: true,
        describe: 'one of your contacts, or one of your rooms (by name, or by key and address)',
      })
      .option('wait', {
        type: 'number',
        describe: 'stay until somebody has fetched it, so many seconds at most',
      })
      .option('relay', {
        type: 'boolean',
        default: true,
        describe: 'a contact who is away: leave the file with a relay of theirs (--no-relay: not)',
      })
      .option('timeout', TIMEOUT)
      .epilogue(
        'The file stays where it is; it is handed out from there while box up runs, or this waits, and only as long as it is\n' +
          'not changed. What lies with a relay is fetched from there. Exit code 0: it is handed out, or lies with a relay\n' +
          '(--wait: or somebody has it); 75: it waits here until box up runs.',
      ),
  run: async (context, args) => {
    const ms = timeoutMs(args.timeout)
    const waitMs = waitOf(args.wait)
    const target = await targetOf(context, args.to)
    const desk = await TalkDesk.open(context, { stays: waitMs !== null })
    try {
      const held = await offer(context, desk, target, args.file)
      const { said, relay } = await bringOffer(context, desk, target, held, {
        ...{ leaves: args.relay, ms },
      })
      const isLeft = relay?.is === 'whole'
      const isTaken =
        waitMs !== null && !isLeft && (await waitFor(context, desk, target, held, waitMs))
      const waits = waitMs !== null
      return report(context, desk, held, { target, said, isTaken, waits, relay })
    } finally {
      await desk.close()
    }
  },
})

/** Throws INPUT_INVALID. */
function waitOf(seconds: number | undefined): number | null {
  if (seconds === undefined) return null
  if (seconds > 0 && seconds <= WAIT_SECONDS_MAX) return seconds * 1_000
  throw new BoxError('INPUT_INVALID', `--wait takes seconds, up to ${WAIT_SECONDS_MAX}.`)
}

/** Fails with CONTACT_UNKNOWN, INPUT_INVALID where it is both, and where we or they cannot have to do with files. */
async function targetOf(context: Context, to: string): Promise<Target> {
  mustHandFiles(context.ego().secret.zone)
  const contacts = new ContactBook(await SealedState.open(context.state, context.random))
  const contact = ifKnown('CONTACT_UNKNOWN', () => contacts.contact(to))
  const room = ifKnown('ROOM_UNKNOWN', () => new RoomBook(context.state).room(to))
  if (contact && room)
    throw new BoxError(
      'INPUT_INVALID',
      `${to} is a contact and a room: say the key of the one, or the address of the other.`,
    )
  if (contact) {
    mustFetchFiles(contact)
    return { is: 'contact', contact }
  }
  if (room) return { is: 'room', room }
  throw new BoxError(
    'CONTACT_UNKNOWN',
    `"${to}" is neither a contact nor a room: see box contact ls and box room ls.`,
  )
}

/** Null where there is none, or it can be no name of one. */
function ifKnown<T>(code: BoxError['code'], find: () => T): T | null {
  try {
    return find()
  } catch (error) {
    if (error instanceof BoxError && [code, 'NAME_INVALID'].includes(error.code)) return null
    throw error
  }
}

async function offer(
  context: Context,
  desk: TalkDesk,
  target: Target,
  path: string,
): Promise<HeldFile> {
  const progress = context.output.progress('reading')
  try {
    return await takeForOffer(context, desk.files, {
      path,
      circle:
        target.is === 'contact'
          ? { is: 'contact', zone: target.contact.zone }
          : { is: 'room', place: target.room.place },
      step: done => progress.now(`reading: ${done} bytes`),
    })
  } finally {
    progress.end()
  }
}

type Said = 'said' | 'left' | 'waits'

/** Says it, and brings the file itself where the offer lies with a relay. Until then no other process does that. */
async function bringOffer(
  context: Context,
  desk: TalkDesk,
  target: Target,
  held: HeldFile,
  { leaves, ms }: { readonly leaves: boolean; readonly ms: number },
): Promise<{ readonly said: Said; readonly relay: Left | null }> {
  const id = offerId(held.offer)
  const release = lockFile(context.state, 'leaving', id)
  try {
    if (!leaves) await desk.files.lies(id, { is: 'never' })
    const said = await tell(context, desk, target, held, ms)
    const relay = leaves && said === 'left' ? await leave(context, desk, held) : null
    return { said, relay }
  } finally {
    release()
  }
}

/** Null where no relay of theirs takes it: that is said, and it is handed out from here as ever. */
async function leave(context: Context, desk: TalkDesk, held: HeldFile): Promise<Left | null> {
  const { output, signal } = context
  const progress = output.progress('bringing it to a relay')
  const { size, name } = held.offer
  try {
    return await leaveFile(context, desk.leaving, held, done =>
      progress.now(`${name}: ${done} of ${size} bytes are with a relay`),
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof BoxError) || error.family === 'setup') throw error
    progress.end()
    output.remark(`The file itself lies with no relay: ${error.message}`)
    return null
  } finally {
    progress.end()
  }
}

/** Says it; where that fails, nothing is handed out. */
async function tell(
  context: Context,
  desk: TalkDesk,
  target: Target,
  { offer }: HeldFile,
  ms: number,
): Promise<Said> {
  const name = target.is === 'contact' ? target.contact.name : target.room.name
  const progress = context.output.progress(`telling ${name}`)
  try {
    desk.listsChanged()
    if (target.is === 'contact') await desk.say(target.contact, { is: 'file', offer })
    else await tellRoom(context, target.room, offer, ms)
  } catch (error) {
    progress.end()
    await desk.files.forget(offerId(offer))
    throw error
  }
  try {
    if (target.is === 'room') return 'said'
    const whither = await desk.deliver(target.contact)
    return whither === 'heard' ? 'said' : whither
  } finally {
    progress.end()
  }
}

async function tellRoom(
  context: Context,
  known: KnownRoom,
  offer: HeldFile['offer'],
  timeoutMs: number,
): Promise<void> {
  const room = await new RoomBook(context.state).add(known)
  const visit = await RoomVisit.open(context, room, { timeoutMs })
  try {
    const data = new TextEncoder().encode(offerText(offer))
    await visit.whenCurrent()
    await visit.tell({ method: FILE_METHOD, entity: offerModifiers(offer), data }, timeoutMs)
    visit.save()
  } finally {
    await visit.close()
  }
}

/** Until somebody has it. In a room, who comes meanwhile may have it too. */
async function waitFor(
  context: Context,
  desk: TalkDesk,
  target: Target,
  { offer }: HeldFile,
  waitMs: number,
): Promise<boolean> {
  const { clock, signal, output } = context
  const deadline = clock.elapsed() + waitMs
  const visit =
    target.is === 'room'
      ? await RoomVisit.open(context, target.room, { timeoutMs: waitMs, said: () => visit?.save() })
      : null
  const progress = output.progress('waiting until it is fetched')
  try {
    visit?.enter()
    for (;;) {
      const taken = desk.files.find(offerId(offer))?.takenBy ?? []
      if (taken.length > 0) return true
      if (clock.elapsed() >= deadline) return false
      await pause(clock, LOOK_EVERY_MS, signal)
      signal.throwIfAborted()
    }
  } finally {
    progress.end()
    await visit?.close()
  }
}

interface Outcome {
  readonly target: Target
  readonly said: Said
  readonly isTaken: boolean
  readonly waits: boolean
  readonly relay: Left | null
}

function report(
  { output }: Context,
  desk: TalkDesk,
  { offer }: HeldFile,
  { target, said, isTaken, waits, relay }: Outcome,
): number {
  const id = offerId(offer)
  const to = target.is === 'contact' ? target.contact.name : target.room.name
  const isServed = isTaken || (desk.isServed && !waits)
  const until = relay && new Date(relay.until).toISOString()
  output.result(`${offer.name} is offered to ${to}: ${id.slice(0, ID_SHOWN)}`, {
    ...{ file: id, name: offer.name, size: offer.size, to, in: target.is, offer: said },
    ...{ handed_out: isServed, fetched: isTaken, at_relay_until: until },
  })
  if (said === 'waits')
    output.remark(`${to} is out of reach: the offer waits here; box up, or box chat, brings it.`)
  if (said === 'left')
    output.remark(
      relay
        ? `${to} is not there: it lies with a relay for them, until ${timeText(relay.until)}.`
        : `${to} is not there: the offer lies with a relay until then.`,
    )
  if (!isServed && !relay)
    output.remark('It is fetched from here: box up hands it out while it runs.')
  return (isServed || relay) && said !== 'waits' ? 0 : EXIT_CODES.unreachable
}
