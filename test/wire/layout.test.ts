import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bytes,
  Cursor,
  counted,
  lengthOf,
  list,
  message,
  rest,
  u8,
  u16,
  u32,
  u64,
  WireError,
  zero,
} from '../../src/wire/layout.ts'
import { seededRandom } from '../sim/random.ts'
import { hex, toHex } from '../vectors.ts'

const Ping = message('PING', 0x0101, {
  reserved: zero(u16),
  challenge: u32,
  key: bytes(4),
  nameSize: lengthOf('name', u8),
  itemCount: lengthOf('items', u16),
  name: counted('nameSize'),
  items: list(u64, 'itemCount'),
  body: rest,
})
const ping = {
  challenge: 0xdeadbeef,
  key: hex('01020304'),
  name: hex('6162'),
  items: [1n, 0xffff_ffff_ffff_ffffn],
  body: hex('ff'),
}
const PING =
  '0024 0101 0000 deadbeef 01020304 02 0002 6162 0000000000000001 ffffffffffffffff ff'.replaceAll(
    ' ',
    '',
  )

const of = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const any = fc.record({
  challenge: fc.integer({ min: 0, max: 0xffff_ffff }),
  key: of(4),
  name: fc.uint8Array({ maxLength: 255 }),
  items: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 20 }),
  body: fc.uint8Array({ maxLength: 50 }),
})

/** What is wrong, and where. */
function complaint(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(WireError)
    return (error as WireError).message
  }
  return 'none'
}

/** A message of which one byte is another. */
function changed(at: number, byte: number): Uint8Array {
  const raw = hex(PING)
  raw[at] = byte
  return raw
}

describe('a message', () => {
  test('has size and type first, then its fields, all big-endian', () => {
    expect(toHex(Ping.encode(ping))).toBe(PING)
    expect(Ping.decode(hex(PING))).toEqual(ping)
  })

  test('comes back as it was', () => {
    fc.assert(
      fc.property(any, value => void expect(Ping.decode(Ping.encode(value))).toEqual(value)),
    )
  })

  test('gives what is reserved or derived to nobody, and ignores what is reserved', () => {
    const raw = changed(4, 0xff)
    expect(Object.keys(Ping.decode(raw))).toEqual(['challenge', 'key', 'name', 'items', 'body'])
    expect(toHex(Ping.encode(Ping.decode(raw)))).toBe(PING)
  })

  test('gives views of what it was read from', () => {
    const raw = hex(PING)
    const { body } = Ping.decode(raw)
    raw[raw.length - 1] = 0x55
    expect(body).toEqual(hex('55'))
  })

  test('has room at its end for what is written there later', () => {
    const raw = Ping.encodeWithRoom({ ...ping, body: hex('ab') }, 2)
    raw.set(hex('cdef'), raw.length - 2)
    expect(raw).toEqual(Ping.encode({ ...ping, body: hex('abcdef') }))
    expect(() => Ping.encodeWithRoom(ping, 0x10000)).toThrow(WireError)
  })

  test('has a head for what follows elsewhere', () => {
    const head = Ping.encodeHead({ ...ping, body: hex('ab') }, 2)
    const whole = Ping.encode({ ...ping, body: hex('abcdef') })
    expect(head).toEqual(whole.subarray(0, -2))
    expect(() => Ping.encodeHead(ping, 0x10000)).toThrow(WireError)
  })

  test('is read where it lies, in the middle of other bytes', () => {
    const around = hex(`abcd ${PING} ef`)
    expect(Ping.decode(around.subarray(2, -1))).toEqual(ping)
  })

  test.for([
    ['no bytes', hex(''), 'PING.size at byte 0: there is no whole header'],
    ['half a header', hex('002401'), 'PING.size at byte 0: there is no whole header'],
    ['another size', changed(1, 0x27), 'PING.size at byte 0: is 39, 36 wanted'],
    ['another type', changed(2, 0x02), 'PING.type at byte 2: is 513, 257 wanted'],
    ['a name too long', changed(14, 0xff), 'PING.name at byte 17: 255 bytes wanted, 19 left'],
    ['too many items', changed(16, 0x03), 'PING.items at byte 35: 8 bytes wanted, 1 left'],
    ['more items than bytes', changed(15, 0xff), 'PING.items at byte 19: 65282 items do not fit'],
  ] as const)('with %s is refused, with the place', ([, raw, wrong]) => {
    expect(complaint(() => Ping.decode(raw))).toBe(wrong)
  })

  test('cut off anywhere is refused', () => {
    const whole = hex(PING)
    // The rest may be empty, so the last byte may be missing where the size says so.
    for (let size = 4; size < whole.length - 1; size++) {
      const raw = whole.slice(0, size)
      raw[1] = size
      expect(complaint(() => Ping.decode(raw))).not.toBe('none')
    }
  })

  test.for([
    ['a number too large', { ...ping, challenge: 2 ** 32 }, 'challenge'],
    ['a negative number', { ...ping, challenge: -1 }, 'challenge'],
    ['a fraction', { ...ping, challenge: 0.5 }, 'challenge'],
    ['bytes of another length', { ...ping, key: hex('01') }, 'key'],
    ['a length that has no room', { ...ping, name: new Uint8Array(256) }, 'nameSize'],
    ['an item too large', { ...ping, items: [2n ** 64n] }, 'items'],
    ['more than a message holds', { ...ping, body: new Uint8Array(0xffff) }, 'size'],
  ] as const)('with %s is not written', ([, value, field]) => {
    expect(complaint(() => Ping.encode(value))).toMatch(new RegExp(`^PING\\.${field} at byte`))
  })

  test('of noise is a value or a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), noise => {
        const raw = new Uint8Array(4 + noise.length)
        raw.set(hex('0000 0101'))
        raw[1] = raw.length
        raw.set(noise, 4)
        const before = raw.slice()
        complaint(() => Ping.decode(raw))
        expect(raw).toEqual(before)
      }),
    )
  })

  test('has samples, each of which can be written', () => {
    for (let seed = 0; seed < 100; seed++) {
      const value = Ping.sample(seededRandom(seed))
      expect(Ping.decode(Ping.encode(value))).toEqual(value)
    }
  })

  test('describes itself', () => {
    expect(Ping.table().split('\n').slice(2)).toEqual([
      '| 0 | size | u16 |',
      '| 2 | type | u16 = 257 |',
      '| 4 | reserved | u16 = 0 |',
      '| 6 | challenge | u32 |',
      '| 10 | key | bytes[4] |',
      '| 14 | nameSize | u8 = length of name |',
      '| 15 | itemCount | u16 = length of items |',
      '| 17 | name | bytes[nameSize] |',
      '| … | items | u64 × itemCount |',
      '| … | body | bytes to the end |',
    ])
  })
})

test('a cursor never passes its end', () => {
  const cursor = new Cursor(new Uint8Array(3))
  expect(cursor.take(2)).toBe(0)
  expect(() => cursor.take(2)).toThrow(RangeError)
  expect(cursor.at).toBe(2)
  expect(cursor.take(1)).toBe(2)
})
