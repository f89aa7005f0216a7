/**
 * Binary layouts, declared once.
 *
 * A message is a table of fields in the order of the specification. The declaration gives the
 * encoder, the decoder, the static type of a value, and the table itself for the documentation:
 *
 *     const Ping = message('PING', 17, { challenge: u32, reserved: zero(u32), body: rest })
 *     Ping.encode({ challenge: 7, body })       // size, type and reserved are filled in
 *     Ping.decode(bytes).challenge              // number
 *
 * All integers are big-endian. Decoded byte fields are views into the input, not copies.
 */

import type { Random } from '../base/random.ts'

/** A peer sent bytes that do not fit the layout, or we were about to. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly layout: string
  /** The path to the field, dots between a struct and its fields. */
  readonly field: string
  readonly at: number
  readonly detail: string

  constructor(layout: string, field: string, at: number, detail: string) {
    super(`${layout}.${field} at byte ${at}: ${detail}`)
    this.layout = layout
    this.field = field
    this.at = at
    this.detail = detail
  }
}

/** What has been read (or is being written) of the enclosing layout, by field name. */
export type Whole = Readonly<Record<string, unknown>>

/** How one field lies on the wire. `width` is null where it depends on the value. */
export interface Field<T> {
  readonly unit: string
  readonly width: number | null
  measure(value: T): number
  put(to: Cursor, value: T, whole: Whole): void
  get(from: Cursor, whole: Whole): T
  /** Some value that can be encoded, small: for tests that need one of every message. */
  sample(random: Random, whole: Whole): T
}

/** A field that callers neither give nor receive: reserved, or derived from another field. */
export interface Hidden extends Field<number> {
  readonly derive: (whole: Whole) => number
}

export type Shape = Readonly<Record<string, Field<unknown>>>
type Given<S> = { [K in keyof S as S[K] extends Hidden ? never : K]: S[K] }
type ValueOf<F> = F extends Field<infer T> ? T : never

/** The value type of a shape, as seen by callers. */
export type Value<S extends Shape> = { [K in keyof Given<S>]: ValueOf<S[K]> }

/** A position in a buffer that never moves past `end`. */
export class Cursor {
  readonly bytes: Uint8Array
  readonly end: number
  at = 0
  #view: DataView | null = null

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.end = bytes.length
  }

  /** The same bytes for what is rare, such as floating point; made when first used. */
  get view(): DataView {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.end)
    return this.#view
  }

  /** Claims the next `count` bytes and returns where they begin. */
  take(count: number): number {
    const at = this.at
    if (count > this.end - at) throw new RangeError(`${count} bytes wanted, ${this.end - at} left`)
    this.at = at + count
    return at
  }
}

/** Lists and byte strings in samples are shorter than this. */
const SAMPLE_MAX = 8

// The integers write bytes one by one: a DataView for each message takes longer than all of them.

function integer(
  width: number,
  put: (bytes: Uint8Array, at: number, value: number) => void,
  get: (bytes: Uint8Array, at: number) => number,
): Field<number> {
  const unit = `u${width * 8}`
  const limit = 2 ** (width * 8) - 1
  return {
    unit,
    width,
    measure: () => width,
    put: (to, value) => {
      if (!(Number.isInteger(value) && value >= 0 && value <= limit))
        throw new RangeError(`${value} is no ${unit}`)
      put(to.bytes, to.take(width), value)
    },
    get: from => get(from.bytes, from.take(width)),
    sample: random => random.below(limit + 1),
  }
}

function put8(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16)
  put16(bytes, at + 2, value)
}

const get16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
const get32 = (bytes: Uint8Array, at: number): number =>
  get16(bytes, at) * 0x10000 + get16(bytes, at + 2)

export const u8 = integer(1, put8, (bytes, at) => bytes[at]!)
export const u16 = integer(2, put16, get16)
export const u32 = integer(4, put32, get32)

const U64_LIMIT = 2n ** 64n
const halves = new DataView(new ArrayBuffer(8))

export const u64: Field<bigint> = {
  unit: 'u64',
  width: 8,
  measure: () => 8,
  put: (to, value) => {
    if (!(value >= 0n && value < U64_LIMIT)) throw new RangeError(`${value} is no u64`)
    halves.setBigUint64(0, value)
    const at = to.take(8)
    put32(to.bytes, at, halves.getUint32(0))
    put32(to.bytes, at + 4, halves.getUint32(4))
  },
  get: from => {
    const at = from.take(8)
    halves.setUint32(0, get32(from.bytes, at))
    halves.setUint32(4, get32(from.bytes, at + 4))
    return halves.getBigUint64(0)
  },
  sample: random => BigInt(random.below(2 ** 32)) * BigInt(random.below(2 ** 32)),
}

