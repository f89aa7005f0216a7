import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, concat, equalBytes, keyOf } from '../../src/base/bytes.ts'

const bytes = fc.uint8Array({ maxLength: 70 })

describe('byte strings', () => {
  test('are equal where every byte is', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(equalBytes(a, a.slice())).toBe(true)
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
        expect(keyOf(a) === keyOf(b)).toBe(equalBytes(a, b))
      }),
    )
  })

  test('are ordered as memcmp orders them, the shorter first', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
      }),
    )
  })

  test('are joined in their order, into new bytes', () => {
    fc.assert(
      fc.property(fc.array(bytes), parts => {
        expect(concat(...parts)).toEqual(Uint8Array.from(parts.flatMap(part => [...part])))
      }),
    )
    const one = Uint8Array.of(1)
    concat(one)[0] = 2
    expect(one[0]).toBe(1)
  })

  test('of a peer, a zone or a hash have a key of as many characters', () => {
    expect(keyOf(Uint8Array.from({ length: 64 }, (_, at) => 4 * at))).toHaveLength(64)
  })
})
