import { expect, test } from 'vitest'
import { formatAddress, sameAddress } from '../../src/base/stream.ts'

test('an address is written with brackets where its colons would be mistaken', () => {
  expect(formatAddress({ host: '192.0.2.1', port: 2086 })).toBe('192.0.2.1:2086')
  expect(formatAddress({ host: '2001:db8::1', port: 1 })).toBe('[2001:db8::1]:1')
})

test('addresses are the same where host and port are', () => {
  const here = { host: '192.0.2.1', port: 1 }
  expect(sameAddress(here, { ...here })).toBe(true)
  expect(sameAddress(here, { ...here, port: 2 })).toBe(false)
  expect(sameAddress(here, { ...here, host: '192.0.2.2' })).toBe(false)
})
