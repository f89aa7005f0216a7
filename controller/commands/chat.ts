/** box chat: private talk with one person. */

import { text as textOf } from 'node:stream/consumers'
import { BoxError, EXIT_CODES } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { chat as chatWith } from '../talk/chat.ts'
import type { Contact } from '../talk/contact-book.ts'
import { TalkDesk, type Whither } from '../talk/desk.ts'
import { talkLine, talkValue } from '../talk/lines.ts'

const LAST = 50

interface Arguments {
  readonly name: string
  readonly say: string | undefined
  readonly history: boolean
  readonly last: number
  readonly listen: boolean
}

export const chat = command<Arguments>({
  usage: 'chat <name>',
  examples: [
    [
      'box chat ada',
      'shows what was said, then what is being said; what you type is said: ^D ends it',
    ],
    ['box chat ada --say "the oven is fixed"', 'says one thing, and whether she has it'],
    ['uptime | box chat ada --say -', 'says what comes on standard input'],
    ['box chat ada --history --last 10', 'shows what was said'],
    ['box chat ada --listen --json', 'prints one JSON object a message'],
  ],
  options: yargs =>
    yargs
      .positional('name', {
        type: 'string',
        demandOption: true,
        describe: 'one of your contacts: see box contact',
      })
      .option('say', { type: 'string', describe: 'say this, and end; -: standard input' })
      .option('history', {
        type: 'boolean',
        default: false,
        describe: 'show what was said, and end',
      })
      .option('last', { type: 'number', default: LAST, describe: 'history: so many at most' })
      .option('listen', { type: 'boolean', default: false, describe: 'say nothing' })
      .epilogue(
        'Whoever is not there gets it from a relay of theirs, or when both of you are there. Exit code of --say: 0 where they\n' +
          'have it or a relay keeps it for them, 75 where it waits here; then the next box chat, or box up, brings it.',
      ),
  run: async (context, args) => {
    if (args.say !== undefined && args.history)
      throw new BoxError('INPUT_INVALID', 'Either --say or --history.')
    if (!Number.isInteger(args.last) || args.last < 1)
      throw new BoxError('INPUT_INVALID', '--last takes a whole number from 1.')
    const stays = args.say === undefined && !args.history
    const desk = await TalkDesk.open(context, { stays })
    try {
      const contact = desk.book.contact(args.name)
      if (args.say !== undefined) return await say(context, desk, contact, args.say)
      if (args.history) return await history(context, desk, contact, args.last)
      return codeOf(
        context,
        contact,
        await chatWith(context, desk, contact, { isSilent: args.listen }),
      )
    } finally {
      await desk.close()
    }
  },
})

async function say(
  context: Context,
  desk: TalkDesk,
  contact: Contact,
  given: string,
): Promise<number> {
  const { output, stdio } = context
  const text = (given === '-' ? await textOf(stdio.input) : given).trimEnd()
  if (text === '') throw new BoxError('INPUT_INVALID', 'There is nothing to say.')
  const number = await desk.say(contact, { is: 'text', text })
  const progress = output.progress(`looking for ${contact.name}`)
  const whither = await desk.deliver(contact).finally(progress.end)
  if (output.json) output.result('', { contact: contact.name, number, said: text, is: whither })
  return codeOf(context, contact, whither)
}

/** What is on its way is told; what is with them needs no word. */
function codeOf({ output }: Context, { name }: Contact, whither: Whither): number {
  if (whither === 'left')
    output.remark(`${name} is not there: it lies with a relay until they are.`)
  if (whither !== 'waits') return 0
  output.remark(`${name} is out of reach: it waits here; box up, or the next box chat, brings it.`)
  return EXIT_CODES.unreachable
}

async function history(
  context: Context,
  desk: TalkDesk,
  contact: Contact,
  last: number,
): Promise<number> {
  const { output } = context
  const progress = output.progress('asking your relays')
  await desk.visit().finally(progress.end)
  const me = context.ego().name
  const memory = desk.memoryOf(contact)
  for (const said of (await memory.history()).slice(-last))
    output.result(talkLine(said, contact, me), talkValue(said, contact))
  await memory.markRead()
  return 0
}
