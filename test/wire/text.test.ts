import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { decodeText, decodeTextNul, encodeText, encodeTextNul } from '../../src/wire/text.ts'
import { hex, toHex } from '../vectors.ts'

test('a text is UTF-8, its byte order mark included', () => {
  expect(toHex(encodeText('grün 天'))).toBe('6772c3bc6e20e5a4a9')
  expect(decodeText(hex('efbbbf61'))).toBe('\ufeffa')
  expect(toHex(encodeTextNul('a'))).toBe('6100')
  expect(decodeTextNul(hex('6100'))).toBe('a')
})

test('any text comes back as it was', () => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(fc.property(text, each => void expect(decodeText(encodeText(each))).toBe(each)))
  const noNul = text.map(each => each.replaceAll('\0', ''))
  fc.assert(fc.property(noNul, each => void expect(decodeTextNul(encodeTextNul(each))).toBe(each)))
})

test.for(['ff', 'c3', 'c0af', 'eda080', 'f8888080'])('%s is no text', bytes => {
  expect(() => decodeText(hex(bytes))).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
})

test.for(['', '61', '610062', '61000000', '0000'])('%s does not end with its only NUL', bytes => {
  expect(() => decodeTextNul(hex(bytes))).toThrow(/only NUL/)
})

test('half a surrogate pair, or a NUL inside, is not written', () => {
  for (const text of ['\ud800', 'a\udc00b']) expect(() => encodeText(text)).toThrow(RangeError)
  expect(() => encodeTextNul('a\0')).toThrow(RangeError)
})

test('any bytes are a text or WIRE_MALFORMED', () => {
  fc.assert(
    fc.property(fc.uint8Array(), bytes => {
      for (const decode of [decodeText, decodeTextNul])
        try {
          decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(BoxError)
        }
    }),
  )
})
