import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  constant,
  countedPlus,
  items,
  lengthPlus,
  optional,
  struct,
  textNul,
  textToEnd,
  when,
} from '../../src/wire/fields.ts'
import { bytes, lengthOf, list, message, u8, u16, u32, WireError } from '../../src/wire/layout.ts'
import { seededRandom } from '../sim/random.ts'
import { hex, toHex } from '../vectors.ts'

const Point = struct('POINT', { x: u8, y: u16 })
const Named = struct('NAMED', { name: textNul, where: Point })

function complaint(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(WireError)
    return (error as WireError).message
  }
  return 'none'
}

/** Reads noise and right bytes with one changed: a value or a WireError. */
function holdsAgainstNoise(decode: (raw: Uint8Array) => unknown, right: Uint8Array): void {
  const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }).map(({ at, byte }) => {
    const raw = right.slice()
    raw[at % raw.length] = byte
    return raw
  })
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 40 }), change),
      raw => void complaint(() => decode(raw)),
    ),
  )
}

describe('a struct', () => {
  test('has its fields one after the other and nothing else', () => {
    expect(toHex(Point.encode({ x: 1, y: 2 }))).toBe('010002')
    expect(Point.decode(hex('010002'))).toEqual({ x: 1, y: 2 })
    expect(Point.width).toBe(3)
    expect(complaint(() => Point.decode(hex('0100')))).toBe(
      'POINT.y at byte 1: 2 bytes wanted, 1 left',
    )
    expect(complaint(() => Point.decode(hex('01000203')))).toBe(
      'POINT.end at byte 3: is 3, 4 wanted',
    )
  })

  test('inside a struct inside a message is read and named by its path', () => {
    const Outer = message('OUTER', 7, {
      count: lengthOf('all', u8),
      all: list(Named, 'count'),
      last: Point,
    })
    const value = {
      all: [
        { name: 'a', where: { x: 1, y: 2 } },
        { name: 'ü', where: { x: 3, y: 4 } },
      ],
      last: { x: 5, y: 6 },
    }
    const raw = hex('0013 0007 02 6100 010002 c3bc00 030004 050006')
    expect(toHex(Outer.encode(value))).toBe(toHex(raw))
    expect(Outer.decode(raw)).toEqual(value)
    expect(complaint(() => Outer.decode(hex('0009 0007 01 6100 0100')))).toBe(
      'OUTER.all.where.y at byte 8: 2 bytes wanted, 1 left',
    )
    expect(complaint(() => Outer.encode({ ...value, last: { x: 256, y: 0 } }))).toBe(
      'OUTER.last.x at byte 16: 256 is no u8',
    )
    holdsAgainstNoise(Outer.decode, raw)
  })
})

describe('a part that may be absent', () => {
  const Grown = struct('GROWN', { old: u8, more: optional(Point) })
  const Flagged = struct('FLAGGED', { flags: u8, point: when('flags', 2, Point), end: u8 })

  test('at the end is there where bytes are left', () => {
    for (const [value, raw] of [
      [{ old: 1, more: null }, '01'],
      [{ old: 1, more: { x: 2, y: 3 } }, '01020003'],
    ] as const) {
      expect(toHex(Grown.encode(value))).toBe(raw)
      expect(Grown.decode(hex(raw))).toEqual(value)
    }
    expect(complaint(() => Grown.decode(hex('0102')))).toBe(
      'GROWN.more.y at byte 2: 2 bytes wanted, 0 left',
    )
    holdsAgainstNoise(Grown.decode, hex('01020003'))
  })

  test('is there where its flag is set, and may not contradict it', () => {
    for (const [value, raw] of [
      [{ flags: 1, point: null, end: 9 }, '0109'],
      [{ flags: 3, point: { x: 2, y: 3 }, end: 9 }, '0302000309'],
    ] as const) {
      expect(toHex(Flagged.encode(value))).toBe(raw)
      expect(Flagged.decode(hex(raw))).toEqual(value)
    }
    expect(complaint(() => Flagged.encode({ flags: 2, point: null, end: 0 }))).toMatch(
      /flags says otherwise/,
    )
    expect(complaint(() => Flagged.encode({ flags: 0, point: { x: 0, y: 0 }, end: 0 }))).toMatch(
      /otherwise/,
    )
    holdsAgainstNoise(Flagged.decode, hex('0302000309'))
  })
})

