/** Lists, dicts, updates and packet identifiers: vectors, round trips, noise. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Dict,
  ELEMENTS_MAX,
  type Element,
  type List,
  parseDict,
  parseIndex,
  parseList,
  parseUpdate,
  renderDict,
  renderList,
  renderUpdate,
  type Update,
} from '../../src/psyc/list.ts'
import { parsePacketId, renderPacketId } from '../../src/psyc/packet-id.ts'
import { WireError } from '../../src/wire/layout.ts'
import { fromLatin, toLatin, VECTORS } from './vectors.ts'

const latin = (value: Uint8Array | null) => (value === null ? null : toLatin(value))
const plainElement = ({ type, value, counted }: Element) => ({
  type,
  value: latin(value),
  counted: counted ?? false,
})

test.for(VECTORS.lists)('reads and renders the list $id', ({ bytes, type, elements }) => {
  const list = parseList(fromLatin(bytes))
  expect(list.type).toBe(type)
  if (elements) expect(list.elements.map(plainElement)).toEqual(elements)
  expect(toLatin(renderList(list))).toBe(bytes)
})

test.for(VECTORS.badLists)('refuses the list with $id', ({ bytes }) => {
  expect(() => parseList(fromLatin(bytes))).toThrow(WireError)
})

test.for(VECTORS.dicts)('reads and renders the dict $id', ({ bytes, type, entries }) => {
  const dict = parseDict(fromLatin(bytes))
  expect(dict.type).toBe(type)
  const got = dict.entries.map(entry => ({
    ...plainElement(entry),
    key: toLatin(entry.key),
    keyCounted: entry.keyCounted,
  }))
  if (entries) expect(got).toEqual(entries)
  expect(toLatin(renderDict(dict))).toBe(bytes)
})

test.for(VECTORS.badDicts)('refuses the dict with $id', ({ bytes }) => {
  expect(() => parseDict(fromLatin(bytes))).toThrow(WireError)
})

test.for(VECTORS.updates)('reads the update $bytes', ({ bytes, index, operator, type, value }) => {
  const update = parseUpdate(fromLatin(bytes))
  expect(update.path).toEqual(parseIndex(fromLatin(index)))
  expect([update.operator, update.type, latin(update.value)]).toEqual([operator, type, value])
  expect(parseUpdate(renderUpdate(update))).toEqual(update)
})

test.for(['', '#', '#1 ', '{a', '#1x =', '#1 ?x', '#1 =:9 x', '.', `${'#1'.repeat(9)} =`])(
  'refuses the update %j',
  text => {
    expect(() => parseUpdate(fromLatin(text))).toThrow(WireError)
  },
)

test.for(VECTORS.packetIds)('writes the packet identifier of %j', ([id, text]) => {
  expect(toLatin(renderPacketId(id))).toBe(text)
  expect(parsePacketId(fromLatin(text))).toMatchObject(id)
})

const bytes = fc
  .array(fc.oneof(fc.constantFrom(0x7c, 0x7b, 0x7d, 0x20, 0x30, 0x3d), fc.nat(255)), {
    maxLength: 20,
  })
  .map(array => Uint8Array.from(array))
const type = fc.option(fc.stringMatching(/^_[a-z_]{1,8}$/))
const element = fc.record({ type, value: fc.option(bytes) })
const lists: fc.Arbitrary<List> = fc.record({ type, elements: fc.array(element) })
const dicts: fc.Arbitrary<Dict> = fc.record({
  type,
  entries: fc.array(fc.record({ key: bytes, type, value: fc.option(bytes) })),
})
const updates: fc.Arbitrary<Update> = fc.record({
  path: fc.array(
    fc.oneof(
      fc.record({ at: fc.nat(1_000_000) }),
      fc.record({ key: bytes }),
      fc.record({ field: fc.stringMatching(/^_[a-z]{1,5}$/) }),
    ),
    { minLength: 1, maxLength: 8 },
  ),
  operator: fc.constantFrom('=' as const, '+' as const, '-' as const),
  type,
  value: fc.option(bytes),
})

const bare = ({ type, value }: Element) => ({ type, value })

test('any list, dict and update is read back as it was', () => {
  fc.assert(
    fc.property(lists, dicts, updates, (list, dict, update) => {
      expect(parseList(renderList(list)).elements.map(bare)).toEqual(list.elements)
      const { entries } = parseDict(renderDict(dict))
      expect(entries.map(entry => ({ key: entry.key, ...bare(entry) }))).toEqual(dict.entries)
      expect(parseUpdate(renderUpdate(update))).toEqual(update)
    }),
    { numRuns: 500 },
  )
})

test('noise gives the syntax error, and what is read renders to what is read again', () => {
  fc.assert(
    fc.property(bytes, noise => {
      for (const [parse, render] of [
        [parseList, renderList],
        [parseDict, renderDict],
      ] as const) {
        try {
          const value = parse(noise)
          expect(parse(render(value as List & Dict))).toEqual(value)
        } catch (error) {
          if (!(error instanceof WireError)) throw error
        }
      }
      try {
        parseUpdate(noise)
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
      }
    }),
    { numRuns: 3_000 },
  )
})

test('a list of more elements than anybody needs is refused', () => {
  expect(parseList(fromLatin('|'.repeat(ELEMENTS_MAX))).elements).toHaveLength(ELEMENTS_MAX)
  expect(() => parseList(fromLatin('|'.repeat(ELEMENTS_MAX + 1)))).toThrow(WireError)
  expect(() => parseDict(fromLatin('{}'.repeat(ELEMENTS_MAX + 1)))).toThrow(WireError)
})
