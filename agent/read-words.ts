/**
 * Reads a command line that is plainly right, with what Node has. yargs explains all others, and the help:
 * it takes 12 MB, which an agent that runs for months should not hold for a moment's use.
 */

import { type ParseArgsConfig, parseArgs } from 'node:util'
import { COMMON, type Command, type Option, type Options } from './command.ts'

export interface Read {
  readonly command: Command
  readonly args: Readonly<Record<string, unknown>>
}

/** The command and its arguments; null where somebody else should look at it. */
export function readWords(words: readonly string[], commands: readonly Command[]): Read | null {
  const [name, ...rest] = words
  const command = commands.find(one => one.name === name)
  if (!command) return null
  const options: Options = { ...command.options, ...COMMON }
  let values: Record<string, unknown>
  try {
    ;({ values } = parseArgs({
      args: rest,
      options: Object.fromEntries(Object.entries(options).map(([key, one]) => [key, asked(one)])),
      allowNegative: true,
      strict: true,
    } as ParseArgsConfig))
  } catch {
    return null
  }
  const args: Record<string, unknown> = {}
  for (const [key, option] of Object.entries(options)) {
    const value = values[key] ?? option.default
    const read = option.type === 'number' ? Number(value) : value
    if (Number.isNaN(read) || !isChoice(option, read)) return null
    args[key] = read
  }
  return { command, args }
}

const isChoice = ({ choices }: Option, value: unknown): boolean =>
  !choices || value === undefined || choices.includes(String(value))

const asked = ({ type, array }: Option) => ({
  type: type === 'boolean' ? ('boolean' as const) : ('string' as const),
  multiple: array === true,
})
