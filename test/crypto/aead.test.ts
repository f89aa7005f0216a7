import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openAead, sealAead } from '../../src/crypto/aead.ts'
import { hex, toHex, utf8 } from '../vectors.ts'

// RFC 8439 section 2.8.2.
const key = hex('808182838485868788898a8b8c8d8e8f 909192939495969798999a9b9c9d9e9f')
const nonce = hex('07000000 4041424344454647')
const aad = hex('50515253c0c1c2c3c4c5c6c7')
const plain = utf8(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
)

test('seals as RFC 8439 does', () => {
  const sealed = sealAead(key, nonce, plain, aad)
  expect(toHex(sealed.subarray(0, 16))).toBe('d31a8d34648e60db7b86afbc53ef7ec2')
  expect(toHex(sealed.subarray(-16))).toBe('1ae10b594f09e26a7e902ecbd0600691')
  expect(openAead(key, nonce, sealed, aad)).toEqual(plain)
})

test('opens nothing that was changed in a single bit', () => {
  const sealed = sealAead(key, nonce, plain, aad)
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.nat(7), (at, bit) => {
      const changed = sealed.slice()
      changed[at]! ^= 1 << bit
      expect(openAead(key, nonce, changed, aad)).toBeNull()
    }),
  )
})

test('opens nothing with another key, nonce or associated data', () => {
  const sealed = sealAead(key, nonce, plain, aad)
  expect(openAead(new Uint8Array(32), nonce, sealed, aad)).toBeNull()
  expect(openAead(key, new Uint8Array(12), sealed, aad)).toBeNull()
  expect(openAead(key, nonce, sealed, utf8('other'))).toBeNull()
})

test('opens no noise', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), noise => {
      expect(openAead(key, nonce, noise, aad)).toBeNull()
    }),
  )
})