/** Exactly `width` bytes. */
export const bytes = (width: number): Field<Uint8Array> => ({
  unit: `bytes[${width}]`,
  width,
  measure: () => width,
  put: (to, value) => {
    if (value.length !== width) throw new RangeError(`${width} bytes wanted, ${value.length} given`)
    to.bytes.set(value, to.take(width))
  },
  get: from => {
    const at = from.take(width)
    return from.bytes.subarray(at, at + width)
  },
  sample: random => random.bytes(width),
})

/** What the two kinds of open byte strings share. */
const open = {
  width: null,
  measure: (value: Uint8Array): number => value.length,
  put: (to: Cursor, value: Uint8Array): void => to.bytes.set(value, to.take(value.length)),
  sample: (random: Random): Uint8Array => random.bytes(random.below(SAMPLE_MAX)),
}

/** All that remains. */
export const rest: Field<Uint8Array> = {
  ...open,
  unit: 'bytes to the end',
  get: from => from.bytes.subarray(from.take(from.end - from.at), from.end),
}

/** As many bytes as the field `count` says; pairs with `lengthOf`. */
export const counted = (count: string): Field<Uint8Array> => ({
  ...open,
  unit: `bytes[${count}]`,
  get: (from, whole) => from.bytes.subarray(from.take(Number(whole[count])), from.at),
})

/** As many items as the field `count` says; pairs with `lengthOf`. */
export const list = <T>(item: Field<T>, count: string): Field<readonly T[]> => ({
  ...listOf(item),
  unit: `${item.unit} × ${count}`,
  get: (from, whole) => {
    const items: T[] = []
    const wanted = Number(whole[count])
    // An item takes a byte at least, so a claim of more can be refused before any work.
    if (wanted > from.end - from.at) throw new RangeError(`${wanted} items do not fit`)
    for (let i = 0; i < wanted; i++) items.push(item.get(from, whole))
    return items
  },
})

/** The items of a list know of each other, and of the message around them, nothing. */
const NOTHING: Whole = {}

/** What the kinds of lists share. */
export const listOf = <T>(item: Field<T>) => ({
  width: null,
  measure: (values: readonly T[]): number =>
    item.width === null
      ? values.reduce((sum, value) => sum + item.measure(value), 0)
      : item.width * values.length,
  put: (to: Cursor, values: readonly T[]): void => {
    for (const value of values) item.put(to, value, NOTHING)
  },
  sample: (random: Random): readonly T[] =>
    Array.from({ length: random.below(SAMPLE_MAX) }, () => item.sample(random, NOTHING)),
})

/** Reserved: sent as zero, ignored when received. */
export const zero = (of: Field<number>): Hidden => ({
  ...of,
  unit: `${of.unit} = 0`,
  derive: () => 0,
})

/** The length of another field of the same message. */
export const lengthOf = (name: string, of: Field<number>): Hidden => ({
  ...of,
  unit: `${of.unit} = length of ${name}`,
  derive: whole => (whole[name] as ArrayLike<unknown>).length,
})

/** A shape made ready: how its values are measured, written and read, one field after the other. */
export interface Compiled<T> {
  /** The sum of the widths, or null where a field has none. */
  readonly width: number | null
  measure(value: T): number
  /** Throw WireError with the layout, the field and the place. */
  put(to: Cursor, value: T): void
  get(from: Cursor): T
  /** Some value that can be encoded. */
  sample(random: Random): T
  /** The rows of a Markdown table; offsets count from `at`. */
  rows(at: number): string[]
}

