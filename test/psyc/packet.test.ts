/** The text syntax: vectors, round trips, cuts anywhere, noise, limits. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ENTITY_MAX,
  modifier,
  type Operator,
  PACKET_SIZE_MAX,
  type Packet,
  packet,
  renderPacket,
} from '../../src/psyc/packet.ts'
import { PacketReader } from '../../src/psyc/packet-reader.ts'
import { WireError } from '../../src/wire/layout.ts'
import { fromLatin, fromPlain, plain, readAll, toLatin, VECTORS } from './vectors.ts'

const oneByOne = (bytes: Uint8Array) => [...bytes].map(byte => Uint8Array.of(byte))

test.for(VECTORS.valid)('reads $id', ({ bytes, packets }) => {
  const { packets: got, error, waiting } = readAll([fromLatin(bytes)])
  expect(error).toBe(null)
  expect(waiting).toBe(0)
  expect(got.map(plain)).toEqual(packets)
})

test.for(VECTORS.valid)('renders $id again as it was', ({ bytes }) => {
  const { packets } = readAll([fromLatin(bytes)])
  expect(packets.map(renderPacket).map(toLatin).join('')).toBe(bytes)
})

test.for(VECTORS.valid)('reads $id byte by byte', ({ bytes, packets }) => {
  expect(readAll(oneByOne(fromLatin(bytes))).packets.map(plain)).toEqual(packets)
})

test.for(VECTORS.invalid)('refuses $id, for its $field', ({ bytes, field }) => {
  for (const chunks of [[fromLatin(bytes)], oneByOne(fromLatin(bytes))]) {
    const { packets, error } = readAll(chunks)
    expect(packets).toEqual([])
    expect(error).toBeInstanceOf(WireError)
    expect((error as WireError).field).toBe(field)
  }
})

test.for(VECTORS.render)('renders $id as libpsyc does, or better', ({ packet: given, bytes }) => {
  expect(toLatin(renderPacket(fromPlain(given)))).toBe(bytes)
  expect(readAll([fromLatin(bytes)]).packets.map(plain)).toEqual([given])
})

const operators: Operator[] = [':', '=', '+', '-', '@', '?', '!']
const name = fc.stringMatching(/^_?[A-Za-z0-9_]{1,20}$/)
/** Bytes in which the characters that matter are frequent. */
const bytes = fc
  .array(fc.oneof(fc.constantFrom(0x0a, 0x7c, 0x09, 0x20, 0x30), fc.nat(255)), { maxLength: 40 })
  .map(array => Uint8Array.from(array))
const line = bytes.map(value => value.filter(byte => byte !== 0x0a))
const operator = fc.constantFrom(...operators)
const routing = fc.record({ operator, name, value: line })
const packets: fc.Arbitrary<Packet> = fc
  .record({
    routing: fc.array(routing, { maxLength: 4 }),
    sync: fc.constantFrom(null, 'reset' as const, 'resync' as const),
    entity: fc.array(fc.record({ operator, name, value: bytes }), { maxLength: 4 }),
    method: fc.option(name),
    data: fc.option(bytes),
  })
  .map(all => ({ ...all, data: all.method === null ? null : all.data }))

/** The stream cut at these places. */
const cut = (whole: Uint8Array, places: readonly number[]) => {
  const at = [...places.map(place => place % (whole.length + 1)), whole.length].toSorted(
    (a, b) => a - b,
  )
  return at.map((to, index) => whole.subarray(index === 0 ? 0 : at[index - 1], to))
}

