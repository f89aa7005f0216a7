import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DhtCore,
  DhtGet,
  DhtHello,
  DhtPut,
  DhtResultMessage,
} from '../../../src/mesh/dht/messages.ts'
import { type Message, WireError } from '../../../src/wire/layout.ts'
import { seededRandom } from '../../sim/random.ts'
import { hex, toHex } from '../../vectors.ts'

const MESSAGES: readonly Message<never>[] = [
  DhtCore,
  DhtPut,
  DhtGet,
  DhtResultMessage,
  DhtHello,
] as unknown as Message<never>[]

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte)

describe('the messages of the DHT', () => {
  test('PUT without a route has the bytes of the specification', () => {
    const raw = DhtPut.encode({
      blockType: 11,
      options: 1,
      hopCount: 2,
      replication: 5,
      expiry: 7n,
      visited: filled(128, 0xbb),
      key: filled(64, 0xcc),
      origin: null,
      putPath: [],
      lastSignature: null,
      data: hex('da7a'),
    })
    const head = '00da 0092 0000000b 0001 0002 0005 0000 0000000000000007'
    expect(toHex(raw)).toBe(toHex(hex(`${head} ${'bb'.repeat(128)} ${'cc'.repeat(64)} da7a`)))
  })

  test('PUT with a route has origin, hops and last signature in this order', () => {
    const raw = DhtPut.encode({
      blockType: 7,
      options: 11,
      hopCount: 1,
      replication: 3,
      expiry: 7n,
      visited: filled(128, 0xbb),
      key: filled(64, 0xcc),
      origin: filled(32, 0x01),
      putPath: [{ signature: filled(64, 0x02), pid: filled(32, 0x03) }],
      lastSignature: filled(64, 0x04),
      data: hex('da7a'),
    })
    const route = `${'01'.repeat(32)} ${'02'.repeat(64)} ${'03'.repeat(32)} ${'04'.repeat(64)}`
    expect(toHex(raw.subarray(216))).toBe(toHex(hex(`${route} da7a`)))
    expect(toHex(raw.subarray(8, 16))).toBe('000b000100030001')
  })

  test('GET has the bytes of the specification', () => {
    const raw = DhtGet.encode({
      blockType: 11,
      options: 1,
      hopCount: 1,
      replication: 10,
      visited: filled(128, 0xbb),
      key: filled(64, 0xcc),
      resultFilter: hex('01020304 0000000000000000'),
      extendedQuery: hex(''),
    })
    const head = '00dc 0093 0000000b 0001 0001 000a 000c'
    const filter = '010203040000000000000000'
    expect(toHex(raw)).toBe(toHex(hex(`${head} ${'bb'.repeat(128)} ${'cc'.repeat(64)} ${filter}`)))
  })

  test('RESULT has the put path before the get path', () => {
    const raw = DhtResultMessage.encode({
      blockType: 7,
      options: 2,
      expiry: 9n,
      key: filled(64, 0xcc),
      origin: null,
      putPath: [{ signature: filled(64, 0x01), pid: filled(32, 0x02) }],
      getPath: [{ signature: filled(64, 0x03), pid: filled(32, 0x04) }],
      lastSignature: filled(64, 0x05),
      data: hex('da7a'),
    })
    const head = '015a 0094 00000007 0000 0002 0001 0001 0000000000000009'
    const path = `${'01'.repeat(64)}${'02'.repeat(32)}${'03'.repeat(64)}${'04'.repeat(32)}`
    expect(toHex(raw)).toBe(
      toHex(hex(`${head} ${'cc'.repeat(64)} ${path} ${'05'.repeat(64)} da7a`)),
    )
  })

  test.for(MESSAGES)('$name survives a round trip', message => {
    fc.assert(
      fc.property(fc.nat(), seed => {
        const sent = message.sample(seededRandom(seed))
        expect(message.decode(message.encode(sent))).toEqual(sent)
      }),
    )
  })

  test.for(MESSAGES)('$name rejects what does not fit with WireError alone', message => {
    const mutation = fc.record({ seed: fc.nat(), at: fc.nat(), byte: fc.nat(255), cut: fc.nat(9) })
    fc.assert(
      fc.property(mutation, ({ seed, at, byte, cut }) => {
        const raw = message.encode(message.sample(seededRandom(seed)))
        raw[at % raw.length] = byte
        try {
          message.decode(raw.subarray(0, Math.max(0, raw.length - cut)))
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('refuses to encode a route that the options deny', () => {
    const put = { ...DhtPut.sample(seededRandom(1)), options: 0, lastSignature: filled(64, 1) }
    expect(() => DhtPut.encode({ ...put, origin: null })).toThrow(WireError)
  })
})
