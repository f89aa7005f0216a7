import { expect, test } from 'vitest'
import { AgreementKey, ecdh, ecdhEddsa, eddsaEcdh, x25519 } from '../../src/crypto/agreement.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { hex, readVectors, toHex } from '../vectors.ts'

const { inputs, ecdh: vector } = readVectors('gnunet-wire')
const a = AgreementKey.fromSecret(hex(inputs.ephA))
const b = AgreementKey.fromSecret(hex(inputs.ephB))
const peer = SigningKey.fromSeed(hex(inputs.seedA))

test('has the public keys of the vectors', () => {
  expect(toHex(a.publicKey)).toBe(inputs.ephPubA)
  expect(toHex(b.publicKey)).toBe(inputs.ephPubB)
})

test('agrees on the hash of X25519', () => {
  expect(toHex(ecdh(a, b.publicKey))).toBe(vector.ecc_ecdh_eA_xB)
  expect(ecdh(b, a.publicKey)).toEqual(ecdh(a, b.publicKey))
})

test('agrees across the two forms of the curve', () => {
  expect(toHex(eddsaEcdh(peer, b.publicKey))).toBe(vector.eddsa_ecdh_seedA_xB)
  expect(toHex(ecdhEddsa(b, peer.publicKey))).toBe(vector.ecdh_eddsa_eB_pidA)
  expect(ecdhEddsa(b, peer.publicKey)).toEqual(eddsaEcdh(peer, b.publicKey))
})

// RFC 7748 section 5.2, the first vector.
test('multiplies as RFC 7748 does', () => {
  const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
  const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
  expect(toHex(x25519(AgreementKey.fromSecret(scalar), point))).toBe(
    'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
  )
})

// Every value that X25519 takes to zero whatever the scalar (RFC 7748 section 7; cr.yp.to/ecdh.html).
const SMALL_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]

test.for(SMALL_ORDER)('refuses the point of small order %s', point => {
  expect(() => x25519(a, hex(point))).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
})

test.for([0, 31, 33])('refuses a key of %d bytes', length => {
  const key = new Uint8Array(length)
  for (const act of [() => x25519(a, key), () => ecdhEddsa(a, key), () => eddsaEcdh(peer, key)])
    expect(act).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
})

test('refuses the one Ed25519 key that has no X25519 form', () => {
  const neutral = hex(`01${'00'.repeat(31)}`)
  expect(() => ecdhEddsa(a, neutral)).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
})
