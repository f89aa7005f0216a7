import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { hmacSha256, hmacSha512 } from '../../src/crypto/hash.ts'
import { hkdf } from '../../src/crypto/kdf.ts'
import { DERIVED_MAX, INFO_MAX, TEXT_MAX } from '../../src/crypto/sha2-code.ts'
import { hkdfShort, hmacShort } from '../../src/crypto/short-hmac.ts'
import { hex, readVectors, toHex, utf8 } from '../vectors.ts'

type Algorithm = 'sha256' | 'sha512'
const algorithms = ['sha256', 'sha512'] as const
const block = { sha256: 64, sha512: 128 } as const

/** What it must come to: as OpenSSL has it. */
function plainHmac(algorithm: Algorithm, key: Uint8Array, ...parts: readonly Uint8Array[]) {
  const hmac = createHmac(algorithm, key)
  for (const part of parts) hmac.update(part)
  return new Uint8Array(hmac.digest())
}

function plainHkdf(length: number, salt: Uint8Array, ikm: Uint8Array, info: Uint8Array) {
  const prk = plainHmac('sha512', salt, ikm)
  const derived: number[] = []
  for (let step = 1, last = new Uint8Array(0); derived.length < length; step++) {
    last = plainHmac('sha256', prk, last, info, Uint8Array.of(step))
    derived.push(...last)
  }
  return Uint8Array.from(derived.slice(0, length))
}

const some = (maxLength: number) => fc.uint8Array({ maxLength })

beforeAll(() => {
  // Before it has been asked often enough it leaves the work to OpenSSL.
  for (let i = 0; i < 1_000; i++) if (hmacShort('sha256', new Uint8Array(1), [])) return
  throw new Error('there is no WebAssembly here')
})

// RFC 4231, sections 4.2, 4.3 and 4.5: short keys and texts.
test.for([
  { key: '0b'.repeat(20), data: utf8('Hi There'), code: '87aa7cdea5ef619d4ff0b4241a1d6cb0' },
  {
    key: toHex(utf8('Jefe')),
    data: utf8('what do ya want for nothing?'),
    code: '164b7a7bfcf819e2e395fbe73b56e0a3',
  },
  { key: 'aa'.repeat(20), data: hex('dd'.repeat(50)), code: 'fa73b0089d56a284efb0f0756c890be9' },
])('authenticates as RFC 4231: $code', ({ key, data, code }) => {
  const made = hmacShort('sha512', hex(key), [data])!
  expect(toHex(made.subarray(0, 16))).toBe(code)
})

test('comes to the codes of OpenSSL, whatever the lengths, one after the other', () => {
  const asked = fc.record({
    algorithm: fc.constantFrom(...algorithms),
    key: some(130),
    parts: fc.array(some(300), { maxLength: 4 }),
  })
  fc.assert(
    fc.property(fc.array(asked, { minLength: 1, maxLength: 4 }), all => {
      for (const { algorithm, key, parts } of all) {
        const made = hmacShort(algorithm, key, parts)
        if (key.length > block[algorithm]) expect(made).toBeNull()
        else expect(made).toEqual(plainHmac(algorithm, key, ...parts))
      }
    }),
    { numRuns: 300 },
  )
})

test.for(algorithms)(
  'takes texts of %s up to its limit, at each length around the end of a block',
  algorithm => {
    const key = utf8('key')
    const text = Uint8Array.from({ length: TEXT_MAX + 1 }, (_, i) => (i * i) >>> 2)
    const lengths = Array.from({ length: 300 }, (_, i) => i)
    for (const length of [...lengths, TEXT_MAX - 129, TEXT_MAX - 1, TEXT_MAX]) {
      const part = text.subarray(0, length)
      expect(hmacShort(algorithm, key, [part])).toEqual(plainHmac(algorithm, key, part))
    }
    expect(hmacShort(algorithm, key, [text])).toBeNull()
  },
)

test('derives what two hashes of OpenSSL derive', () => {
  fc.assert(
    fc.property(
      fc.nat(DERIVED_MAX),
      some(block.sha512),
      some(400),
      some(INFO_MAX),
      (length, salt, ikm, info) => {
        const half = info.length >> 1
        const parts = [info.subarray(0, half), info.subarray(half)]
        expect(hkdfShort(length, salt, ikm, parts)).toEqual(plainHkdf(length, salt, ikm, info))
      },
    ),
    { numRuns: 300 },
  )
})

test('derives what the daemons derive', () => {
  const { hkdf_gnunet: vector } = readVectors('gnunet-wire')
  const made = hkdfShort(vector.len, hex(vector.salt), hex(vector.ikm), vector.ctx.map(hex))!
  expect(toHex(made)).toBe(vector.okm)
})

test('leaves to OpenSSL what is too long, and comes to the same', () => {
  const long = (size: number) => new Uint8Array(size).fill(7)
  const whole = { length: 32, salt: utf8('salt'), ikm: utf8('ikm'), info: utf8('info') }
  for (const change of [
    { length: DERIVED_MAX + 1 },
    { salt: long(block.sha512 + 1) },
    { ikm: long(TEXT_MAX + 1) },
    { info: long(INFO_MAX + 1) },
  ]) {
    const { length, salt, ikm, info } = { ...whole, ...change }
    expect(hkdfShort(length, salt, ikm, [info])).toBeNull()
    expect(hkdf(length, salt, ikm, info)).toEqual(plainHkdf(length, salt, ikm, info))
  }
  expect(hmacSha256(long(65), long(5))).toEqual(plainHmac('sha256', long(65), long(5)))
  expect(hmacSha512(long(3), long(9_000))).toEqual(plainHmac('sha512', long(3), long(9_000)))
})

test('gives away what nobody else has', () => {
  const first = hmacShort('sha512', utf8('key'), [utf8('one')])!
  const copy = first.slice()
  hmacShort('sha512', utf8('key'), [utf8('two')])
  expect(first).toEqual(copy)
})
