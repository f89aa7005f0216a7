import { expect, test } from 'vitest'
import { Twofish } from '../../src/crypto/twofish.ts'
import { hex, toHex } from '../vectors.ts'

// "Twofish: A 128-Bit Block Cipher" (1998), appendix B.2; the key and its 128-bit sibling's rule of
// chaining (key and plaintext from the ciphertexts before) give the 49-step iteration of ecb_ival.txt.
test('encrypts the block of the paper', () => {
  const key = hex('01234567 89abcdef fedcba98 76543210 00112233 44556677 8899aabb ccddeeff')
  expect(toHex(new Twofish(key).encryptBlock(new Uint8Array(16)))).toBe(
    '37527be0052334b89f0cfccae87cfa20',
  )
})

test('arrives where the 49 chained blocks of ecb_ival.txt end', () => {
  let key: Uint8Array = new Uint8Array(32)
  let plain: Uint8Array = new Uint8Array(16)
  let cipher: Uint8Array = new Uint8Array(16)
  for (let i = 0; i < 49; i++) {
    cipher = new Twofish(key).encryptBlock(plain)
    key = Uint8Array.from([...plain, ...key.subarray(0, 16)])
    plain = cipher
  }
  expect(toHex(cipher)).toBe('37fe26ff1cf66175f5ddf4c33b97a205')
})
