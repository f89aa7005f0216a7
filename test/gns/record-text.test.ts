import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { peerId } from '../../src/base/ids.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import * as data from '../../src/gns/record-data.ts'
import { parseRecordText, recordText, typeName, typeNumber } from '../../src/gns/record-text.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'

const TYPES: readonly number[] = [...Object.values(RECORD_TYPE), 99, 70_000]
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const { zone } = ZoneSecret.fromBytes('EDKEY', new Uint8Array(32).fill(17))
const peer = peerId(new Uint8Array(32).fill(9))

/** What is written, the bytes it stands for, and how it is printed where that differs. */
const EXAMPLES: readonly (readonly [keyof typeof RECORD_TYPE, string, string, string?])[] = [
  ['A', '192.0.2.1', 'c0000201'],
  ['AAAA', '2001:db8::1', '20010db8000000000000000000000001'],
  ['AAAA', '::', '00'.repeat(16)],
  ['AAAA', '1:0:0:2::3', '00010000000000020000000000000003'],
  ['AAAA', '::FFFF:192.0.2.1', '00000000000000000000ffffc0000201', '::ffff:c000:201'],
  ['AAAA', '1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['NS', 'ns.example.org', '026e73076578616d706c65036f726700'],
  ['CNAME', 'www.+', '03777777012b00'],
  ['MX', '10 mail.+', '000a046d61696c012b00'],
  ['SRV', '1 2 22 a.b', '0001000200160161016200'],
  ['SSHFP', '4 2 00ff', '040200ff'],
  ['TXT', 'hello world', '68656c6c6f20776f726c64'],
  ['TXT', '', ''],
  ['TXT', 'tab\\009\\\\', '746162095c'],
  ['NICK', 'kitchen', '6b69746368656e'],
  ['LEHO', 'example.org', '6578616d706c652e6f7267'],
  ['REDIRECT', 'www.+', '7777772e2b'],
  ['EDKEY', zoneToText(zone), hex(zone.subarray(4))],
  ['GNS2DNS', 'example.org@9.9.9.9', '6578616d706c652e6f726700392e392e392e3900'],
  [
    'BOX',
    '6 22 SRV 0 0 22 a',
    '00060016000000210000000000160161 00'.replaceAll(' ', ''),
    '6 22 33 0 0 22 a',
  ],
  ['VPN', `6 ${encodeBase32(peer)} web`, `${hex(peer)}0006${Buffer.from('web\0').toString('hex')}`],
  ['PLACE', `${encodeBase32(peer)} ${encodeBase32(peer)}`, `${hex(peer)}${hex(peer)}00000000`],
]

describe('the text of a record', () => {
  test.for(EXAMPLES)('%s %j stands for its bytes', ([name, text, bytes, printed = text]) => {
    const read = parseRecordText(RECORD_TYPE[name], text)
    expect(hex(read)).toBe(bytes)
    expect(recordText(RECORD_TYPE[name], Buffer.from(bytes, 'hex'))).toBe(printed)
  })

  test('of any bytes under any type comes back as the same bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), fc.uint8Array({ maxLength: 90 }), (type, bytes) => {
        // The two forms of GNS2DNS print alike, and we write one of them.
        if (type === RECORD_TYPE.GNS2DNS) return
        expect(parseRecordText(type, recordText(type, bytes))).toEqual(bytes)
      }),
      { numRuns: 2_000 },
    )
  })

  test('of any text value comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), value => {
        const bytes = data.text.encode(value)
        const text = recordText(RECORD_TYPE.TXT, bytes)
        expect(parseRecordText(RECORD_TYPE.TXT, text)).toEqual(bytes)
        const boxed = data.box.encode({
          protocol: 6,
          service: 1,
          type: RECORD_TYPE.TXT,
          data: bytes,
        })
        expect(parseRecordText(RECORD_TYPE.BOX, recordText(RECORD_TYPE.BOX, boxed))).toEqual(boxed)
      }),
    )
  })

  test('never moves a cursor', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), fc.uint8Array({ maxLength: 60 }), (type, bytes) => {
        expect(recordText(type, bytes)).not.toMatch(/\p{Cc}/u)
      }),
    )
    expect(recordText(RECORD_TYPE.TXT, Buffer.from('\x1b[2J\u202e'))).toBe(
      '\\027[2J\\226\\128\\174',
    )
  })

  test('of a type without a form is hexadecimal', () => {
    expect(recordText(99, Uint8Array.of(1, 2))).toBe('\\# 2 0102')
    expect(parseRecordText(99, '\\# 2 0102')).toEqual(Uint8Array.of(1, 2))
    expect(recordText(RECORD_TYPE.A, Uint8Array.of(1, 2))).toBe('\\# 2 0102')
  })

  test.for([
    ['A', '1.2.3'],
    ['A', '1.2.3.256'],
    ['A', '01.2.3.4'],
    ['AAAA', '1:2:3:4:5:6:7'],
    ['AAAA', '1::2::3'],
    ['AAAA', '1:2:3:4:5:6:7:8::'],
    ['AAAA', '1.2.3.4::'],
    ['AAAA', ''],
    ['AAAA', 'fe80::1%eth0'],
    ['SRV', '1 2 22'],
    ['SRV', '1 2 65536 a'],
    ['MX', 'a 10'],
    ['SSHFP', '256 2 00'],
    ['SSHFP', '4 2 0'],
    ['PKEY', 'not a key'],
    ['PKEY', zoneToText(zone)],
    ['GNS2DNS', 'example.org'],
    ['BOX', '6 22'],
    ['BOX', '6 22 BOX 6 22 A 1.2.3.4'],
    ['VPN', '6 peer web'],
    ['PLACE', encodeBase32(peer)],
    ['TXT', '\\256'],
    ['TXT', 'end\\'],
    ['TXT', '\\255'],
    ['TXT', '\\# 2 01'],
  ] as const)('%s %j is refused with what would be right', ([name, text]) => {
    expect(() => parseRecordText(RECORD_TYPE[name], text)).toThrow(BoxError)
  })

  test('of noise is bytes or INPUT_INVALID', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), fc.string({ unit: 'binary' }), (type, text) => {
        try {
          parseRecordText(type, text)
        } catch (error) {
          expect((error as BoxError).code).toBe('INPUT_INVALID')
        }
      }),
    )
  })
})

describe('the name of a type', () => {
  test('stands for its number, in either case', () => {
    for (const [name, number] of Object.entries(RECORD_TYPE)) {
      expect(typeNumber(name)).toBe(number)
      expect(typeNumber(name.toLowerCase())).toBe(number)
      expect(typeName(number)).toBe(name)
    }
    expect(typeName(99)).toBe('TYPE99')
    expect(typeNumber('TYPE99')).toBe(99)
    expect(typeNumber('99')).toBe(99)
  })

  test.for(['', 'NOPE', 'TYPE', '0', '4294967296', '-1', '1.5', 'toString'])('is not %j', name => {
    expect(() => typeNumber(name)).toThrow(BoxError)
  })
})
