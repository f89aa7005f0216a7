/**
 * Lists, dicts and updates inside of values (docs/psyc.md).
 *
 *     |3 foo|=_color:4 blue| bar      a list: three elements, the second of a type of its own
 *     {key} value{3 k}x}7 another     a dict
 *     {key}#2._nick =:4 kris          an update: where, what, with what
 *
 * Values are views. What is malformed throws a WireError; there is no partial result.
 */

import { WireError } from '../wire/layout.ts'
import { NAME_MAX, UNCOUNTED } from './packet.ts'

export interface Element {
  /** The type it names itself; null: that of the list, or none. */
  readonly type: string | null
  /** Null where there is none, which is not the same as an empty one. */
  readonly value: Uint8Array | null
  /** Whether the length is written; absent: where it must or should be. */
  readonly counted?: boolean
}

export interface Entry extends Element {
  readonly key: Uint8Array
  readonly keyCounted?: boolean
}

export interface List {
  /** Of all elements that do not say otherwise. */
  readonly type: string | null
  readonly elements: readonly Element[]
}

export interface Dict {
  readonly type: string | null
  readonly entries: readonly Entry[]
}

export type Step =
  | { readonly at: number }
  | { readonly field: string }
  | { readonly key: Uint8Array }

export interface Update {
  readonly path: readonly Step[]
  readonly operator: '=' | '+' | '-'
  readonly type: string | null
  readonly value: Uint8Array | null
}

/** An element costs its sender one byte and us an object. */
export const ELEMENTS_MAX = 16_384
/** A list in a dict in a list; deeper is nothing that people would address. */
export const DEPTH_MAX = 8
/** libpsyc writes a length from here on. */
const COUNTED_FROM = 10
const DIGITS_MAX = 10

const PIPE = 0x7c
const OPEN = 0x7b
const CLOSE = 0x7d
const EQUALS = 0x3d
const COLON = 0x3a
const SPACE = 0x20
const HASH = 0x23
const DOT = 0x2e
const ZERO = 0x30
const encoder = new TextEncoder()

export function parseList(bytes: Uint8Array): List {
  const text = new Text('LIST', bytes)
  const type = text.name()
  const elements: Element[] = []
  while (!text.done) {
    text.expect(PIPE, 'an element')
    elements.push(text.element(PIPE))
    if (elements.length > ELEMENTS_MAX) throw text.misfit('there are too many elements')
  }
  return { type, elements }
}

export function parseDict(bytes: Uint8Array): Dict {
  const text = new Text('DICT', bytes)
  const type = text.name()
  const entries: Entry[] = []
  while (!text.done) {
    text.expect(OPEN, 'a key')
    const { bytes: key, counted: keyCounted } = text.key()
    entries.push({ key, keyCounted, ...text.element(OPEN) })
    if (entries.length > ELEMENTS_MAX) throw text.misfit('there are too many entries')
  }
  return { type, entries }
}

export function parseUpdate(bytes: Uint8Array): Update {
  const text = new Text('UPDATE', bytes)
  const path = text.path()
  text.expect(SPACE, 'the operator')
  const operator = String.fromCharCode(text.byte())
  if (operator !== '=' && operator !== '+' && operator !== '-')
    throw text.misfit('this is no operation')
  const type = text.name()
  const { value } = text.sized(text.skip(COLON) ? text.number() : null, null)
  if (!text.done) throw text.misfit('there is something behind the value')
  return { path, operator, type, value }
}

/** An index alone: `#1{foo}._bar`. */
export function parseIndex(bytes: Uint8Array): readonly Step[] {
  const text = new Text('INDEX', bytes)
  const path = text.path()
  if (!text.done) throw text.misfit('this is no part of an index')
  return path
}

export function renderList({ type, elements }: List): Uint8Array {
  const pen = new Pen(type)
  for (const element of elements) {
    pen.text('|')
    pen.element(element, PIPE)
  }
  return pen.bytes()
}

export function renderDict({ type, entries }: Dict): Uint8Array {
  const pen = new Pen(type)
  for (const entry of entries) {
    pen.key(entry.key, entry.keyCounted)
    pen.element(entry, OPEN)
  }
  return pen.bytes()
}

export function renderUpdate({ path, operator, type, value }: Update): Uint8Array {
  const pen = new Pen(null)
  for (const step of path) {
    if ('at' in step) pen.text(`#${step.at}`)
    else if ('field' in step) pen.text(`.${step.field}`)
    else pen.key(step.key, undefined)
  }
  pen.text(` ${operator}${type ?? ''}`)
  if (value && value.length > UNCOUNTED.element) pen.text(`:${value.length}`)
  if (value) pen.value(value)
  return pen.bytes()
}

/** A list of texts or bytes, the common case. */
export const listOfValues = (values: readonly (string | Uint8Array)[]): Uint8Array =>
  renderList({ type: null, elements: values.map(value => ({ type: null, value: asBytes(value) })) })

/** A dict of texts or bytes. */
export const dictOfValues = (
  entries: Iterable<readonly [string, string | Uint8Array]>,
): Uint8Array =>
  renderDict({
    type: null,
    entries: [...entries].map(([key, value]) => ({
      key: encoder.encode(key),
      type: null,
      value: asBytes(value),
    })),
  })

const asBytes = (value: string | Uint8Array): Uint8Array =>
  typeof value === 'string' ? encoder.encode(value) : value

const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= ZERO && byte <= ZERO + 9

const isNameByte = (byte: number | undefined): boolean =>
  byte !== undefined &&
  (byte === 0x5f ||
    isDigit(byte) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a))

