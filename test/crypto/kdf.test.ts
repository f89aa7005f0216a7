import { expect, test } from 'vitest'
import { hkdf } from '../../src/crypto/kdf.ts'
import { hex, readVectors, toHex, utf8 } from '../vectors.ts'

const { hkdf_gnunet: vector } = readVectors('gnunet-wire')
const context = vector.ctx.map(hex)

test('derives what the daemons derive', () => {
  expect(toHex(hkdf(vector.len, hex(vector.salt), hex(vector.ikm), ...context))).toBe(vector.okm)
})

test('takes an empty salt as zeros', () => {
  const empty = hkdf(32, new Uint8Array(0), hex(vector.ikm))
  expect(toHex(empty)).toBe(vector.okm_empty_salt_32)
  expect(hkdf(32, new Uint8Array(64), hex(vector.ikm))).toEqual(empty)
})

test('joins texts and bytes of the context without separators', () => {
  const [salt, ikm] = [utf8('salt'), utf8('ikm')]
  expect(hkdf(64, salt, ikm, 'ab', utf8('c'))).toEqual(hkdf(64, salt, ikm, utf8('a'), 'bc'))
})
