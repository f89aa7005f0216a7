import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha512 } from '../../../src/crypto/hash.ts'
import { addToBloom, bloomHas } from '../../../src/mesh/dht/bloom.ts'
import { filtersOut, freshResultFilter, withResult } from '../../../src/mesh/dht/result-filter.ts'
import { seededRandom } from '../../sim/random.ts'
import { hex, readVectors, toHex, utf8 } from '../../vectors.ts'

const { inputs, dht } = readVectors('gnunet-wire')

test('a filter with one pid has the bits that GNUnet sets', () => {
  const filter = new Uint8Array(128)
  addToBloom(filter, sha512(hex(inputs.pidA)))
  expect(toHex(filter)).toBe(dht.bloom_128_after_pidA)
})

test('a filter knows all that was added, and hardly anything else', () => {
  const random = seededRandom(1)
  const filter = new Uint8Array(128)
  const added = Array.from({ length: 16 }, () => random.bytes(64))
  for (const hash of added) addToBloom(filter, hash)
  expect(added.every(hash => bloomHas(filter, hash))).toBe(true)
  const others = Array.from({ length: 1_000 }, () => random.bytes(64))
  expect(others.filter(hash => bloomHas(filter, hash)).length).toBeLessThan(5)
})

test('a result filter hides what was added to it and nothing else', () => {
  const [one, other] = [sha512(utf8('one')), sha512(utf8('other'))]
  const empty = freshResultFilter(seededRandom(1))
  expect(empty).toHaveLength(12)
  expect(filtersOut(empty, one)).toBe(false)
  const filter = withResult(empty, one)
  expect(filtersOut(filter, one)).toBe(true)
  expect(filtersOut(filter, other)).toBe(false)
  expect(filtersOut(empty, one)).toBe(false)
})

test('a result is mingled with the number of the asker', () => {
  const identity = sha512(utf8('block'))
  const filter = withResult(hex('01020304 0000000000000000'), identity)
  const expected = new Uint8Array(8)
  addToBloom(expected, sha512(identity, hex('01020304')))
  expect(toHex(filter)).toBe(`01020304${toHex(expected)}`)
})

test('any bytes are a filter', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), raw => {
      const identity = sha512(utf8('block'))
      expect(withResult(raw, identity)).toHaveLength(raw.length)
      if (raw.length > 4) expect(filtersOut(withResult(raw, identity), identity)).toBe(true)
      else expect(filtersOut(raw, identity)).toBe(false)
    }),
  )
})
