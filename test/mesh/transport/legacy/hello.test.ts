import fc from 'fast-check'
import { expect, test } from 'vitest'
import { peerId } from '../../../../src/base/ids.ts'
import {
  decodeHello,
  decodeTransportAddress,
  encodeHello,
  encodeTransportAddress,
  type Hello,
  HelloMessage,
} from '../../../../src/mesh/transport/legacy/hello.ts'
import { formatIp } from '../../../../src/mesh/transport/legacy/ip.ts'
import { WireError } from '../../../../src/wire/layout.ts'
import { hex, readVectors, toHex } from '../../../vectors.ts'

const daemon = readVectors('class-a-daemon')
const peer = peerId(hex(daemon.pid))
const YEAR_2027 = Date.UTC(2027, 0, 1)

test('reads the HELLO of a daemon that has no address any more', () => {
  const raw = hex(daemon.hello_without_addresses)
  expect(decodeHello(raw)).toEqual({ peer, friendsOnly: false, addresses: [] })
  expect(toHex(encodeHello(decodeHello(raw)))).toBe(toHex(raw))
})

test('writes addresses of both families as the TCP plugin has them', () => {
  const raw = encodeHello({
    peer,
    friendsOnly: false,
    addresses: [
      { address: { host: '192.0.2.1', port: 2086 }, expiresAt: YEAR_2027 },
      { address: { host: '2001:db8::1', port: 2086 }, expiresAt: Infinity },
    ],
  })
  const first = '74637000 000a 000663f6d2342000 00000000 c0000201 0826'
  const second = '74637000 0016 ffffffffffffffff 00000000 20010db8000000000000000000000001 0826'
  expect(toHex(raw)).toBe(toHex(hex(`00640011 00000000 ${daemon.pid} ${first} ${second}`)))
})

test('leaves out addresses that are not of its kind, and keeps the rest', () => {
  const good = encodeTransportAddress({ host: '192.0.2.1', port: 1 }).subarray(4)
  const stealth = Uint8Array.from(good)
  stealth[3] = 1
  const raw = HelloMessage.encode({
    friendsOnly: 0,
    peer,
    entries: [
      { transport: 'http_client', address: good, expiresAt: 1n },
      { transport: 'tcp', address: stealth, expiresAt: 1n },
      { transport: 'tcp', address: new Uint8Array(3), expiresAt: 1n },
      { transport: 'tcp', address: good, expiresAt: 1_000_000n },
    ],
  })
  expect(decodeHello(raw).addresses).toEqual([
    { address: { host: '192.0.2.1', port: 1 }, expiresAt: 1_000 },
  ])
})

const ip = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
)
const address = fc.record({ host: ip.map(formatIp), port: fc.integer({ min: 0, max: 65_535 }) })
const hellos: fc.Arbitrary<Hello> = fc.record({
  peer: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(peerId),
  friendsOnly: fc.boolean(),
  addresses: fc.array(
    fc.record({ address, expiresAt: fc.oneof(fc.nat(2 ** 45), fc.constant(Infinity)) }),
    { maxLength: 6 },
  ),
})

test('any HELLO comes back as it went', () => {
  fc.assert(
    fc.property(hellos, hello => {
      expect(decodeHello(encodeHello(hello))).toEqual(hello)
    }),
  )
})

test('any address comes back as it went', () => {
  fc.assert(
    fc.property(address, each => {
      expect(decodeTransportAddress(encodeTransportAddress(each))).toEqual(each)
    }),
  )
})

test('noise after a good header gives a HELLO or a WireError', () => {
  fc.assert(
    fc.property(hellos, fc.uint8Array({ maxLength: 40 }), fc.nat(), (hello, noise, at) => {
      const good = encodeHello(hello)
      const raw = new Uint8Array(Math.max(good.length, 40) + noise.length)
      raw.set(good)
      raw.set(noise, 40 + (at % (raw.length - 40 - noise.length + 1)))
      new DataView(raw.buffer).setUint16(0, raw.length)
      try {
        decodeHello(raw)
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
      }
    }),
  )
})
