import { describe, expect, test } from 'vitest'
import { peerId } from '../../../src/base/ids.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import { lastHops, NO_ROUTE, provenRoute, type Route, signHop } from '../../../src/mesh/dht/path.ts'
import { hex, readVectors, toHex, utf8 } from '../../vectors.ts'

const { inputs, dht } = readVectors('gnunet-wire')

const keys = Array.from({ length: 6 }, (_, i) =>
  SigningKey.fromSeed(new Uint8Array(32).fill(i + 1)),
)
const pidAt = (index: number) => peerId(keys[index]!.publicKey)
const signed = { expiry: 1_700_000_000_000_000n, dataHash: sha512(utf8('data')) }

/** A block put by peer 0, stored by peer `storer`, got by the last peer. */
function routeOver(count: number, storer: number): Route {
  let route = NO_ROUTE
  for (let i = 0; i < count; i++) {
    const hop = { signature: signHop(keys[i]!, signed, route, pidAt(i + 1)), pid: pidAt(i) }
    route =
      i < storer ? { ...route, put: [...route.put, hop] } : { ...route, get: [...route.get, hop] }
  }
  return route
}

const forge = (route: Route, index: number): Route => {
  const broken = <T extends { signature: Uint8Array }>(hop: T) => ({
    ...hop,
    signature: new Uint8Array(64),
  })
  const { put, get } = route
  return {
    origin: null,
    put: put.map((hop, i) => (i === index ? broken(hop) : hop)),
    get: get.map((hop, i) => (i + put.length === index ? broken(hop) : hop)),
  }
}

const pids = (route: Route) => [...route.put, ...route.get].map(({ pid }) => toHex(pid))

describe('a recorded route', () => {
  test('is signed as real daemons sign it', () => {
    const key = SigningKey.fromSeed(hex(inputs.seedA))
    const vector = { expiry: BigInt(dht.hop_sig.expiry), dataHash: sha512(hex(dht.hop_sig.data)) }
    const signature = signHop(key, vector, NO_ROUTE, peerId(hex(inputs.pidB)))
    expect(toHex(signature)).toBe(dht.hop_sig.sig)
  })

  test('is proven where every hop has signed', () => {
    const route = routeOver(5, 3)
    expect(provenRoute(route, signed, pidAt(5))).toEqual(route)
  })

  test.for([0, 1, 2, 3, 4])('loses what lies before a wrong signature at hop %i', index => {
    const route = routeOver(5, 3)
    const proven = provenRoute(forge(route, index), signed, pidAt(5))
    expect(pids(proven)).toEqual(pids(route).slice(index + 1))
    expect(toHex(proven.origin!)).toBe(toHex(pidAt(index)))
    expect(proven.put).toHaveLength(Math.max(0, 3 - index - 1))
  })

  test('is worth nothing for another peer, another block or another expiry', () => {
    const route = routeOver(5, 3)
    expect(pids(provenRoute(route, signed, pidAt(1)))).toEqual([])
    const otherData = { ...signed, dataHash: sha512(utf8('other')) }
    expect(pids(provenRoute(route, otherData, pidAt(5)))).toEqual([])
    expect(pids(provenRoute(route, { ...signed, expiry: 1n }, pidAt(5)))).toEqual([])
  })

  test('names the peer before the first hop where it was shortened, and is still proven', () => {
    const short = lastHops(routeOver(5, 3), 3)
    expect(pids(short)).toEqual([2, 3, 4].map(i => toHex(pidAt(i))))
    expect(toHex(short.origin!)).toBe(toHex(pidAt(1)))
    expect(short.put).toHaveLength(1)
    expect(provenRoute(short, signed, pidAt(5))).toEqual(short)
  })

  test('goes on from a shortened one', () => {
    const short = lastHops(routeOver(4, 4), 0)
    const hop = { signature: signHop(keys[4]!, signed, short, pidAt(5)), pid: pidAt(4) }
    const longer = { ...short, get: [hop] }
    expect(provenRoute(longer, signed, pidAt(5))).toEqual(longer)
  })
})
