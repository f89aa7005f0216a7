/**
 * Fields beyond the plain ones of layout.ts: structures inside messages, parts that may be absent,
 * constants and texts. All keep the promise of layout.ts: bytes that do not fit give a WireError.
 */

import type { Random } from '../base/random.ts'
import {
  Cursor,
  compile,
  expectAt,
  type Field,
  type Hidden,
  listOf,
  type Shape,
  type Value,
} from './layout.ts'
import { decodeText, encodeText, textSize } from './text.ts'

/** A layout without a header: a part of messages, or by itself what is signed, encrypted, stored. */
export interface Struct<T> extends Field<T> {
  readonly name: string
  encode(value: T): Uint8Array
  decode(raw: Uint8Array): T
  /** The layout as a Markdown table, offsets from the beginning of the struct. */
  table(): string
}

/** Fields one after the other, without size and type. Usable as a field, also in lists. */
export function struct<S extends Shape>(name: string, shape: S): Struct<Value<S>> {
  const layout = compile(name, shape)
  return {
    name,
    unit: name,
    width: layout.width,
    measure: layout.measure,
    put: layout.put,
    get: layout.get,
    sample: layout.sample,
    encode: value => {
      const to = new Cursor(new Uint8Array(layout.measure(value)))
      layout.put(to, value)
      return to.bytes
    },
    decode: raw => {
      const from = new Cursor(raw)
      const value = layout.get(from)
      expectAt(name, 'end', from.at, from.at, raw.length)
      return value
    },
    table: () => ['| at | field | as |', '| --- | --- | --- |', ...layout.rows(0)].join('\n'),
  }
}

/** As many items as there are bytes for, to the end. */
export const items = <T>(item: Field<T>): Field<readonly T[]> => ({
  ...listOf(item),
  unit: `${item.unit} × to the end`,
  get: (from, whole) => {
    const got: T[] = []
    while (from.at < from.end) {
      const before = from.at
      got.push(item.get(from, whole))
      if (from.at === before) throw new RangeError('an item takes no bytes')
    }
    return got
  },
})

/** Present if anything is left: the last field of messages that have grown. Absent: null. */
export const optional = <T>(field: Field<T>): Field<T | null> => ({
  unit: `${field.unit}, or nothing`,
  width: null,
  measure: value => (value === null ? 0 : field.measure(value)),
  put: (to, value, whole) => {
    if (value !== null) field.put(to, value, whole)
  },
  get: (from, whole) => (from.at === from.end ? null : field.get(from, whole)),
  sample: (random, whole) => (random.below(2) ? field.sample(random, whole) : null),
})

/** Present exactly where a bit of the field `flags`, which comes before, is set. Absent: null. */
export const when = <T>(flags: string, bit: number, field: Field<T>): Field<T | null> => {
  const wanted = (whole: Readonly<Record<string, unknown>>) => (Number(whole[flags]) & bit) !== 0
  return {
    unit: `${field.unit} if ${flags} & ${bit}`,
    width: null,
    measure: value => (value === null ? 0 : field.measure(value)),
    put: (to, value, whole) => {
      if (wanted(whole) !== (value !== null)) throw new RangeError(`${flags} says otherwise`)
      if (value !== null) field.put(to, value, whole)
    },
    get: (from, whole) => (wanted(whole) ? field.get(from, whole) : null),
    sample: (random, whole) => (wanted(whole) ? field.sample(random, whole) : null),
  }
}

/** One fixed number; any other is malformed. Callers neither give nor receive it. */
export const constant = (of: Field<number>, value: number): Hidden => ({
  ...of,
  unit: `${of.unit} = ${value}`,
  derive: () => value,
  get: (from, whole) => {
    const got = of.get(from, whole)
    if (got !== value) throw new RangeError(`is ${got}, ${value} wanted`)
    return got
  },
})

/** The length of another field of the same message and `more`: sizes that count what is around it. */
export const lengthPlus = (name: string, more: number, of: Field<number>): Hidden => ({
  ...of,
  unit: `${of.unit} = length of ${name} + ${more}`,
  derive: whole => (whole[name] as ArrayLike<unknown>).length + more,
})

/** As many bytes as the field `count` says, less `more`; pairs with `lengthPlus`. */
export const countedPlus = (count: string, more: number): Field<Uint8Array> => ({
  unit: `bytes[${count} - ${more}]`,
  width: null,
  measure: value => value.length,
  put: (to, value) => to.bytes.set(value, to.take(value.length)),
  get: (from, whole) => {
    const size = Number(whole[count]) - more
    if (size < 0) throw new RangeError(`${count} is less than ${more}`)
    return from.bytes.subarray(from.take(size), from.at)
  },
  sample: random => random.bytes(random.below(8)),
})

/** UTF-8 and a NUL behind it. */
export const textNul: Field<string> = {
  unit: 'text, NUL',
  width: null,
  measure: value => textSize(value) + 1,
  put: (to, value) => {
    if (value.includes('\0')) throw new RangeError('the text holds a NUL')
    const encoded = encodeText(value)
    to.bytes.set(encoded, to.take(encoded.length))
    to.bytes[to.take(1)] = 0
  },
  get: from => {
    const end = from.bytes.indexOf(0, from.at)
    if (end < 0) throw new RangeError('the text has no NUL')
    const text = decodeText(from.bytes.subarray(from.at, end))
    from.at = end + 1
    return text
  },
  sample: random => sampleText(random),
}

/** UTF-8 to the end, without a NUL. */
export const textToEnd: Field<string> = {
  unit: 'text to the end',
  width: null,
  measure: textSize,
  put: (to, value) => {
    const encoded = encodeText(value)
    to.bytes.set(encoded, to.take(encoded.length))
  },
  get: from => decodeText(from.bytes.subarray(from.take(from.end - from.at), from.end)),
  sample: random => sampleText(random),
}

const SAMPLE_TEXTS = ['', 'tcp', 'kitchen', 'grün', '天下無敵']
const sampleText = (random: Random): string => SAMPLE_TEXTS[random.below(SAMPLE_TEXTS.length)]!
