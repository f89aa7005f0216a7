import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BoxError } from '../../src/base/errors.ts'
import { base32Length, decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { hex, readVectors } from '../vectors.ts'

describe('bytes as base32', () => {
  test.for<[string, string]>([
    ['', ''],
    ['00', '00'],
    ['ff', 'ZW'],
    ['f8', 'Z0'],
    ['00443214c7', '01234567'],
    ['ffffffffff', 'ZZZZZZZZ'],
  ])('%s are %s', ([bytes, text]) => {
    expect(encodeBase32(hex(bytes))).toBe(text)
    expect(decodeBase32(text, hex(bytes).length)).toEqual(hex(bytes))
  })

  test('are what a daemon prints of its peer', () => {
    const { pid, pid_text: text } = readVectors('class-a-daemon')
    expect(encodeBase32(hex(pid))).toBe(text)
  })

  test('come back as they were, in upper and lower case', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), bytes => {
        const text = encodeBase32(bytes)
        expect(text).toHaveLength(base32Length(bytes.length))
        expect(decodeBase32(text, bytes.length)).toEqual(bytes)
        expect(decodeBase32(text.toLowerCase(), bytes.length)).toEqual(bytes)
      }),
    )
  })

  test('take 52, 58 and 103 characters for a peer, a zone and a hash', () => {
    expect([32, 36, 64].map(base32Length)).toEqual([52, 58, 103])
  })

  test('may be written with letters that look alike', () => {
    expect(decodeBase32('OoIiLlUu', 5)).toEqual(decodeBase32('001111VV', 5))
  })
})

test.for([
  ['a length that is not right', '000', /2 characters wanted, 3 given/],
  ['a character that is no digit', '0*', /Character 2 is not base32/],
  ['a character beyond ASCII', '0ü', /Character 2 is not base32/],
  ['bits that mean nothing', '01', /last character is not canonical/],
] as const)('a text with %s is INPUT_INVALID', ([, text, message]) => {
  expect(() => decodeBase32(text, 1)).toThrow(message)
})

test('any text is bytes or INPUT_INVALID, and no two spellings but of case stand for the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', minLength: 7, maxLength: 7 }), text => {
      try {
        const again = encodeBase32(decodeBase32(text, 4))
        expect(again).toBe(
          text.toUpperCase().replace(/O/g, '0').replace(/[IL]/g, '1').replace(/U/g, 'V'),
        )
      } catch (error) {
        expect((error as BoxError).code).toBe('INPUT_INVALID')
      }
    }),
  )
})
