/**
 * Keywords, the names of methods and variables: families, inheritance, and the types that names carry.
 *
 * `_message_private_x` is a `_message_private`, which is a `_message`: whoever does not know the longer one
 * does what the shorter one says. Related are only names that part at an underscore.
 */

/** The keyword itself, then what it inherits from, nearest first: `_a_b`, `_a`. */
export function* lineage(keyword: string): Generator<string> {
  let name = keyword
  while (name.length > 1) {
    yield name
    const cut = name.lastIndexOf('_')
    if (cut <= 0) return
    name = name.slice(0, cut)
  }
}

/** Whether `keyword` is `ancestor`, or inherits from it. Everything inherits from the empty name. */
export const inherits = (keyword: string, ancestor: string): boolean =>
  keyword.startsWith(ancestor) &&
  (keyword.length === ancestor.length || ancestor === '' || keyword[ancestor.length] === '_')

/** Whether all parts of `short` occur in `long`, in order (psyc_matches). */
export function matches(long: string, short: string): boolean {
  const parts = long.split('_')
  let at = 0
  for (const wanted of short.split('_')) {
    at = parts.indexOf(wanted, at)
    if (at < 0) return false
    at++
  }
  return true
}

/** The value of the nearest ancestor that has one; null where none has. */
export function nearest<T>(table: ReadonlyMap<string, T>, keyword: string): T | null {
  for (const name of lineage(keyword)) {
    const found = table.get(name)
    if (found !== undefined) return found
  }
  return null
}

/** The routing variables: there is no inheritance among them. */
const ROUTING = new Set([
  '_amount_fragments',
  '_context',
  '_counter',
  '_fragment',
  '_source',
  '_source_relay',
  '_tag',
  '_tag_relay',
  '_target',
  '_target_relay',
])

export const isRouting = (name: string): boolean => ROUTING.has(name)

/** What the first part of a name says of its value. Text is what has no type. */
const TYPES = [
  'amount',
  'color',
  'date',
  'degree',
  'dict',
  'entity',
  'flag',
  'key',
  'language',
  'list',
  'nick',
  'page',
  'struct',
  'time',
  'uniform',
] as const
export type VariableType = (typeof TYPES)[number]

const TYPE_OF = new Map<string, VariableType>(TYPES.map(type => [type, type]))

/** The type of a variable, or null: `_list_members` is a list, `_listfoo` is not. */
export function variableType(name: string): VariableType | null {
  if (name[0] !== '_') return null
  const end = name.indexOf('_', 1)
  return TYPE_OF.get(end < 0 ? name.slice(1) : name.slice(1, end)) ?? null
}

/** What may be done with a message of a family. */
export const FLAG = { template: 1, reply: 2, visible: 4, loggable: 8, manual: 16 } as const

const FAMILIES = new Map<string, number>([
  ['_data', 0],
  ['_echo', FLAG.template | FLAG.reply | FLAG.visible],
  ['_notice', FLAG.template | FLAG.visible | FLAG.loggable],
  ['_request', FLAG.template | FLAG.visible | FLAG.loggable],
  ['_message', FLAG.visible | FLAG.loggable | FLAG.manual],
  ['_converse', FLAG.visible | FLAG.loggable | FLAG.manual],
  ...['_failure', '_info', '_status', '_warning', '_error'].map((name): [string, number] => [
    name,
    FLAG.template | FLAG.reply | FLAG.visible | FLAG.loggable,
  ]),
])

export interface Family {
  readonly name: string
  /** Bits of FLAG. */
  readonly flags: number
}

/** The family of a method; null for one that has none. */
export function family(method: string): Family | null {
  for (const name of lineage(method)) {
    const flags = FAMILIES.get(name)
    if (flags !== undefined) return { name, flags }
  }
  return null
}

/** PSYC counts seconds from here (2015-08-24). */
export const PSYC_EPOCH_S = 1_440_444_041

/** Milliseconds since 1970 as the seconds of a `_date`. */
export const toPsycDate = (ms: number): string => `${Math.floor(ms / 1_000) - PSYC_EPOCH_S}`

/** The seconds of a `_date` as milliseconds since 1970; null where the text is no number. */
export function fromPsycDate(text: string): number | null {
  if (!/^-?\d{1,12}$/.test(text)) return null
  return (Number(text) + PSYC_EPOCH_S) * 1_000
}

/** A degree from 0 to 9: the first digit counts, and what is none is 0. */
export function degree(text: string): number {
  const digit = text.charCodeAt(0) - 0x30
  return digit >= 0 && digit <= 9 ? digit : 0
}