export function compile<S extends Shape>(name: string, shape: S): Compiled<Value<S>> {
  const rows = Object.entries(shape).map(([key, field]) => ({
    key,
    field,
    derive: deriveOf(field),
  }))
  const open = rows.filter(row => row.field.width === null)
  const fixed = rows.reduce((sum, row) => sum + (row.field.width ?? 0), 0)
  const blank = Object.fromEntries(rows.filter(row => !row.derive).map(row => [row.key, undefined]))
  const derives = rows.some(row => row.derive)

  function measure(value: Value<S>): number {
    let size = fixed
    for (const { key, field } of open) size += field.measure((value as Whole)[key])
    return size
  }

  function put(to: Cursor, value: Value<S>): void {
    const whole = value as Whole
    let at = 0
    try {
      for (; at < rows.length; at++) {
        const { key, field, derive } = rows[at]!
        field.put(to, derive ? derive(whole) : whole[key], whole)
      }
    } catch (cause) {
      throw misfit(name, rows[at]!.key, to.at, cause)
    }
  }

  function get(from: Cursor): Value<S> {
    const value: Record<string, unknown> = { ...blank }
    const whole: Record<string, unknown> = derives ? {} : value
    let at = 0
    try {
      for (; at < rows.length; at++) {
        const { key, field, derive } = rows[at]!
        const got = field.get(from, whole)
        if (!derive) value[key] = got
        if (derives) whole[key] = got
      }
    } catch (cause) {
      throw misfit(name, rows[at]!.key, from.at, cause)
    }
    return value as Value<S>
  }

  return {
    width: open.length > 0 ? null : fixed,
    measure,
    put,
    get,
    sample: random => {
      const value: Record<string, unknown> = {}
      for (const { key, field, derive } of rows)
        if (!derive) value[key] = field.sample(random, value)
      return value as Value<S>
    },
    rows: start => {
      let at: number | null = start
      return rows.map(({ key, field }) => {
        const line = `| ${at ?? '…'} | ${key} | ${field.unit} |`
        at = at === null || field.width === null ? null : at + field.width
        return line
      })
    },
  }
}

const deriveOf = (field: Field<unknown>): Hidden['derive'] | null =>
  'derive' in field ? (field as unknown as Hidden).derive : null

/** Names the place; a struct inside another has named its part of the path already. */
function misfit(layout: string, key: string, at: number, cause: unknown): WireError {
  if (cause instanceof WireError)
    return new WireError(layout, `${key}.${cause.field}`, cause.at, cause.detail)
  return new WireError(layout, key, at, cause instanceof Error ? cause.message : String(cause))
}

export interface Message<T, N extends string = string> {
  readonly name: N
  readonly type: number
  encode(value: T): Uint8Array
  /** With so many more bytes at the end, zero, that the caller fills: what ends with `rest` need not be joined first. */
  encodeWithRoom(value: T, room: number): Uint8Array
  /** The same without that room: the rest of the message lies elsewhere. */
  encodeHead(value: T, room: number): Uint8Array
  decode(raw: Uint8Array): T
  /** Some value that can be encoded, for tests. */
  sample(random: Random): T
  /** The layout as a Markdown table, offsets included. */
  table(): string
}

const HEADER = 4
const SIZE_MAX = 0xffff

/** A GNUnet message: size and type first, both derived; then the fields of `shape`. */
export function message<const N extends string, S extends Shape>(
  name: N,
  type: number,
  shape: S,
): Message<Value<S>, N> {
  const layout = compile(name, shape)

  function encoded(value: Value<S>, inside: number, outside: number): Uint8Array {
    const length = HEADER + layout.measure(value) + inside
    const size = length + outside
    if (size > SIZE_MAX) throw new WireError(name, 'size', 0, `${size} bytes do not fit a message`)
    const to = new Cursor(new Uint8Array(length))
    put16(to.bytes, to.take(2), size)
    put16(to.bytes, to.take(2), type)
    layout.put(to, value)
    return to.bytes
  }

  function decode(raw: Uint8Array): Value<S> {
    if (raw.length < HEADER) throw new WireError(name, 'size', 0, 'there is no whole header')
    expectAt(name, 'size', 0, get16(raw, 0), raw.length)
    expectAt(name, 'type', 2, get16(raw, 2), type)
    const from = new Cursor(raw)
    from.at = HEADER
    const value = layout.get(from)
    expectAt(name, 'end', from.at, from.at, raw.length)
    return value
  }

  const table = (): string =>
    [
      '| at | field | as |',
      '| --- | --- | --- |',
      '| 0 | size | u16 |',
      `| 2 | type | u16 = ${type} |`,
      ...layout.rows(HEADER),
    ].join('\n')

  return {
    ...{ name, type, decode, sample: layout.sample, table },
    encode: value => encoded(value, 0, 0),
    encodeWithRoom: (value, room) => encoded(value, room, 0),
    encodeHead: (value, room) => encoded(value, 0, room),
  }
}

/** Throws WireError where a number is not the one it must be. */
export function expectAt(
  layout: string,
  field: string,
  at: number,
  is: number,
  wanted: number,
): void {
  if (is !== wanted) throw new WireError(layout, field, at, `is ${is}, ${wanted} wanted`)
}
