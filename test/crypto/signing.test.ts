import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PURPOSE, purposeBytes, signPurpose, verifyPurpose } from '../../src/crypto/purposes.ts'
import { SigningKey, verifySignature } from '../../src/crypto/signing.ts'
import { hex, readVectors, toHex, utf8 } from '../vectors.ts'

const { inputs, dht } = readVectors('gnunet-wire')
const a = SigningKey.fromSeed(hex(inputs.seedA))
const b = SigningKey.fromSeed(hex(inputs.seedB))

test('has the public keys of the vectors', () => {
  expect(toHex(a.publicKey)).toBe(inputs.pidA)
  expect(toHex(b.publicKey)).toBe(inputs.pidB)
})

// RFC 8032 section 7.1, TEST 3.
test('signs as RFC 8032 does', () => {
  const key = SigningKey.fromSeed(
    hex('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7'),
  )
  expect(toHex(key.sign(hex('af82')))).toBe(
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
      '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  )
})

test('signs the DHT hop of the vectors', () => {
  const { signed, sig } = dht.hop_sig
  const body = hex(signed).subarray(8)
  expect(toHex(purposeBytes(PURPOSE.DHT_HOP, body))).toBe(signed)
  expect(toHex(signPurpose(a, PURPOSE.DHT_HOP, body))).toBe(sig)
  expect(verifyPurpose(a.publicKey, PURPOSE.DHT_HOP, body, hex(sig))).toBe(true)
})

test('a signature is for one key, one purpose and one message', () => {
  const body = utf8('body')
  const signature = signPurpose(a, PURPOSE.HELLO, body)
  expect(verifyPurpose(a.publicKey, PURPOSE.HELLO, body, signature)).toBe(true)
  expect(verifyPurpose(b.publicKey, PURPOSE.HELLO, body, signature)).toBe(false)
  expect(verifyPurpose(a.publicKey, PURPOSE.DHT_HOP, body, signature)).toBe(false)
  expect(verifyPurpose(a.publicKey, PURPOSE.HELLO, utf8('bodies'), signature)).toBe(false)
})

test('any bytes in the place of key and signature give false', () => {
  const bytes = fc.uint8Array({ maxLength: 80 })
  const key = fc.oneof(bytes, fc.uint8Array({ minLength: 32, maxLength: 32 }))
  const signature = fc.oneof(bytes, fc.uint8Array({ minLength: 64, maxLength: 64 }))
  fc.assert(
    fc.property(key, bytes, signature, (...given) => {
      expect(verifySignature(...given)).toBe(false)
    }),
  )
})

test('more keys than the cache holds verify all the same', () => {
  const message = utf8('message')
  const keys = Array.from({ length: 600 }, (_, i) =>
    SigningKey.fromSeed(Uint8Array.from({ length: 32 }, (_, at) => (at < 2 ? i >> (8 * at) : 1))),
  )
  for (const round of [0, 1])
    for (const key of keys)
      expect(verifySignature(key.publicKey, message, key.sign(message)), `${round}`).toBe(true)
})

test('keeps a copy of the seed', () => {
  const seed = hex(inputs.seedA)
  const key = SigningKey.fromSeed(seed)
  seed.fill(0)
  expect(toHex(key.seed)).toBe(inputs.seedA)
})
