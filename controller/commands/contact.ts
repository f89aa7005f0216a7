/** box contact: the people you talk to. */

import { readFileSync } from 'node:fs'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import {
  formatPairingCode,
  pairingCodeForQr,
  parsePairingCode,
} from '../../src/box/pairing-code.ts'
import { personName } from '../../src/box/person-name.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { Bond } from '../../src/social/bond.ts'
import { signIntroduction } from '../../src/social/introduction.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { PUBLISH_PATIENCE_MS } from '../names.ts'
import { table } from '../output.ts'
import { enterCode, showCode } from '../talk/befriending.ts'
import { type Book, type Contact, ContactBook, offersIn } from '../talk/contact-book.ts'
import { TalkDesk } from '../talk/desk.ts'
import { TalkMemory } from '../talk/memory.ts'
import { SealedState } from '../talk/sealed-state.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const MINUTES = 10
const MINUTES_MAX = 60
const ACTIONS = {
  add: 'without more, show a code; or take in whoever shows CODE, or has this key',
  ls: 'list your contacts, and who was introduced to you',
  rename: 'call somebody something else',
  rm: 'forget somebody, and all that was said',
  introduce: 'tell two of your contacts each other’s key, signed by you',
  accept: 'take in somebody who was introduced to you',
} as const
type Action = keyof typeof ACTIONS

interface Arguments {
  readonly action: Action
  readonly words: readonly string[]
  readonly as: string | undefined
  readonly minutes: number
  readonly qr: boolean | undefined
  readonly timeout: number
}

export const contact = command<Arguments>({
  usage: 'contact <action> [words..]',
  examples: [
    ['box contact add', 'shows a code, for ten minutes; it is used once'],
    ['box contact add 04G0-… --as ada', 'takes in whoever shows it; both see the same words'],
    [
      'box contact add 000G0… --as ada',
      'by what box id shows to her; she does the same with yours',
    ],
    ['box contact introduce ada bob', 'each learns the key of the other from you'],
    ['box contact accept bob', 'takes in who was introduced'],
  ],
  options: yargs =>
    yargs
      .positional('action', {
        choices: Object.keys(ACTIONS) as Action[],
        demandOption: true,
        describe: 'what to do',
      })
      .positional('words', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'the code, the key, or the names',
      })
      .option('as', { type: 'string', describe: 'add, accept: what to call them' })
      .option('minutes', {
        type: 'number',
        default: MINUTES,
        describe: 'add: how long the code is good',
      })
      .option('qr', { type: 'boolean', describe: 'add: show a QR code too (on a terminal: yes)' })
      .option('timeout', TIMEOUT)
      .epilogue(
        `${Object.entries(ACTIONS)
          .map(([name, effect]) => `${name.padEnd(9)} ${effect}`)
          .join('\n')}\n\nYou find and reach each other once both have the other one as a contact.`,
      ),
  run: async (context, args) => {
    context.ego()
    const book = new ContactBook(await SealedState.open(context.state, context.random))
    switch (args.action) {
      case 'add':
        return await add(context, book, args)
      case 'ls':
        return list(context, book.read())
      case 'rename': {
        const [from, to] = twoOf(args)
        const { name, zone } = await book.rename(from, to)
        context.output.result(`It is ${name} from now on.`, { name, zone: zoneToText(zone) })
        return 0
      }
      case 'rm':
        return await remove(context, book, oneOf(args))
      case 'introduce':
        return await introduce(context, ...twoOf(args))
      case 'accept':
        return await accept(context, book, oneOf(args), args.as)
    }
  },
})

async function add(context: Context, book: ContactBook, args: Arguments): Promise<number> {
  const as = args.as === undefined ? null : freeName(book, args.as)
  const given = args.words.join('')
  if (given === '') {
    const { contact: added, checkWords } = await show(context, book, as, args)
    return await welcome(context, added, checkWords)
  }
  if (as === null) throw new BoxError('INPUT_INVALID', 'Say what to call them: --as NAME.')
  const zone = zoneIn(given)
  if (zone) return await addByKey(context, book, zone, as)
  const code = parsePairingCode(given === '-' ? readFileSync(0, 'utf8') : given)
  const progress = context.output.progress('looking for whoever shows the code')
  const options = { as, timeoutMs: timeoutMs(args.timeout) }
  const { contact: added, checkWords } = await enterCode(context, book, code, options).finally(
    progress.end,
  )
  return await welcome(context, added, checkWords)
}

async function show(
  context: Context,
  book: ContactBook,
  as: string | null,
  { minutes, qr }: Arguments,
) {
  const { output, stdio } = context
  if (!(minutes > 0 && minutes <= MINUTES_MAX))
    throw new BoxError('INPUT_INVALID', `A code is good for 1 to ${MINUTES_MAX} minutes.`)
  const uqr = (qr ?? stdio.isTerminal) && !output.json ? await import('uqr') : null
  return await showCode(context, book, {
    ...{ minutes, as },
    show: code => {
      const text = formatPairingCode(code)
      if (uqr) output.result(uqr.renderUnicodeCompact(pairingCodeForQr(code)), {})
      output.result(text, { code: text, minutes })
      output.remark(`The other one, within ${minutes} minutes: box contact add CODE --as NAME`)
    },
  })
}

async function addByKey(
  context: Context,
  book: ContactBook,
  zone: ZoneKey,
  name: string,
): Promise<number> {
  const { clock, output } = context
  mustBeOther(context, zone)
  const known = { is: 'unverified' } as const
  const added = await book.add({ name, zone, known, addedAt: clock.now() })
  output.remark('Whether this is their key, nobody has checked but you.')
  return await welcome(context, added, null)
}