describe('a size', () => {
  const Sized = struct('SIZED', {
    size: lengthPlus('body', 4, u16),
    mark: constant(u16, 0xbeef),
    body: countedPlus('size', 4),
  })

  test('may count what is around it', () => {
    expect(toHex(Sized.encode({ body: hex('0102') }))).toBe('0006beef0102')
    expect(Sized.decode(hex('0006 beef 0102'))).toEqual({ body: hex('0102') })
    expect(complaint(() => Sized.decode(hex('0003 beef')))).toMatch(
      /SIZED.body at byte 4: size is less than 4/,
    )
    expect(complaint(() => Sized.decode(hex('0007 beef 0102')))).toMatch(/3 bytes wanted, 2 left/)
    holdsAgainstNoise(Sized.decode, hex('0006beef0102'))
  })

  test('goes with a constant that may be nothing else', () => {
    expect(complaint(() => Sized.decode(hex('0004 beee')))).toMatch(
      /SIZED.mark at byte 4: is 48878, 48879 wanted/,
    )
  })
})

describe('a list to the end', () => {
  const All = struct('ALL', { all: items(Named) })

  test('has as many items as there are bytes for', () => {
    const value = { all: [1, 2, 3].map(x => ({ name: 'n', where: { x, y: 0 } })) }
    expect(All.decode(All.encode(value))).toEqual(value)
    expect(All.decode(hex(''))).toEqual({ all: [] })
    expect(complaint(() => All.decode(hex('6e00 010000 6e')))).toBe(
      'ALL.all.name at byte 5: the text has no NUL',
    )
  })

  test('does not wait for ever on items that take no bytes', () => {
    const Nothing = struct('NOTHING', { none: items(struct('EMPTY', {})) })
    expect(complaint(() => Nothing.decode(hex('00')))).toMatch(/an item takes no bytes/)
  })
})

describe('a text', () => {
  const Texts = struct('TEXTS', { first: textNul, second: textToEnd })

  test('is UTF-8, with a NUL or to the end, and comes back as it was', () => {
    expect(toHex(Texts.encode({ first: 'grün', second: '天' }))).toBe('6772c3bc6e00e5a4a9')
    const text = fc.string({ unit: 'grapheme' })
    fc.assert(
      fc.property(text, text, (first, second) => {
        const value = { first: first.replaceAll('\0', ''), second }
        expect(Texts.decode(Texts.encode(value))).toEqual(value)
      }),
    )
    holdsAgainstNoise(Texts.decode, hex('6772c3bc6e00e5a4a9'))
  })

  test('that is no UTF-8, or holds a NUL where none may be, is refused', () => {
    expect(complaint(() => Texts.decode(hex('ff00')))).toMatch(/TEXTS.first at byte 0: .*UTF-8/)
    expect(complaint(() => Texts.decode(hex('00c3')))).toMatch(/TEXTS.second at byte 2: .*UTF-8/)
    expect(complaint(() => Texts.encode({ first: 'a\0', second: '' }))).toMatch(/holds a NUL/)
    expect(complaint(() => Texts.encode({ first: '', second: '\ud800' }))).toMatch(/surrogate/)
  })
})

test('every kind of field has samples that can be written', () => {
  const All = struct('ALL', {
    flags: u8,
    part: when('flags', 1, Named),
    size: lengthPlus('body', 2, u16),
    body: countedPlus('size', 2),
    key: bytes(3),
    more: optional(u32),
  })
  for (let seed = 0; seed < 200; seed++) {
    const value = All.sample(seededRandom(seed), {})
    expect(All.decode(All.encode(value))).toEqual(value)
  }
})
