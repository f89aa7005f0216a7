import { expect, test } from 'vitest'
import { type Interfaces, isPublic, ownAddresses } from '../../agent/own-addresses.ts'

const interfaces: Interfaces = {
  lo: [{ address: '127.0.0.1', internal: true }],
  eth0: [
    { address: '10.0.0.7', internal: false },
    { address: '203.0.113.7', internal: false },
    { address: 'fe80::7', internal: false },
    { address: '2a01:4f8::7', internal: false },
  ],
}
const at = (host: string) => ({ host, port: 2086 })

test('a hub that listens everywhere is dialled at what the machine has, public ones first', () => {
  expect(ownAddresses([at('::')], interfaces)).toEqual([
    at('203.0.113.7'),
    at('2a01:4f8::7'),
    at('10.0.0.7'),
  ])
})

test('one that listens everywhere by IPv4 is dialled by IPv4', () => {
  const hosts = ownAddresses([at('0.0.0.0')], interfaces).map(({ host }) => host)
  expect(hosts).toEqual(['203.0.113.7', '10.0.0.7'])
})

test('an address that was named is told as it is', () => {
  expect(ownAddresses([at('127.0.0.1')], interfaces)).toEqual([at('127.0.0.1')])
  expect(ownAddresses([], interfaces)).toEqual([])
})

test('of very many addresses some are told', () => {
  const many = Array.from({ length: 50 }, (_, n) => ({
    address: `198.51.100.${n}`,
    internal: false,
  }))
  expect(ownAddresses([at('::')], { eth0: many })).toHaveLength(8)
})

test.for([
  ['203.0.113.7', true],
  ['2a01:4f8::7', true],
  ['192.168.1.2', false],
  ['172.20.0.1', false],
  ['172.32.0.1', true],
  ['100.64.0.1', false],
  ['fd00::1', false],
  ['::1', false],
  ['127.0.0.1', false],
] as const)('whether %s is public: %s', ([host, wanted]) => {
  expect(isPublic(host)).toBe(wanted)
})