/** Both find each other from now on, as soon as that is out. */
async function welcome(
  context: Context,
  { name, zone, known }: Contact,
  words: readonly string[] | null,
): Promise<number> {
  const same = words ? ` Both of you see the same words: ${words.join(' ')}` : ''
  context.output.result(`${name} is your contact.${same}`, {
    ...{ name, zone: zoneToText(zone), known: known.is },
    ...(words && { check_words: words }),
  })
  const desk = await TalkDesk.open(context, { stays: false })
  try {
    await Promise.all([desk.out(PUBLISH_PATIENCE_MS), desk.visit()])
  } finally {
    await desk.close()
  }
  return 0
}

function list({ output }: Context, book: Book): number {
  const { contacts } = book
  const offers = offersIn(book)
  if (contacts.length + offers.length === 0)
    output.remark('No contacts yet: see box contact --help.')
  const nameOf = (zone: ZoneKey) =>
    contacts.find(one => zoneToText(one.zone) === zoneToText(zone))?.name ?? zoneToText(zone)
  const by = ({ known }: Contact) => (known.is === 'introduced' ? nameOf(known.by) : null)
  const rows = [
    ...contacts.map(one => [
      one.name,
      by(one) ? `by ${by(one)}` : one.known.is,
      zoneToText(one.zone),
    ]),
    ...offers.map(one => [one.name, `offered by ${nameOf(one.by)}`, zoneToText(one.zone)]),
  ]
  const values = [
    ...contacts.map(one => ({
      ...{ name: one.name, zone: zoneToText(one.zone), known: one.known.is, by: by(one) },
      relays: one.relays.map(zoneToText),
    })),
    ...offers.map(one => ({
      ...{ name: one.name, zone: zoneToText(one.zone), known: 'offered', by: nameOf(one.by) },
    })),
  ]
  table(rows).forEach((line, at) => void output.result(line, values[at]!))
  return 0
}

async function remove(context: Context, book: ContactBook, text: string): Promise<number> {
  const { name, zone } = book.contact(text)
  await book.remove(zone)
  await new TalkMemory(await SealedState.open(context.state, context.random), zone).forget()
  context.output.result(`${name} is no contact any more.`, { name, zone: zoneToText(zone) })
  // What was said to them about where we are is taken back, and their drop at our relays closed.
  const desk = await TalkDesk.open(context, { stays: false })
  await desk.visit().finally(() => desk.close())
  return 0
}

async function introduce(context: Context, a: string, b: string): Promise<number> {
  const { clock, output } = context
  const own = context.ego().secret
  const desk = await TalkDesk.open(context, { stays: false })
  try {
    const [one, other] = [desk.book.contact(a), desk.book.contact(b)]
    if (one.name === other.name) throw new BoxError('INPUT_INVALID', 'That is one and the same.')
    for (const { known, name } of [one, other])
      if (known.is === 'unverified')
        throw new BoxError('INPUT_INVALID', `You have never checked the key of ${name} yourself.`)
    for (const [to, about] of [
      [one, other],
      [other, one],
    ] as const) {
      const { name, zone } = about
      const signed = signIntroduction(own, { to: to.zone, zone, name, at: clock.now() })
      await desk.say(to, { is: 'introduction', signed })
    }
    const is = await Promise.all([desk.deliver(one), desk.deliver(other)])
    const value = { introduced: [one.name, other.name], is }
    output.result(`${one.name} and ${other.name} learn each other’s key from you.`, value)
  } finally {
    await desk.close()
  }
  return 0
}

async function accept(
  context: Context,
  book: ContactBook,
  text: string,
  as: string | undefined,
): Promise<number> {
  const found = offersIn(book.read()).filter(
    ({ name, zone }) => name === text || zoneToText(zone) === text,
  )
  const [offer, another] = found
  if (!offer) throw new BoxError('CONTACT_UNKNOWN', 'Nobody of this name was introduced to you.')
  if (another) throw new BoxError('INPUT_INVALID', 'Several are called so: say which by the key.')
  mustBeOther(context, offer.zone)
  const name = freeName(book, as ?? offer.name)
  const { zone, by, signed } = offer
  const known = { is: 'introduced', by, signed } as const
  const added = await book.add({ name, zone, known, addedAt: context.clock.now() })
  return await welcome(context, added, null)
}

/** Throws INPUT_INVALID for oneself, and for a key that cannot talk. */
function mustBeOther(context: Context, zone: ZoneKey): void {
  const { secret } = context.ego()
  if (zoneToText(secret.zone) === zoneToText(zone))
    throw new BoxError('INPUT_INVALID', 'This is your own key.')
  new Bond(secret, zone)
}

/** Throws NAME_TAKEN, NAME_INVALID. */
function freeName(book: ContactBook, text: string): string {
  const name = personName(text)
  if (book.contacts().some(one => one.name === name))
    throw new BoxError('NAME_TAKEN', `Another contact is called "${name}".`)
  return name
}

/** The zone key, where it is one. */
function zoneIn(text: string): ZoneKey | null {
  try {
    return zoneFromText(text)
  } catch {
    return null
  }
}

function oneOf({ action, words }: Arguments): string {
  const [one, ...others] = words
  if (one !== undefined && others.length === 0) return one
  throw new BoxError('INPUT_INVALID', `Say whom to ${action}: one name.`)
}

function twoOf({ action, words }: Arguments): [string, string] {
  const [one, other, ...more] = words
  if (one !== undefined && other !== undefined && more.length === 0) return [one, other]
  throw new BoxError('INPUT_INVALID', `${action} takes two names.`)
}
