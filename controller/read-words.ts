/**
 * Reads a command line that is plainly right: its options, once each, and its words. yargs explains all others, and
 * the help: to load it takes a third of the time of a command that asks nobody.
 */

import type { Argv, Options } from 'yargs'
import { MESH_CHOICES } from '../src/mesh/mesh.ts'
import type { Command, Common } from './command.ts'

/** What every command understands. */
export const COMMON = {
  json: { type: 'boolean', default: false, describe: 'print JSON' },
  state: {
    type: 'string',
    describe: 'keep keys and devices in this directory (or set BOX_STATE)',
  },
  mesh: {
    type: 'string',
    choices: MESH_CHOICES,
    describe: 'be a peer of our own, use the GNUnet installed here, or that if one answers',
  },
  'gnunet-conf': {
    type: 'string',
    describe: 'the configuration file of that GNUnet (or set BOX_GNUNET_CONF)',
  },
} as const satisfies Readonly<Record<string, Options>>

type Declared = ReadonlyMap<string, Options>
type Values = Map<string, unknown>

/** How a word of a command is written in its usage: `<name>`, `[name]`, `<names..>`. */
const PLACE = /([<[])([\w-]+)(\.\.)?[>\]]/g
/** Others have meanings to yargs that need not be looked up here. */
const NUMBER = /^(0|[1-9]\d{0,8})(\.\d{1,8})?$/
const OPTION = /^--([a-z][a-z-]*)(?:=(.+))?$/s
const NEGATED = 'no-'
/** What yargs takes for the value of a switch before it. */
const SWITCH_VALUES = ['true', 'false']

/** The arguments in the words behind the command's name; null where yargs should look at them. */
export function readWords(words: readonly string[], command: Command): Common | null {
  if (command.dashedWords) return null
  const declared = declaredBy(command)
  const end = words.indexOf('--')
  const ours = end < 0 ? words : words.slice(0, end)
  const theirs = end < 0 ? [] : words.slice(end + 1)
  const read = sorted(ours, declared.options)
  if (read === null) return null
  if (!placed(read.rest, command.usage, declared.positionals, read.values)) return null
  if (!completed(declared.options, read.values)) return null
  if (theirs.length > 0) read.values.set('--', theirs)
  return Object.fromEntries(read.values) as unknown as Common
}

/** What the command declares to yargs, written down. */
function declaredBy(command: Command): { options: Declared; positionals: Declared } {
  const options = new Map<string, Options>(Object.entries(COMMON))
  const positionals = new Map<string, Options>()
  const recorder = {
    option: (name: string, one: Options) => {
      options.set(name, one)
      return recorder
    },
    positional: (name: string, one: Options) => {
      positionals.set(name, one)
      return recorder
    },
    epilogue: () => recorder,
  }
  command.options(recorder as unknown as Argv<Common>)
  return { options, positionals }
}

/** Options with their values, and the other words; null where one is not plain. */
function sorted(words: readonly string[], options: Declared) {
  const values: Values = new Map()
  const rest: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!word.startsWith('-') && word !== '') {
      rest.push(word)
      continue
    }
    const [, name, given] = OPTION.exec(word) ?? []
    if (name === undefined) return null
    const next = words[i + 1]
    const read = options.has(name)
      ? option(options.get(name)!, given, next)
      : negated(options.get(name.replace(NEGATED, '')), given, next)
    const key = options.has(name) ? name : name.replace(NEGATED, '')
    if (read === null || values.has(key)) return null
    values.set(key, read.value)
    if (read.tookNext) i++
  }
  return { values, rest }
}

type Value = { readonly value: unknown; readonly tookNext: boolean } | null

function option(declared: Options, given: string | undefined, next: string | undefined): Value {
  if (declared.type === 'boolean') {
    if (given !== undefined || SWITCH_VALUES.includes(next ?? '')) return null
    return { value: true, tookNext: false }
  }
  const text = given ?? next
  if (text === undefined || declared.array) return null
  const value = plainValue(declared, text)
  return value === null ? null : { value, tookNext: given === undefined }
}

const negated = (declared: Options | undefined, given?: string, next?: string): Value =>
  declared?.type === 'boolean' && option(declared, given, next)
    ? { value: false, tookNext: false }
    : null

/** Null where it is none of the choices, or written in a way that yargs has rules for. */
function plainValue({ type, choices }: Options, text: string): string | number | null {
  if (text === '' || text.startsWith('-') || /["']/.test(text)) return null
  if (choices && !choices.includes(text)) return null
  if (type === 'string' || (choices && type === undefined)) return text
  return type === 'number' && NUMBER.test(text) && !choices ? Number(text) : null
}

/** Gives each word the name it has in the usage; false where they do not fit. */
function placed(words: string[], usage: string, positionals: Declared, values: Values): boolean {
  for (const [, bracket, name, isList] of usage.matchAll(PLACE)) {
    const declared = positionals.get(name!)
    if (!declared) return false
    const taken = words.splice(0, isList ? words.length : 1)
    const read = taken.map(word => plainValue(declared, word))
    if (read.includes(null) || (bracket === '<' && read.length === 0)) return false
    const value = read.length === 0 ? declared.default : isList ? read : read[0]
    if (value === undefined && declared.demandOption) return false
    if (value !== undefined) values.set(name!, value)
  }
  return words.length === 0
}

/** Adds what was not given and has a default; false where one must be given. */
function completed(options: Declared, values: Values): boolean {
  for (const [name, declared] of options) {
    if (values.has(name)) continue
    if (declared.demandOption || declared.count) return false
    if (declared.default !== undefined) values.set(name, declared.default)
  }
  return true
}
