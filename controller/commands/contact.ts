/** box contact: the people you talk to. */

import { readFileSync } from 'node:fs'
import { BoxError } from '../../src/base/errors.ts'
import {
  formatPairingCode,
  pairingCodeForQr,
  parsePairingCode,
} from '../../src/box/pairing-code.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { PUBLISH_PATIENCE_MS } from '../names.ts'
import { table } from '../output.ts'
import {
  acceptOffer,
  addByKey,
  forgetContact,
  freeName,
  introduceContacts,
  type ListedContact,
  listedContacts,
  zoneIn,
} from '../talk/acquaintance.ts'
import { enterCode, showCode } from '../talk/befriending.ts'
import { type Book, type Contact, ContactBook } from '../talk/contact-book.ts'
import { TalkDesk } from '../talk/desk.ts'
import { SealedState } from '../talk/sealed-state.ts'
import { keysKnown } from '../talk/tie.ts'
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
        return await introduce(context, twoOf(args))
      case 'accept':
        return await welcome(context, await acceptOffer(context, book, oneOf(args), args.as), null)
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
  if (zone) {
    const added = await addByKey(context, book, zone, as)
    context.output.remark('Whether this is their key, nobody has checked but you.')
    return await welcome(context, added, null)
  }
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

function list({ output, ego, clock }: Context, book: Book): number {
  const all = listedContacts(book)
  if (all.length === 0) output.remark('No contacts yet: see box contact --help.')
  const how = ({ known, by }: ListedContact) => {
    if (by === null) return known
    return known === 'offered' ? `offered by ${by}` : `by ${by}`
  }
  const rows = all.map(one => [one.name, how(one), one.zone])
  table(rows).forEach((line, at) => void output.result(line, all[at]!))
  const untold = book.contacts.filter(
    ({ knowsUs }) => keysKnown(ego(), knowsUs, clock.now()).length > 1,
  )
  if (untold.length > 0)
    output.remark(`Not known to know your new key yet: ${untold.map(one => one.name).join(', ')}.`)
  return 0
}

async function remove(context: Context, book: ContactBook, text: string): Promise<number> {
  const sealed = await SealedState.open(context.state, context.random)
  const { name, zone } = await forgetContact(book, sealed, text)
  context.output.result(`${name} is no contact any more.`, { name, zone: zoneToText(zone) })
  // What was said to them about where we are is taken back, and their drop at our relays closed.
  const desk = await TalkDesk.open(context, { stays: false })
  await desk.visit().finally(() => desk.close())
  return 0
}

async function introduce(context: Context, names: readonly [string, string]): Promise<number> {
  const desk = await TalkDesk.open(context, { stays: false })
  try {
    const { contacts, is } = await introduceContacts(context, desk, names)
    const [one, other] = contacts.map(({ name }) => name)
    const value = { introduced: [one, other], is }
    context.output.result(`${one} and ${other} learn each other’s key from you.`, value)
  } finally {
    await desk.close()
  }
  return 0
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
