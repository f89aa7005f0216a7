import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../../src/base/bytes.ts'
import { peerId } from '../../../src/base/ids.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import {
  BLOCK,
  type BlockFacts,
  legacyHelloKey,
  readBlock,
  takesExtendedQuery,
} from '../../../src/mesh/dht/blocks.ts'
import { blockOfMessage, helloMessage, readHello, signHello } from '../../../src/mesh/dht/hello.ts'
import { DhtHello } from '../../../src/mesh/dht/messages.ts'
import { WireError } from '../../../src/wire/layout.ts'
import { seededRandom } from '../../sim/random.ts'
import { hex, readVectors, toHex } from '../../vectors.ts'

const { inputs } = readVectors('gnunet-wire')
const gns = readVectors('gns-blocks')

const facts = (type: number, data: Uint8Array): BlockFacts => readBlock(type, data, sha512(data))
const flipped = (data: Uint8Array, at: number): Uint8Array => {
  const copy = data.slice()
  copy[at] = copy[at]! ^ 1
  return copy
}

describe('a block of a name', () => {
  test.for(['EDKEY', 'PKEY'] as const)('of kind %s is proven, under the key it says', kind => {
    const data = hex(gns[kind].block ?? gns[kind].block_example)
    const { key, expiresAt, isProven } = facts(BLOCK.gns, data)
    expect(toHex(key!)).toBe(gns[kind].query)
    expect(expiresAt).toBe(1_700_000_000_000)
    expect(isProven()).toBe(true)
  })

  test.for([104, 111, 112, 143])('is not proven when byte %i was changed', at => {
    expect(facts(BLOCK.gns, flipped(hex(gns.EDKEY.block), at)).isProven()).toBe(false)
    expect(facts(BLOCK.gns, flipped(hex(gns.PKEY.block_example), at)).isProven()).toBe(false)
  })

  test('with another size, another kind or without an end is none', () => {
    const data = hex(gns.EDKEY.block)
    expect(() => facts(BLOCK.gns, flipped(data, 3))).toThrow(WireError)
    expect(() => facts(BLOCK.gns, flipped(data, 7))).toThrow(WireError)
    expect(() => facts(BLOCK.gns, data.subarray(0, 100))).toThrow(WireError)
    expect(() => facts(BLOCK.gns, concat(data, new Uint8Array(1)))).toThrow(WireError)
  })
})

describe('a HELLO of the transport', () => {
  const pid = hex(inputs.pidA)

  test('belongs under its padded pid, also without an address', () => {
    const data = hex(`0028 0011 00000000 ${inputs.pidA}`)
    expect(toHex(facts(BLOCK.legacyHello, data).key!)).toBe(inputs.pidA + '00'.repeat(32))
    expect(legacyHelloKey(pid)).toEqual(facts(BLOCK.legacyHello, data).key)
  })

  test('of another size or another type is none', () => {
    expect(() => facts(BLOCK.legacyHello, hex(`0029 0011 00000000 ${inputs.pidA}`))).toThrow(
      WireError,
    )
    expect(() => facts(BLOCK.legacyHello, hex(`0028 0010 00000000 ${inputs.pidA}`))).toThrow(
      WireError,
    )
    expect(() => facts(BLOCK.legacyHello, hex('0004 0011'))).toThrow(WireError)
  })
})

describe('a HELLO of the DHT', () => {
  const key = SigningKey.fromSeed(hex(inputs.seedA))
  const uris = ['gnunet://hello/PID+20301231235959+tcp+tcp.0.192.0.2.1:2086']
  const block = signHello(key, uris, 1_900_000_000_000)

  test('says where a peer is, signed by the peer, under the hash of its pid', () => {
    const hello = readHello(block)
    expect(hello).toMatchObject({ uris, expiresAt: 1_900_000_000_000 })
    expect(toHex(hello.pid)).toBe(inputs.pidA)
    const { key: stored, isProven } = facts(BLOCK.dhtHello, block)
    expect(toHex(stored!)).toBe(toHex(sha512(hex(inputs.pidA))))
    expect(isProven()).toBe(true)
  })

  test('is not proven with another address or another expiry', () => {
    expect(readHello(flipped(block, block.length - 2)).isSigned()).toBe(false)
    expect(readHello(flipped(block, 103)).isSigned()).toBe(false)
  })

  test('is told to a neighbour without the pid, and made whole again', () => {
    const told = DhtHello.decode(helloMessage(block))
    expect(told.uriCount).toBe(1)
    expect(blockOfMessage(told, peerId(hex(inputs.pidA)))).toEqual(block)
  })

  test('whose addresses are none, or have no end, is none', () => {
    expect(() => readHello(block.subarray(0, -1))).toThrow(WireError)
    expect(() => readHello(signHello(key, ['nonsense'], 1))).toThrow(WireError)
    expect(() => readHello(block.subarray(0, 103))).toThrow(WireError)
    expect(readHello(signHello(key, [], 1)).uris).toEqual([])
  })
})

describe('a revocation', () => {
  const secret = ZoneSecret.fromBytes('EDKEY', new Uint8Array(32).fill(7))
  const time = hex('0000000000000009')
  const make = (signature: Uint8Array) =>
    concat(hex('017c0000 00000174'), time, new Uint8Array(8 + 256), secret.zone, signature)

  test('is proven by the zone, final, and lies under the hash of the zone', () => {
    const data = make(secret.sign(3, concat(time, secret.zone)))
    const { key, isFinal, isProven } = facts(BLOCK.revocation, data)
    expect(data).toHaveLength(380)
    expect(toHex(key!)).toBe(toHex(sha512(secret.zone)))
    expect(isFinal).toBe(true)
    expect(isProven()).toBe(true)
  })

  test('signed for something else is not proven', () => {
    const data = make(secret.sign(15, concat(time, secret.zone)))
    expect(facts(BLOCK.revocation, data).isProven()).toBe(false)
  })
})

test('blocks of unknown types are carried as they are, under any key', () => {
  const { key, proofCost } = facts(4_711, hex('00'))
  expect(key).toBeNull()
  expect(proofCost).toBe(0)
  expect(takesExtendedQuery(4_711)).toBe(true)
  expect(takesExtendedQuery(BLOCK.gns)).toBe(false)
})

test('any bytes are a block of some facts, or give WireError', () => {
  const types = fc.constantFrom(...Object.values(BLOCK))
  const real = [
    hex(gns.EDKEY.block),
    signHello(SigningKey.fromSeed(hex(inputs.seedA)), ['a://b'], 1),
  ]
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.record({ which: fc.nat(1), seed: fc.nat() }).map(({ which, seed }) => {
      const random = seededRandom(seed)
      const data = real[which]!.slice()
      data[random.below(data.length)] = random.below(256)
      return data
    }),
  )
  fc.assert(
    fc.property(types, noise, (type, data) => {
      try {
        expect(typeof facts(type, data).isProven()).toBe('boolean')
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
      }
    }),
    { numRuns: 1_000 },
  )
})
