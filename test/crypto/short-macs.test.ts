import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat } from '../../src/base/bytes.ts'
import { hmacSha512 } from '../../src/crypto/hash.ts'
import { hkdf } from '../../src/crypto/kdf.ts'
import {
  isReady,
  prepare,
  SHORT_KEY_MAX,
  SHORT_MAX,
  shortHkdf,
  shortHmac,
} from '../../src/crypto/short-macs.ts'
import { hex, readVectors, toHex, utf8 } from '../vectors.ts'

const { cadet } = readVectors('gnunet-wire')
const key = fc.uint8Array({ maxLength: SHORT_KEY_MAX })
const halves = fc.tuple(
  fc.uint8Array({ maxLength: SHORT_MAX / 2 }),
  fc.uint8Array({ maxLength: SHORT_MAX / 2 }),
)

/** What OpenSSL says. */
const plainly = (algorithm: string, by: Uint8Array, data: Uint8Array) =>
  toHex(createHmac(algorithm, by).update(data).digest())

function plainHkdf(length: number, salt: Uint8Array, ikm: Uint8Array, info: Uint8Array): string {
  const prk = createHmac('sha512', salt).update(ikm).digest()
  let [okm, last] = ['', new Uint8Array(0)]
  for (let step = 1; okm.length < 2 * length; step++) {
    last = new Uint8Array(
      createHmac('sha256', prk).update(last).update(info).update(Uint8Array.of(step)).digest(),
    )
    okm += toHex(last)
  }
  return okm.slice(0, 2 * length)
}

// Before the others, which make it ready.
test('is made ready only after some thousands', () => {
  let count = 0
  while (!isReady()) count++
  expect(count).toBeGreaterThan(4_000)
  expect(count).toBeLessThan(5_000)
})

test.for(['sha256', 'sha512'] as const)('HMAC with %s is that of OpenSSL', algorithm => {
  expect(prepare()).toBe(true)
  fc.assert(
    fc.property(key, halves, (by, parts) => {
      expect(toHex(shortHmac(algorithm, by, parts))).toBe(plainly(algorithm, by, concat(...parts)))
    }),
  )
})

test('HMAC is right at every length around the ends of blocks', () => {
  prepare()
  const by = Uint8Array.from({ length: SHORT_KEY_MAX }, (_, i) => i * 7)
  const data = Uint8Array.from({ length: SHORT_MAX }, (_, i) => i * 11)
  for (const algorithm of ['sha256', 'sha512'] as const)
    for (let size = 0; size <= SHORT_MAX; size++) {
      const part = data.subarray(0, size)
      expect(toHex(shortHmac(algorithm, by, [part]))).toBe(plainly(algorithm, by, part))
    }
})

test('the key derivation is that of OpenSSL, and the one that was used so far', () => {
  prepare()
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 192 }),
      key,
      key,
      fc.uint8Array({ maxLength: 200 }),
      (length, salt, ikm, info) => {
        const okm = new Uint8Array(length)
        shortHkdf(okm, salt, ikm, info)
        expect(toHex(okm)).toBe(plainHkdf(length, salt, ikm, info))
        expect(hkdf(length, salt, ikm, info)).toEqual(okm)
      },
    ),
  )
})

test('data, keys and contexts that are too long go the other way', () => {
  prepare()
  const long = new Uint8Array(SHORT_MAX + 1).fill(7)
  expect(toHex(hmacSha512(long, utf8('data')))).toBe(plainly('sha512', long, utf8('data')))
  expect(toHex(hmacSha512(utf8('key'), long))).toBe(plainly('sha512', utf8('key'), long))
  for (const [salt, ikm, info] of [
    [long, utf8('b'), utf8('c')],
    [utf8('a'), long, utf8('c')],
    [utf8('a'), utf8('b'), long],
  ] as const)
    expect(toHex(hkdf(80, salt, ikm, info))).toBe(plainHkdf(80, salt, ikm, info))
})

test('makes the first message key of a CADET tunnel', () => {
  prepare()
  const { CKs, MK0 } = cadet.after_first_ratchet
  const hashKey = hkdf(64, utf8('axolotl HMAC-HASH\0'), hex(CKs))
  expect(toHex(hkdf(64, utf8('axolotl derive key\0'), hmacSha512(hashKey, utf8('0'))))).toBe(MK0)
})
