import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../src/base/bytes.ts'
import { MessageSplitter } from '../../src/wire/framing.ts'
import { WireError } from '../../src/wire/layout.ts'
import { hex } from '../vectors.ts'

/** A message with such a body. */
function framed(body: Uint8Array): Uint8Array {
  const raw = new Uint8Array(4 + body.length)
  new DataView(raw.buffer).setUint16(0, raw.length)
  raw.set(body, 4)
  return raw
}

/** The bytes in chunks of these sizes, over and over. */
function chunks(whole: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0, n = 0; at < whole.length; n++) {
    const size = sizes[n % sizes.length]!
    parts.push(whole.slice(at, at + size))
    at += size
  }
  return parts
}

describe('a stream of messages', () => {
  test('is cut into them, however it arrives', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(bodies, sizes, (all, cuts) => {
        const splitter = new MessageSplitter()
        const messages = all.map(framed)
        const got = chunks(concat(...messages), cuts).flatMap(chunk => splitter.push(chunk))
        expect(got).toEqual(messages)
        expect(splitter.waiting).toBe(0)
      }),
    )
  })

  test('keeps the beginning of a message and says how much', () => {
    const splitter = new MessageSplitter()
    expect(splitter.push(hex('00'))).toEqual([])
    expect(splitter.waiting).toBe(1)
    expect(splitter.push(hex('06 1234 aa'))).toEqual([])
    expect(splitter.waiting).toBe(5)
    expect(splitter.push(hex('bb 0004 0001 00'))).toEqual([hex('0006 1234 aabb'), hex('0004 0001')])
    expect(splitter.waiting).toBe(1)
  })

  test('copies nothing that lies in one chunk', () => {
    const chunk = hex('0005 0001 aa 0005 0001 bb')
    const [, second] = new MessageSplitter().push(chunk)
    chunk[9] = 0xcc
    expect(second!.at(-1)).toBe(0xcc)
  })

  test.for<[string, string]>([
    ['less than a header', '0003 0001'],
    ['nothing', '0000 0001'],
    ['more than the limit', '0011 0001'],
  ])('with a size of %s is refused at once, in one piece or in several', ([, header]) => {
    expect(() => new MessageSplitter(16).push(hex(header))).toThrow(WireError)
    const splitter = new MessageSplitter(16)
    splitter.push(hex(header).subarray(0, 3))
    expect(() => splitter.push(hex(header).subarray(3))).toThrow(WireError)
  })

  test('of noise gives messages or a WireError, and never keeps more than one', () => {
    const noise = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 })
    fc.assert(
      fc.property(noise, parts => {
        const splitter = new MessageSplitter(64)
        try {
          for (const part of parts) {
            for (const message of splitter.push(part))
              expect(message.length).toBeLessThanOrEqual(64)
            expect(splitter.waiting).toBeLessThanOrEqual(64)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
    )
  })
})
