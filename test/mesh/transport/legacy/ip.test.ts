import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatIp,
  hostOf,
  isLoopback,
  isUnspecified,
  parseIp,
} from '../../../../src/mesh/transport/legacy/ip.ts'

test.for([
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:0db8::0001', '2001:db8::1'],
  ['::', '::'],
  ['::1', '::1'],
  ['fe80::', 'fe80::'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ['192.0.2.1', '192.0.2.1'],
])('%s is written %s (RFC 5952)', ([text, canonical]) => {
  expect(formatIp(parseIp(text!)!)).toBe(canonical)
})

test.for(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5', ':::', '1::2::3', '12345::', 'g::'])(
  '%s is no address',
  text => {
    expect(parseIp(text)).toBeNull()
  },
)

test('agrees with Node on what is an address', () => {
  const digit = fc.constantFrom('0', '1', '9', 'a', 'f', ':', ':', '::', '.', '255')
  fc.assert(
    fc.property(fc.array(digit, { maxLength: 16 }), digits => {
      const text = digits.join('')
      expect(parseIp(text) !== null, text).toBe(isIP(text) !== 0)
    }),
    { numRuns: 2_000 },
  )
})

test('any address comes back as it went', () => {
  const ip = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  fc.assert(
    fc.property(ip, bytes => {
      expect(parseIp(formatIp(bytes))).toEqual(bytes)
    }),
  )
})

test('knows loopback and unspecified addresses of both families', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1'].every(isLoopback)).toBe(true)
  expect(['128.0.0.1', '::2', '::', 'localhost'].some(isLoopback)).toBe(false)
  expect(['0.0.0.0', '::'].every(isUnspecified)).toBe(true)
  expect(isUnspecified('0.0.0.1')).toBe(false)
})

test('takes the host out of an address as people write it', () => {
  expect(hostOf('192.0.2.1:2086')).toBe('192.0.2.1')
  expect(hostOf('[2001:db8::1]:2086')).toBe('2001:db8::1')
  expect(hostOf('')).toBe('')
})