/** A place in a value that is being read. */
class Text {
  private readonly what: string
  private readonly bytes: Uint8Array
  private at = 0

  constructor(what: string, bytes: Uint8Array) {
    this.what = what
    this.bytes = bytes
  }

  get done(): boolean {
    return this.at === this.bytes.length
  }

  byte(): number {
    if (this.done) throw this.misfit('it ends too early')
    return this.bytes[this.at++]!
  }

  skip(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false
    this.at++
    return true
  }

  expect(byte: number, what: string): void {
    if (!this.skip(byte)) throw this.misfit(`${what} should begin here`)
  }

  /** A keyword, or null where there is none. A digit does not begin one: it is a length. */
  name(): string | null {
    const from = this.at
    if (isDigit(this.bytes[from])) return null
    while (isNameByte(this.bytes[this.at])) this.at++
    if (this.at === from) return null
    if (this.at - from > NAME_MAX) throw this.misfit('the name is too long')
    return String.fromCharCode(...this.bytes.subarray(from, this.at))
  }

  number(): number {
    const from = this.at
    let value = 0
    while (isDigit(this.bytes[this.at])) {
      value = value * 10 + this.bytes[this.at++]! - ZERO
      if (this.at - from > DIGITS_MAX) throw this.misfit('the number is too long')
    }
    if (this.at === from) throw this.misfit('a number is missing')
    return value
  }

  /** What follows a delimiter: type, length and value, each of which may be missing. */
  element(delimiter: number): Element {
    let type: string | null = null
    if (this.skip(EQUALS)) {
      type = this.name()
      if (type === null) throw this.misfit('the type is missing')
    }
    const hasLength = type === null ? isDigit(this.bytes[this.at]) : this.skip(COLON)
    const length = hasLength ? this.number() : null
    const { value } = this.sized(length, delimiter)
    return { type, value, counted: length !== null }
  }

  /** A space and a value: of the length, or up to the delimiter; null: to the end. */
  sized(length: number | null, delimiter: number | null): { value: Uint8Array | null } {
    if (!this.skip(SPACE)) {
      if (length) throw this.misfit('the value is missing')
      return { value: null }
    }
    if (length !== null) return { value: this.take(length) }
    const found = delimiter === null ? -1 : this.bytes.indexOf(delimiter, this.at)
    const value = this.take((found < 0 ? this.bytes.length : found) - this.at)
    if (delimiter !== null && value.length > UNCOUNTED.element)
      throw this.misfit('the element is too long to go without a length')
    return { value }
  }

  /** A key behind its `{`, and the `}`. */
  key(): { readonly bytes: Uint8Array; readonly counted: boolean } {
    const from = this.at
    let at = from
    while (isDigit(this.bytes[at])) at++
    const counted = at > from && this.bytes[at] === SPACE
    if (counted) {
      const length = this.number()
      this.at++
      const bytes = this.take(length)
      this.expect(CLOSE, 'the end of the key')
      return { bytes, counted }
    }
    const end = this.bytes.indexOf(CLOSE, from)
    if (end < 0) throw this.misfit('the key has no end')
    if (end - from > UNCOUNTED.element)
      throw this.misfit('the key is too long to go without a length')
    const bytes = this.take(end - from)
    this.at++
    return { bytes, counted }
  }

  path(): readonly Step[] {
    const path: Step[] = []
    for (;;) {
      if (this.skip(HASH)) path.push({ at: this.number() })
      else if (this.skip(OPEN)) path.push({ key: this.key().bytes })
      else if (this.skip(DOT)) {
        const field = this.name()
        if (field === null) throw this.misfit('the name of the field is missing')
        path.push({ field })
      } else break
      if (path.length > DEPTH_MAX) throw this.misfit('it goes too deep')
    }
    if (path.length === 0) throw this.misfit('there is no index')
    return path
  }

  misfit(detail: string): WireError {
    return new WireError(this.what, 'value', this.at, detail)
  }

  private take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at)
      throw this.misfit('the value is shorter than its length')
    const from = this.at
    this.at += length
    return this.bytes.subarray(from, this.at)
  }
}

/** Writes values so that they are read back as they were. */
class Pen {
  private readonly parts: Uint8Array[] = []

  constructor(type: string | null) {
    if (type !== null) this.text(type)
  }

  text(text: string): void {
    this.parts.push(encoder.encode(text))
  }

  value(value: Uint8Array): void {
    this.text(' ')
    this.parts.push(value)
  }

  element({ type, value, counted }: Element, delimiter: number): void {
    if (type !== null) this.text(`=${type}`)
    const size = value?.length ?? 0
    const must = value !== null && (size > UNCOUNTED.element || value.includes(delimiter))
    if (must || (counted ?? size >= COUNTED_FROM)) this.text(type === null ? `${size}` : `:${size}`)
    if (value) this.value(value)
  }

  key(key: Uint8Array, counted: boolean | undefined): void {
    const must = key.includes(CLOSE) || key.length > UNCOUNTED.element || looksCounted(key)
    this.text(must || counted ? `{${key.length} ` : '{')
    this.parts.push(key)
    this.text('}')
  }

  bytes(): Uint8Array {
    const size = this.parts.reduce((sum, part) => sum + part.length, 0)
    const whole = new Uint8Array(size)
    let at = 0
    for (const part of this.parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }
}

/** A key that begins as a length does needs one. */
function looksCounted(key: Uint8Array): boolean {
  let at = 0
  while (isDigit(key[at])) at++
  return at > 0 && key[at] === SPACE
}
