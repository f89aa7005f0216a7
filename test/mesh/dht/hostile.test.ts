import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../../src/base/bytes.ts'
import { hashCode, type PeerId } from '../../../src/base/ids.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import { BLOCK, legacyHelloKey } from '../../../src/mesh/dht/blocks.ts'
import { addToBloom } from '../../../src/mesh/dht/bloom.ts'
import {
  DhtCore,
  DhtGet,
  DhtHello,
  DhtPut,
  DhtResultMessage,
  type DhtResultMessage as DhtResultType,
} from '../../../src/mesh/dht/messages.ts'
import { NO_ROUTE, signHop } from '../../../src/mesh/dht/path.ts'
import { freshResultFilter } from '../../../src/mesh/dht/result-filter.ts'
import { DHT_OPTION } from '../../../src/mesh/mesh.ts'
import { toMicros } from '../../../src/wire/time.ts'
import { seededRandom } from '../../sim/random.ts'
import { hex, readVectors, utf8 } from '../../vectors.ts'
import { Net, queryOf, search, testBlock } from './net.ts'

const { everywhere, recordRoute, truncated } = DHT_OPTION
const gns = readVectors('gns-blocks')
const nobody = () => new Uint8Array(128)

/** A peer under our control, the node it works on, and another neighbour of that node. */
function setUp() {
  const net = new Net(1)
  const [victim, other] = [net.node(), net.node()]
  const stranger = net.stranger()
  net.link(stranger, victim)
  net.link(victim, other)
  const say = (message: Uint8Array) => net.say(stranger, victim, DhtCore.encode({ inner: message }))
  const count = (name: string) => victim.counters.read()[`dht.${name}`] ?? 0
  return { net, victim, other, stranger, say, count }
}

type PutFields = Parameters<typeof DhtPut.encode>[0]

const put = (net: Net, changes: Partial<PutFields> = {}): Uint8Array =>
  DhtPut.encode({
    blockType: BLOCK.test,
    options: everywhere,
    hopCount: 1,
    replication: 1,
    expiry: toMicros(net.world.now() + 3_600_000),
    visited: nobody(),
    key: sha512(utf8('key')),
    origin: null,
    putPath: [],
    lastSignature: null,
    data: utf8('data'),
    ...changes,
  })

const get = (text: string, changes: Partial<Parameters<typeof DhtGet.encode>[0]> = {}) =>
  DhtGet.encode({
    blockType: BLOCK.test,
    options: everywhere,
    hopCount: 1,
    replication: 1,
    visited: nobody(),
    key: sha512(utf8(text)),
    resultFilter: freshResultFilter(seededRandom(1)),
    extendedQuery: new Uint8Array(0),
    ...changes,
  })

type ResultFields = Parameters<typeof DhtResultType.encode>[0]

const result = (net: Net, changes: Partial<ResultFields> = {}): Uint8Array =>
  DhtResultMessage.encode({
    blockType: BLOCK.test,
    options: 0,
    expiry: toMicros(net.world.now() + 3_600_000),
    key: sha512(utf8('key')),
    origin: null,
    putPath: [],
    getPath: [],
    lastSignature: null,
    data: utf8('data'),
    ...changes,
  })

/** The messages of one kind that a stranger has heard. */
const heardAs = <T>(
  heard: readonly Uint8Array[],
  message: { type: number; decode(raw: Uint8Array): T },
) =>
  heard
    .map(raw => DhtCore.decode(raw).inner)
    .filter(raw => new DataView(raw.buffer, raw.byteOffset).getUint16(2) === message.type)
    .map(raw => message.decode(raw))

