/** Bytes and texts as an attacker or a bad line makes them: noise, and what was right before it was changed. */

import { concat } from '../../src/base/bytes.ts'
import type { SeededRandom } from '../sim/random.ts'

const NOISE_MAX = 300
const CHANGES_MAX = 4
const EXTREMES = [0x00, 0x01, 0x7f, 0x80, 0xff] as const
const JSON_VALUES = [
  'null',
  'true',
  '0',
  '-1',
  '1.5',
  '1e300',
  '""',
  '"x"',
  '"\\u0000"',
  '"\\ud800"',
  '[]',
  '[null]',
  '{}',
  '{"length":1}',
  // What becomes no text and no number.
  '{"toString":null,"valueOf":null}',
  '{"__proto__":null}',
]
const PIECES = [
  '',
  '\0',
  '\n',
  ' ',
  '=',
  '+',
  '.',
  '@',
  '"',
  '{',
  '[',
  '\\',
  '%',
  'null',
  '-1',
  '1e999',
  'ü',
  '😀',
  '\ud800',
  '__proto__',
]

/** One of `originals` changed in a few places, or noise. */
export function mutated(random: SeededRandom, originals: readonly Uint8Array[]): Uint8Array {
  if (originals.length === 0 || random.chance(0.1)) return random.bytes(random.below(NOISE_MAX))
  let bytes: Uint8Array = random.pick(originals).slice()
  const changes = 1 + random.below(CHANGES_MAX)
  for (let i = 0; i < changes; i++) bytes = random.pick(CHANGES)(bytes, random, originals)
  return bytes
}

type Change = (bytes: Uint8Array, random: SeededRandom, all: readonly Uint8Array[]) => Uint8Array

const CHANGES: readonly Change[] = [
  // One bit.
  (bytes, random) => {
    if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    return bytes
  },
  // One byte, mostly near the beginning, where sizes and counts are.
  (bytes, random) => {
    const reach = random.chance(0.7) ? Math.min(bytes.length, 16) : bytes.length
    if (reach > 0) bytes[random.below(reach)] = random.pick(EXTREMES)
    return bytes
  },
  // A whole number of two, four or eight bytes.
  (bytes, random) => {
    const width = random.pick([2, 4, 8])
    if (bytes.length < width) return bytes
    const at = random.below(bytes.length - width + 1)
    bytes.fill(random.pick(EXTREMES), at, at + width)
    return bytes
  },
  (bytes, random) => bytes.slice(0, random.below(bytes.length + 1)),
  (bytes, random) => concat(bytes, random.bytes(random.below(40))),
  // Something taken out, or put in.
  (bytes, random) => {
    const at = random.below(bytes.length + 1)
    const gone = random.below(Math.min(16, bytes.length - at) + 1)
    return concat(bytes.subarray(0, at), random.bytes(random.below(16)), bytes.subarray(at + gone))
  },
  // The beginning of one, the end of another.
  (bytes, random, all) => {
    const other = random.pick(all)
    const head = bytes.subarray(0, random.below(bytes.length + 1))
    return concat(head, other.subarray(random.below(other.length + 1)))
  },
]

/** The header of a message made to say the truth about its size again, so that the fields are read. */
export function withHeader(bytes: Uint8Array, type: number): Uint8Array {
  const whole = bytes.length < 4 ? concat(bytes, new Uint8Array(4 - bytes.length)) : bytes
  const view = new DataView(whole.buffer, whole.byteOffset, whole.length)
  view.setUint16(0, whole.length)
  view.setUint16(2, type)
  return whole
}

/** The same for texts: characters changed, pieces put in, and any string at all. */
export function mutatedText(random: SeededRandom, originals: readonly string[]): string {
  if (originals.length === 0 || random.chance(0.1)) return noiseText(random)
  let text = random.pick(originals)
  const changes = 1 + random.below(CHANGES_MAX)
  for (let i = 0; i < changes; i++) {
    const at = random.below(text.length + 1)
    const gone = random.pick([0, 1, random.below(12)])
    const put = random.chance(0.3) ? noiseText(random) : random.pick(PIECES)
    text = text.slice(0, at) + put + text.slice(at + gone)
  }
  return text
}

/** The same for JSON: values inside of it replaced by others that JSON can have, so that it stays JSON. */
export function mutatedJson(random: SeededRandom, originals: readonly string[]): string {
  let value: unknown = JSON.parse(random.pick(originals))
  const changes = 1 + random.below(CHANGES_MAX)
  for (let i = 0; i < changes; i++) value = changed(value, random)
  return JSON.stringify(value)
}

function changed(value: unknown, random: SeededRandom): unknown {
  const keys = value !== null && typeof value === 'object' ? Object.keys(value) : []
  if (keys.length === 0 || random.chance(0.1)) return JSON.parse(random.pick(JSON_VALUES))
  const key = random.pick(keys)
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<
    string,
    unknown
  >
  if (random.chance(0.2)) delete copy[key]
  else copy[key] = changed(copy[key], random)
  return copy
}

const noiseText = (random: SeededRandom): string =>
  Array.from({ length: random.below(30) }, () =>
    String.fromCharCode(random.below(random.chance(0.9) ? 128 : 0x10000)),
  ).join('')
