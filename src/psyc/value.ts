/**
 * What the operators do to a value, by its type: `+`, `-` and `@` on texts, numbers, lists and dicts.
 *
 * Values are bytes before and after. An operation that does not fit the value throws a WireError.
 */

import { equalBytes, keyOf } from '../base/bytes.ts'
import { WireError } from '../wire/layout.ts'
import { degree, variableType } from './keyword.ts'
import {
  type Dict,
  ELEMENTS_MAX,
  type Element,
  type Entry,
  type List,
  parseDict,
  parseList,
  parseUpdate,
  renderDict,
  renderList,
  type Step,
  type Update,
} from './list.ts'
import { PACKET_SIZE_MAX } from './packet.ts'

type Kind = 'number' | 'degree' | 'list' | 'dict' | 'text'

/** More digits than anything is counted in. */
const DIGITS_MAX = 30
const NUMBER = /^-?\d+$/
const EMPTY = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** How a variable of this name is added to. */
export function kindOf(name: string): Kind {
  switch (variableType(name)) {
    case 'amount':
    case 'time':
    case 'date':
      return 'number'
    case 'degree':
      return 'degree'
    case 'list':
    case 'struct':
      return 'list'
    case 'dict':
      return 'dict'
    default:
      return 'text'
  }
}

/** `+`: text is appended, numbers added, elements and entries added. */
export function augment(kind: Kind, old: Uint8Array, value: Uint8Array): Uint8Array {
  switch (kind) {
    case 'number':
      return calculate(old, value, 1n)
    case 'degree':
      return shift(old, value, 1)
    case 'list':
      return bounded(addElements(parseList(old), parseList(value)))
    case 'dict':
      return bounded(addEntries(parseDict(old), parseDict(value)))
    case 'text':
      return bounded(join(old, value))
  }
}

/** `-`: numbers are subtracted, elements and keys removed; a text is removed as a whole. */
export function diminish(kind: Kind, old: Uint8Array, value: Uint8Array): Uint8Array {
  switch (kind) {
    case 'number':
      return calculate(old, value, -1n)
    case 'degree':
      return shift(old, value, -1)
    case 'list':
      return removeElements(parseList(old), parseList(value))
    case 'dict':
      return removeEntries(parseDict(old), parseDict(value))
    case 'text':
      return EMPTY
  }
}

/** `@`: the item that the index of the update addresses. `schema` gives the value of a `_struct…` variable. */
export function update(
  old: Uint8Array,
  value: Uint8Array,
  schema: (name: string) => Uint8Array | null,
): Uint8Array {
  const wanted = parseUpdate(value)
  const changed = change({ type: null, value: old }, wanted.path, wanted, schema)
  return bounded(changed?.value ?? EMPTY)
}

type Schema = (name: string) => Uint8Array | null

/** The element with the change made inside it; null: it is to go. */
function change(
  element: Element,
  path: readonly Step[],
  wanted: Update,
  schema: Schema,
): Element | null {
  const [step, ...rest] = path
  if (!step) return operate(element, wanted)
  const inside = element.value ?? EMPTY
  if ('key' in step) {
    const dict = parseDict(inside)
    const at = dict.entries.findIndex(({ key }) => equalBytes(key, step.key))
    const entry = dict.entries[at] ?? { key: step.key, type: null, value: null }
    const changed = change(resolved(entry, dict.type), rest, wanted, schema)
    const entries = replaced(
      dict.entries,
      at,
      changed && { key: step.key, ...fresh(changed, dict.type) },
    )
    return { ...element, value: renderDict({ ...dict, entries }) }
  }
  const list = parseList(inside)
  const at = 'at' in step ? step.at : fieldAt(list, step.field, element.type, schema)
  if (at > list.elements.length) throw misfit('there is no such element')
  const item = list.elements[at] ?? { type: null, value: null }
  const changed = change(resolved(item, list.type), rest, wanted, schema)
  const elements = replaced(list.elements, at, changed && fresh(changed, list.type))
  return { ...element, value: renderList({ ...list, elements }) }
}

/** Which element a field is: the one of that type, or the one the struct names in that place. */
function fieldAt(list: List, field: string, type: string | null, schema: Schema): number {
  const typed = list.elements.findIndex(element => element.type === field)
  if (typed >= 0) return typed
  const names = type === null ? null : schema(type)
  const at = names ? parseList(names).elements.findIndex(element => element.type === field) : -1
  if (at < 0) throw misfit(`there is no field ${field}`)
  return at
}

