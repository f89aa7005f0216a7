/** Reads any command line with yargs: help, and what is wrong where something is. */

import yargs from 'yargs'
import { BoxError } from '../src/base/errors.ts'
import { VERSION } from '../src/base/version.ts'
import { COMMON, type Command } from './command.ts'
import type { Read } from './read-words.ts'

/** The command and its arguments, or text that was asked for. Throws INPUT_INVALID. */
export async function explainWords(
  words: readonly string[],
  commands: readonly Command[],
): Promise<Read | { readonly text: string }> {
  let read: Read | null = null
  const parser = yargs()
    .scriptName('box-agent')
    .usage('$0 <command>\n\nMakes this machine reachable for its owners, wherever it is.')
    .locale('en')
    .wrap(100)
    .version(VERSION)
    .help()
    .alias('help', 'h')
    .strict()
    .exitProcess(false)
    .demandCommand(1, 'Say what to do: see box-agent --help.')
    .options(COMMON)
    .fail((message, error) => {
      throw error ?? new BoxError('INPUT_INVALID', `${message.replace(/\.?$/, '.')}`)
    })
  for (const command of commands)
    parser.command(
      command.name,
      command.describe,
      builder =>
        builder.options(command.options).example([...command.examples] as [string, string][]),
      args => {
        read = { command, args }
      },
    )
  let text = ''
  await parser.parseAsync([...words], {}, (_error, _args, output) => {
    text = output
  })
  if (text || !read) return { text }
  return read
}