describe('what is wrong is dropped and counted', () => {
  test('a block without a type, expired, or under a wrong key', () => {
    const { net, say, count } = setUp()
    say(put(net, { blockType: BLOCK.any }))
    say(put(net, { expiry: toMicros(net.world.now() - 1) }))
    const hello = concat(hex('0028 0011 00000000'), new Uint8Array(32))
    say(put(net, { blockType: BLOCK.legacyHello, data: hello }))
    net.run(1_000)
    expect(['dropped.any_type', 'dropped.expired', 'dropped.wrong_key'].map(count)).toEqual([
      1, 1, 1,
    ])
    expect(count('stored_blocks')).toBe(0)
    expect(count('sent.put')).toBe(0)
  })

  test('a block of a name whose signature is wrong', () => {
    const { net, other, say, count } = setUp()
    const block = hex(gns.EDKEY.block)
    // The vector has expired long ago; a changed expiry breaks the signature.
    block.set(hex('0010000000000000'), 104)
    const key = hex(gns.EDKEY.query)
    say(put(net, { blockType: BLOCK.gns, key, data: block }))
    net.run(1_000)
    expect(count('dropped.bad_signature')).toBe(1)
    expect(count('stored_blocks')).toBe(0)
    expect(other.counters.read()['dht.received.DHT_P2P_PUT']).toBeUndefined()
  })

  test('a result that nobody asked for', () => {
    const { net, say, count } = setUp()
    say(result(net))
    net.run(1_000)
    expect(count('dropped.unasked')).toBe(1)
    expect(count('stored_blocks')).toBe(0)
  })

  test('a result for another question, though we asked one', () => {
    const { net, victim, say } = setUp()
    const { found } = search(victim, queryOf(testBlock(net, 'wanted')))
    net.run(100)
    say(result(net))
    say(result(net, { key: testBlock(net, 'wanted').key, blockType: 99 }))
    net.run(100)
    expect(found).toEqual([])
  })

  test('noise of every kind, and nothing is thrown', () => {
    const { net, victim, say, count } = setUp()
    search(victim, { ...queryOf(testBlock(net, 'key')), key: hashCode(sha512(utf8('key'))) })
    const real = [put(net), get('key'), result(net), put(net, { blockType: BLOCK.dhtHello })]
    const random = seededRandom(7)
    fc.assert(
      fc.property(fc.nat(3), fc.nat(), fc.nat(255), fc.nat(400), (which, at, byte, cut) => {
        const raw = real[which]!.slice()
        raw[at % raw.length] = byte
        say(raw)
        say(raw.subarray(0, cut))
        say(random.bytes(cut))
        net.run(100)
      }),
      { numRuns: 1_000 },
    )
    expect(count('dropped.malformed')).toBeGreaterThan(500)
  })

  test('a HELLO of a neighbour that is not signed, or odd', () => {
    const { net, stranger, say } = setUp()
    const expiry = toMicros(net.world.now() + 3_600_000)
    say(
      DhtHello.encode({
        uriCount: 1,
        signature: new Uint8Array(64),
        expiry,
        uris: utf8('a://b\0'),
      }),
    )
    say(DhtHello.encode({ uriCount: 9, signature: new Uint8Array(64), expiry, uris: utf8('odd') }))
    say(get('x', { blockType: BLOCK.dhtHello, options: everywhere | DHT_OPTION.approximate }))
    net.run(1_000)
    expect(heardAs(stranger.heard, DhtResultMessage)).toEqual([])
  })
})

describe('a flood', () => {
  test('of blocks fills the store to its limit, and ours stay', () => {
    const { net, victim, say, count } = setUp()
    const ours = testBlock(net, 'ours')
    victim.dht.put(ours)
    for (let second = 0; second < 15; second++) {
      for (let i = 0; i < 2_000; i++)
        say(put(net, { key: sha512(utf8(`${second} ${i}`)), data: new Uint8Array(200) }))
      net.run(1_000)
    }
    expect(count('stored_blocks')).toBeLessThanOrEqual(8_192)
    expect(count('stored_bytes')).toBeLessThanOrEqual(4 * 1_024 * 1_024)
    expect(count('dropped.over_allowance')).toBeGreaterThan(18_000)
    const { found } = search(victim, queryOf(ours))
    net.run(0)
    expect(found).toHaveLength(1)
  })

  test('of questions is passed on no faster than the allowance, and remembered within bounds', () => {
    const { net, victim, say, count } = setUp()
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 2_000; i++) say(get(`${second} ${i}`))
      net.run(1_000)
    }
    expect(count('pending')).toBe(4_096)
    expect(victim.counters.read()['dht.sent.get']).toBeLessThan(4_000 + 5 * 400 + 1)
  })

  test('of signed blocks costs no more checks than the allowance', () => {
    const { net, say, count } = setUp()
    const block = hex(gns.PKEY.block_example)
    block.set(hex('0010000000000000'), 104)
    for (let i = 0; i < 1_000; i++) {
      block[143] = i
      block[142] = i >> 8
      say(put(net, { blockType: BLOCK.gns, key: hex(gns.PKEY.query), data: block }))
    }
    net.run(1_000)
    expect(count('dropped.bad_signature')).toBeLessThan(230)
    expect(count('dropped.over_allowance')).toBeGreaterThan(770)
  })

  test('does not hinder the others', () => {
    const { net, victim, other, say } = setUp()
    const block = testBlock(net, 'block')
    for (let i = 0; i < 10_000; i++) say(put(net))
    other.dht.put(block)
    const { found } = search(victim, queryOf(block))
    net.run(1_000)
    expect(found).toHaveLength(1)
  })
})

