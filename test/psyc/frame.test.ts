/** The framed form: the golden bytes of the original codec, what is refused, round trips. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Framed, FrameReader, frameParts, readFrame, STATELESS } from '../../src/psyc/frame.ts'
import {
  PsycCancel,
  PsycData,
  PsycEnd,
  PsycMessage,
  PsycMessagePlain,
  PsycMethod,
  PsycModifier,
  PsycModifierContinued,
} from '../../src/psyc/messages.ts'
import { modifier } from '../../src/psyc/packet.ts'
import { WireError } from '../../src/wire/layout.ts'
import { fromLatin, toLatin, VECTORS } from './vectors.ts'

const plain = (framed: Framed | 'cancelled' | null) =>
  framed && framed !== 'cancelled'
    ? {
        method: framed.method,
        modifiers: framed.entity.map(one => [one.operator, one.name, toLatin(one.value)]),
        data: toLatin(framed.data),
      }
    : framed

test.for(VECTORS.frames)(
  '$id is what the original codec gives',
  ({ hex, method, modifiers, data }) => {
    const raw = new Uint8Array(Buffer.from(hex, 'hex'))
    const { parts } = PsycMessagePlain.decode(raw)
    expect(plain(readFrame(parts))).toEqual({ method, modifiers, data })
    const entity = modifiers.map(([operator, name, value]) => modifier(operator, name, value))
    const framed = { method, entity, data: fromLatin(data), flags: 0, stateDelta: 0n }
    expect(PsycMessagePlain.encode({ parts: frameParts(framed) })).toEqual(raw)
  },
)

test('a message of a place has its header before the parts', () => {
  const raw = PsycMessage.encode({
    ...{ flags: 4, messageId: 7n, fragmentOffset: 9n },
    ...{ author: new Uint8Array(32).fill(0xaa), parts: PsycEnd.encode({}) },
  })
  expect(Buffer.from(raw).toString('hex')).toBe(
    `003c02b3 00000004 0000000000000007 0000000000000009 ${'aa'.repeat(32)} 000402b9`.replaceAll(
      ' ',
      '',
    ),
  )
})

const method = PsycMethod.encode({ flags: 0, stateDelta: STATELESS, name: '_m' })
const end = PsycEnd.encode({})
const data = PsycData.encode({ data: fromLatin('x') })
const part = (fields: Partial<Parameters<typeof PsycModifier.encode>[0]>) =>
  PsycModifier.encode({
    ...{ valueSize: 3, nameSize: 3, operator: 0x3a, name: '_a', value: fromLatin('bar') },
    ...fields,
  })
const more = (text: string) => PsycModifierContinued.encode({ value: fromLatin(text) })
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts))
const raw = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

test.for([
  ['method, end', [method, end], { method: '_m', modifiers: [], data: '' }],
  [
    'a value in two parts',
    [method, part({ valueSize: 5 }), more('xy'), end],
    { method: '_m', modifiers: [[':', '_a', 'barxy']], data: '' },
  ],
  ['data in parts', [method, data, data, end], { method: '_m', modifiers: [], data: 'xx' }],
  ['cancelled', [method, data, PsycCancel.encode({})], 'cancelled'],
  [
    'cancelled within a value',
    [method, part({ valueSize: 5 }), PsycCancel.encode({})],
    'cancelled',
  ],
  ['not whole', [method, data], null],
] as const)('takes %s', ([, parts, wanted]) => {
  expect(plain(new FrameReader().push(join(...parts)))).toEqual(wanted)
  const reader = new FrameReader()
  expect(plain(parts.map(one => reader.push(one)).at(-1)!)).toEqual(wanted)
})

test.for([
  ['a modifier before the method', [part({}), method, end]],
  ['data before the method', [data, end]],
  ['the end alone', [end]],
  ['two methods', [method, method, end]],
  ['a method without NUL', [raw('0011 02b5 00000000 0000000000000000 5f'), end]],
  ['an empty method', [PsycMethod.encode({ flags: 0, stateDelta: 0n, name: '' }), end]],
  [
    'a method that is no keyword',
    [PsycMethod.encode({ flags: 0, stateDelta: 0n, name: '_m x' }), end],
  ],
  ['a name without NUL', [method, raw('000d 02b6 00000000 0002 3a 5f61'), end]],
  ['a name of another size', [method, part({ nameSize: 4 }), end]],
  ['a value longer than declared', [method, part({ valueSize: 2 }), end]],
  ['data while a value is open', [method, part({ valueSize: 5 }), data, end]],
  ['the end while a value is open', [method, part({ valueSize: 5 }), end]],
  ['more of a value than declared', [method, part({ valueSize: 4 }), more('xy'), end]],
  ['a continuation of nothing', [method, more('x'), end]],
  ['an unknown part', [method, raw('0004 02bc'), end]],
  ['an end with something in it', [method, raw('0005 02b9 00')]],
  ['a part smaller than its header', [method, raw('0003 02b8'), end]],
  ['a part past the frame', [method, raw('0009 02b8 00')]],
  ['a modifier after data', [method, data, part({}), end]],
  ['an unknown operator', [method, part({ operator: 0x2a }), end]],
  ['an operator that means nothing', [method, part({ operator: 0x21 }), end]],
  ['something behind the end', [method, end, data]],
] as const)('refuses %s', ([, parts]) => {
  expect(() => readFrame(join(...parts))).toThrow(WireError)
})

const entity = fc.array(
  fc.record({
    operator: fc.constantFrom(...(':=+-@' as unknown as ':'[])),
    name: fc.stringMatching(/^_[a-z_]{1,10}$/),
    value: fc.uint8Array({ maxLength: 50 }),
  }),
)

test('any message is read back as it was', () => {
  const messages = fc.record({
    method: fc.stringMatching(/^_[a-z_]{1,20}$/),
    entity,
    data: fc.uint8Array({ maxLength: 100 }),
    flags: fc.nat(15),
    stateDelta: fc.bigInt({ min: 0n, max: STATELESS }),
  })
  fc.assert(
    fc.property(messages, given => {
      expect(readFrame(frameParts(given))).toEqual(given)
    }),
  )
})

test('values and data larger than a part are cut and joined', () => {
  const large = new Uint8Array(200_000).map((_, at) => at)
  const given = {
    method: '_m',
    entity: [modifier('=', '_large', large)],
    data: large,
    flags: 2,
    stateDelta: 1n,
  }
  // A comparison of arrays, element by element, takes seconds.
  const { entity: got, data } = readFrame(frameParts(given))
  expect(Buffer.compare(data, large)).toBe(0)
  expect(Buffer.compare(got[0]!.value, large)).toBe(0)
})

test('noise and flipped bits give the syntax error and no other', () => {
  const good = frameParts({
    ...{ method: '_m', flags: 0, stateDelta: 0n, data: fromLatin('data') },
    entity: [modifier('=', '_a', 'value')],
  })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), fc.nat(255), (noise, at, byte) => {
      const bent = good.slice()
      bent[at % bent.length] = byte
      for (const bytes of [noise, bent]) {
        try {
          new FrameReader().push(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a message has a size', () => {
  const reader = new FrameReader(1_000)
  reader.push(method)
  expect(() => {
    for (let i = 0; i < 1_000; i++) reader.push(data)
  }).toThrow(WireError)
})
