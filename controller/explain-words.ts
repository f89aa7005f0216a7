/** Reads any command line with yargs, which can say what is wrong with one, and tells how commands are used. */

import type { Argv } from 'yargs'
import yargs from 'yargs'
import { BoxError } from '../src/base/errors.ts'
import type { Command, Common } from './command.ts'
import { COMMON } from './read-words.ts'

/** What is asked for: a command, or nothing that we know of. */
export interface Asked {
  readonly name: string
  readonly command: Command
}

export type Explained = { readonly help: string } | { readonly args: Common }

/**
 * Reads the words, of which the one `at` is the command's name. Help, where it is asked for or nothing else is, comes
 * back as text. `described` are all commands, by name, with what they are for. Throws INPUT_INVALID.
 */
export async function explainWords(
  words: readonly string[],
  at: number,
  asked: Asked | null,
  described: ReadonlyMap<string, string>,
): Promise<Explained> {
  const parser = yargs()
    .scriptName('box')
    .locale('en')
    .wrap(100)
    .version(false)
    .help()
    .alias('help', 'h')
    .strict()
    .exitProcess(false)
    .parserConfiguration({
      'populate--': true,
      'camel-case-expansion': false,
      // What looks like a number, and was not asked for as one, stays as it was typed: a version 1.10.
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'unknown-options-as-args': asked?.command.dashedWords ?? false,
    })
    .options(COMMON)
    .fail((message, error) => {
      throw error ?? new BoxError('INPUT_INVALID', `${message.replace(/\.?$/, '.')}`)
    }) as unknown as Argv<Common>
  // Of any command but the default one yargs renders the help, which takes longer than all else here.
  const isHelp = words.some(word => word === '--help' || word === '-h')
  if (asked) register(parser, asked, described.get(asked.name)!, isHelp)
  else list(parser, described)
  let help = ''
  const given = words.filter((_, index) => isHelp || index !== at)
  const args = await parser.parseAsync(given, {}, (_error, _args, text) => {
    help = text
  })
  return asked && !help ? { args } : { help: help || (await parser.getHelp()) }
}

function register(
  parser: Argv<Common>,
  { command }: Asked,
  describe: string,
  isHelp: boolean,
): void {
  parser.command(
    isHelp ? command.usage : command.usage.replace(/^\S+/, '$0'),
    describe,
    yargs => command.options(yargs.example([...command.examples] as [string, string][])),
    () => {},
  )
}

/** The table of all commands, without loading any. */
function list(parser: Argv<Common>, described: ReadonlyMap<string, string>): void {
  parser.usage('$0 <command>\n\nLooks after devices behind NAT, by name, with no server between.')
  for (const [name, describe] of described) parser.command(name, describe)
  parser.example('$0 pair CODE --as kitchen', 'takes the device that shows CODE')
  parser.example('$0 ssh kitchen', 'opens a shell on it, wherever it is')
  parser.epilogue('box COMMAND --help tells more about each.')
}