function operate(element: Element, { operator, type, value }: Update): Element | null {
  if (operator === '=') {
    if (value === null && type === null) return null
    return { type: type ?? element.type, value }
  }
  const name = type ?? element.type
  const old = element.value ?? EMPTY
  const by = value ?? EMPTY
  const kind = name === null && isNumber(old) && isNumber(by) ? 'number' : kindOf(name ?? '')
  const run = operator === '+' ? augment : diminish
  return { type: element.type, value: run(kind, old, by) }
}

/** The same list with one item replaced, added at the end (`at` is past it or -1), or taken away. */
function replaced<T>(items: readonly T[], at: number, item: T | null): T[] {
  if (at < 0 || at >= items.length) return item === null ? [...items] : [...items, item]
  return item === null ? items.toSpliced(at, 1) : items.with(at, item)
}

const resolved = (element: Element, type: string | null): Element => ({
  type: element.type ?? type,
  value: element.value,
})

/** A changed element for a list whose default type it need not repeat; its length is found anew. */
const fresh = ({ type, value }: Element, common: string | null): Element => ({
  type: type === common ? null : type,
  value,
})

const typeIn = (element: Element, type: string | null): string | null => element.type ?? type

function addElements(list: List, more: List): Uint8Array {
  if (more.elements.length === 0 && more.type !== null) throw misfit('this is no list')
  if (list.elements.length === 0) return renderList(more)
  const added = more.elements.map(element => adapted(element, more.type, list.type))
  const elements = [...list.elements, ...added]
  if (elements.length > ELEMENTS_MAX) throw misfit('there are too many elements')
  return renderList({ type: list.type, elements })
}

/** An element of one list as it must be written in another. */
function adapted<T extends Element>(element: T, from: string | null, to: string | null): T {
  const type = typeIn(element, from)
  if (type === null && to !== null) throw misfit('an element without type cannot join typed ones')
  return { ...element, type: type === to ? null : type }
}

function removeElements(list: List, less: List): Uint8Array {
  const gone = new Set(less.elements.map(element => identity(element, less.type)))
  const elements = list.elements.filter(element => !gone.has(identity(element, list.type)))
  return elements.length === 0 ? EMPTY : renderList({ ...list, elements })
}

const identity = (element: Element, type: string | null): string =>
  `${typeIn(element, type) ?? ''} ${keyOf(element.value ?? EMPTY)}`

function addEntries(dict: Dict, more: Dict): Uint8Array {
  if (more.entries.length === 0 && more.type !== null) throw misfit('this is no dict')
  if (dict.entries.length === 0) return renderDict(more)
  const entries = new Map<string, Entry>(dict.entries.map(entry => [keyOf(entry.key), entry]))
  for (const entry of more.entries)
    entries.set(keyOf(entry.key), adapted(entry, more.type, dict.type))
  if (entries.size > ELEMENTS_MAX) throw misfit('there are too many entries')
  return renderDict({ type: dict.type, entries: [...entries.values()] })
}

function removeEntries(dict: Dict, less: Dict): Uint8Array {
  const gone = new Set(less.entries.map(({ key }) => keyOf(key)))
  const entries = dict.entries.filter(({ key }) => !gone.has(keyOf(key)))
  return entries.length === 0 ? EMPTY : renderDict({ ...dict, entries })
}

const isNumber = (bytes: Uint8Array): boolean =>
  bytes.length > 0 && bytes.length <= DIGITS_MAX && NUMBER.test(decoder.decode(bytes))

/** Exact, whatever the size; nothing counts as 0. */
function calculate(old: Uint8Array, value: Uint8Array, sign: bigint): Uint8Array {
  const sum = number(old) + sign * number(value)
  const text = `${sum}`
  if (text.length > DIGITS_MAX) throw misfit('the number is too large')
  return encoder.encode(text)
}

function number(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n
  if (!isNumber(bytes)) throw misfit('this is no number')
  return BigInt(decoder.decode(bytes))
}

/** Degrees stay between 0 and 9. */
function shift(old: Uint8Array, value: Uint8Array, sign: number): Uint8Array {
  const sum = degree(decoder.decode(old)) + sign * degree(decoder.decode(value))
  return encoder.encode(`${Math.min(9, Math.max(0, sum))}`)
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length)
  whole.set(a)
  whole.set(b, a.length)
  return whole
}

function bounded(value: Uint8Array): Uint8Array {
  if (value.length > PACKET_SIZE_MAX) throw misfit('the value has grown too large')
  return value
}

const misfit = (detail: string): WireError => new WireError('STATE', 'value', 0, detail)