describe('whatever the packet', () => {
  test('it is read back as it was, and renders to the same bytes', () => {
    fc.assert(
      fc.property(packets, given => {
        const written = renderPacket(given)
        const { packets: got, error } = readAll([written])
        expect(error).toBe(null)
        expect(got.map(plain)).toEqual([plain(given)])
        expect(renderPacket(got[0]!)).toEqual(written)
      }),
      { numRuns: 500 },
    )
  })

  test('random cuts of the stream give the same packets', () => {
    fc.assert(
      fc.property(
        fc.array(packets, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (given, places) => {
          const whole = Buffer.concat(given.map(renderPacket))
          expect(readAll(cut(whole, places)).packets.map(plain)).toEqual(given.map(plain))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('one changed byte gives the same outcome however the stream is cut', () => {
    fc.assert(
      fc.property(packets, fc.nat(), fc.nat(255), fc.array(fc.nat()), (given, at, byte, places) => {
        const whole = Buffer.concat([renderPacket(given), renderPacket(given)])
        whole[at % whole.length] = byte
        const all = readAll([whole])
        const parts = readAll(cut(whole, places))
        expect(parts.packets.map(plain)).toEqual(all.packets.map(plain))
        expect(String(parts.error)).toBe(String(all.error))
      }),
      { numRuns: 1_000 },
    )
  })

  test('noise gives the syntax error and no other', () => {
    const noise = fc.oneof(fc.uint8Array({ maxLength: 400 }), bytes)
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 5 }), chunks => {
        const { error } = readAll(chunks)
        expect(error === null || error instanceof WireError).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('limits', () => {
  test('a length above the limit is refused before anything is kept', () => {
    expect(String(readAll([fromLatin('2000000\n')]).error)).toMatch(/too long/)
    expect(String(readAll([fromLatin('\n:_a 2000000\t')]).error)).toMatch(/too long/)
  })

  test('a sender that never ends its line is not waited for', () => {
    for (const begin of ['', ':', ':_a\t', '\n', '\n:_a\t', '\n_m\n', '1', '\n:_a 1']) {
      const reader = new PacketReader(() => {})
      expect(() => {
        reader.push(fromLatin(begin))
        for (let i = 0; i < 1_000; i++) reader.push(fromLatin('1'))
      }, begin).toThrow(WireError)
      expect(reader.waiting).toBeLessThan(1_000)
    }
  })

  test('a claimed length costs nothing until the bytes come', () => {
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 200 }, () => {
      const reader = new PacketReader(() => {})
      reader.push(fromLatin(`${PACKET_SIZE_MAX}\n_m\nx`))
      return reader
    })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * PACKET_SIZE_MAX)
    expect(readers.every(({ waiting }) => waiting < 20)).toBe(true)
  })

  test('more modifiers than anybody needs are refused', () => {
    const many = ':_a\t\n'.repeat(ENTITY_MAX + 40)
    expect(readAll([fromLatin(`${many.length}\n${many}|\n`)]).error).toBeInstanceOf(WireError)
    expect(readAll([fromLatin(':_a\t\n'.repeat(33))]).error).toBeInstanceOf(WireError)
  })

  test('512 bytes of content go without a length, and no more', () => {
    const content = (size: number) => `\n_m\n${'x'.repeat(size - 4)}\n|\n`
    expect(readAll([fromLatin(content(512))]).error).toBe(null)
    expect(readAll([fromLatin(content(513))]).error).toBeInstanceOf(WireError)
    expect(readAll(oneByOne(fromLatin(content(513)))).error).toBeInstanceOf(WireError)
  })

  test('a body with a length is a view, however large', () => {
    const data = new Uint8Array(PACKET_SIZE_MAX - 100).fill(0x7c)
    const whole = renderPacket(packet({ method: '_data', data }))
    const reader = new PacketReader(view => {
      expect(view.data()!.buffer).toBe(whole.buffer)
      expect(view.data()!.length).toBe(data.length)
    })
    reader.push(whole)
    expect.assertions(2)
  })

  test('after an error nothing is read any more', () => {
    const reader = new PacketReader(() => {})
    expect(() => reader.push(fromLatin('x\n'))).toThrow(WireError)
    expect(() => reader.push(fromLatin('|\n'))).toThrow(WireError)
  })
})

test.for([
  [packet({ data: new Uint8Array(1) }), 'data'],
  [packet({ method: 'not a name' }), 'method'],
  [packet({ routing: [modifier(':', '_a', 'b\nc')] }), 'routing'],
  [packet({ entity: [{ ...modifier(':', '_a', 'b\nc'), counted: false }] }), 'entity'],
  [packet({ content: 'open', method: '_m', data: fromLatin('|') }), 'content'],
] as const)('refuses to render what nobody could read (%#)', ([given, field]) => {
  expect(() => renderPacket(given)).toThrow(WireError)
  expect(() => renderPacket(given)).toThrow(field)
})