describe('a forged route', () => {
  const helloOf = (pid: PeerId) => concat(hex('0028 0011 00000000'), pid)

  test('is cut off where it was forged', () => {
    const { net, victim, other, stranger, say } = setUp()
    const data = helloOf(other.pid)
    const expiry = toMicros(net.world.now() + 3_600_000)
    const signed = { expiry, dataHash: sha512(data) }
    const invented = { signature: new Uint8Array(64), pid: other.pid }
    const route = { ...NO_ROUTE, put: [invented] }
    const { found } = search(victim, {
      type: BLOCK.legacyHello,
      key: legacyHelloKey(other.pid),
      replication: 3,
      options: everywhere | recordRoute,
    })
    say(
      put(net, {
        blockType: BLOCK.legacyHello,
        options: everywhere | recordRoute,
        key: legacyHelloKey(other.pid),
        data,
        expiry,
        putPath: [invented],
        lastSignature: signHop(stranger.key, signed, route, victim.pid),
      }),
    )
    net.run(1_000)
    expect(found).toHaveLength(1)
    expect(found[0]!.options & truncated).toBe(truncated)
    expect(found[0]!.putPath).toEqual([stranger.pid])
  })

  test('of more hops than anybody uses is shortened before it goes on', () => {
    const { net, victim, stranger, say } = setUp()
    const asking = net.stranger()
    net.link(asking, victim)
    const somebody = stranger.pid.map(byte => byte ^ 1) as PeerId
    const hello = { blockType: BLOCK.legacyHello, key: legacyHelloKey(somebody) }
    const hop = { signature: new Uint8Array(64), pid: somebody }
    const route = Array.from({ length: 600 }, () => hop)
    const options = everywhere | recordRoute
    const lastSignature = new Uint8Array(64)
    say(put(net, { ...hello, data: helloOf(somebody), options, putPath: route, lastSignature }))
    net.say(asking, victim, DhtCore.encode({ inner: get('', hello) }))
    net.say(asking, victim, DhtCore.encode({ inner: get('', { ...hello, options }) }))
    net.run(1_000)
    const [plain, recorded] = heardAs(asking.heard, DhtResultMessage)
    expect(plain).toMatchObject({ options: everywhere, putPath: [], getPath: [], origin: null })
    expect(recorded!.putPath).toHaveLength(36)
    expect(recorded!.origin).toEqual(new Uint8Array(somebody))
    expect(victim.counters.read()['dht.stored_bytes']).toBeLessThan(5_000)
  })

  test('that has been here already goes no further', () => {
    const { net, victim, stranger, say, count } = setUp()
    const key = testBlock(net, 'x').key
    search(victim, queryOf(testBlock(net, 'x'), recordRoute))
    const expiry = toMicros(net.world.now() + 3_600_000)
    const putPath = [{ signature: new Uint8Array(64), pid: victim.pid }]
    const signed = { expiry, dataHash: sha512(utf8('data')) }
    const lastSignature = signHop(stranger.key, signed, { ...NO_ROUTE, put: putPath }, victim.pid)
    say(result(net, { key, expiry, options: recordRoute, putPath, lastSignature }))
    net.run(1_000)
    expect(count('dropped.circle')).toBe(1)
  })
})

test('a request goes to nobody who is in its filter, and names all whom it goes to', () => {
  const net = new Net(3)
  const [hub, ...strangers] = [net.node(), net.stranger(), net.stranger(), net.stranger()]
  for (const each of strangers) net.link(hub, each)
  const [asking, visited, fresh] = strangers as [
    (typeof strangers)[0],
    (typeof strangers)[0],
    (typeof strangers)[0],
  ]
  const filter = nobody()
  addToBloom(filter, sha512(visited!.pid))
  net.say(
    asking!,
    hub!,
    DhtCore.encode({ inner: get('key', { visited: filter, replication: 16 }) }),
  )
  net.run(1_000)
  expect(visited!.heard).toEqual([])
  expect(asking!.heard).toEqual([])
  const [heard] = heardAs(fresh!.heard, DhtGet)
  expect(heard!.hopCount).toBe(2)
  for (const { pid } of [hub!, ...strangers]) addToBloom(filter, sha512(pid))
  expect(heard!.visited).toEqual(filter)
})
