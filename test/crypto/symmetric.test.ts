import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat } from '../../src/base/bytes.ts'
import { AgreementKey, ecdh } from '../../src/crypto/agreement.ts'
import { hmacSha512 } from '../../src/crypto/hash.ts'
import { hkdf } from '../../src/crypto/kdf.ts'
import { deriveIv, SymmetricKey } from '../../src/crypto/symmetric.ts'
import { hex, readVectors, toHex, utf8 } from '../vectors.ts'

const { inputs, sym, core_old: core, cadet } = readVectors('gnunet-wire')
const NOTHING = new Uint8Array(0)

test('encrypts as the daemons do', () => {
  const iv = deriveIv(hex(sym.key), hex(sym.iv_seed), hex(inputs.pidB), 'initialization vector\0')
  expect(toHex(iv)).toBe(sym.iv)
  const key = new SymmetricKey(hex(sym.key))
  expect(toHex(key.encrypt(iv, hex(sym.plain)))).toBe(sym.cipher)
  expect(toHex(key.decrypt(iv, hex(sym.cipher)))).toBe(sym.plain)
})

test('makes the keys and the encrypted message of old CORE', () => {
  const shared = ecdh(AgreementKey.fromSecret(hex(inputs.ephA)), hex(inputs.ephPubB))
  const salt = utf8('aes key generation vector\0')
  const key = hkdf(64, salt, shared, hex(inputs.pidA), hex(inputs.pidB))
  expect(toHex(key)).toBe(core.encrypt_key)
  expect(toHex(hkdf(64, salt, shared, hex(inputs.pidB), hex(inputs.pidA)))).toBe(
    core.decrypt_key_of_A,
  )
  const iv = deriveIv(key, hex(core.iv_seed), hex(inputs.pidB), 'initialization vector\0')
  const cipher = new SymmetricKey(key).encrypt(iv, hex(core.plain))
  const authKey = hkdf(64, hex(core.iv_seed), key, key, 'authentication key\0')
  expect(toHex(authKey)).toBe(core.auth_key)
  const mac = hmacSha512(authKey, cipher)
  expect(core.message82).toBe(`00a00052${core.iv_seed}${toHex(concat(mac, cipher))}`)
})

test('makes the first keys of a CADET tunnel', () => {
  const { RK, NHKs, CKs, MK0 } = cadet.after_first_ratchet
  expect([RK, NHKs, CKs].every(key => hex(key).length === 64)).toBe(true)
  const hashKey = hkdf(64, utf8('axolotl HMAC-HASH\0'), hex(CKs))
  const derived = hkdf(64, utf8('axolotl derive key\0'), hmacSha512(hashKey, utf8('0')))
  expect(toHex(derived)).toBe(MK0)
  expect(toHex(deriveIv(derived, NOTHING))).toBe(cadet.le_0_26.iv_MK)
})

test('gives back what was encrypted, whatever the length and wherever it lies', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  fc.assert(
    fc.property(
      bytes(64),
      bytes(32),
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(7),
      fc.nat(7),
      (key, iv, data, before, after) => {
        const symmetric = new SymmetricKey(key)
        const inside = concat(new Uint8Array(before), data, new Uint8Array(after))
        const plain = inside.subarray(before, before + data.length)
        const cipher = symmetric.encrypt(iv, data)
        expect(symmetric.encrypt(iv, plain)).toEqual(cipher)
        expect(symmetric.decrypt(iv, cipher)).toEqual(data)
        const target = new Uint8Array(before + data.length + after)
        symmetric.encryptInto(iv, plain, target.subarray(before, before + data.length))
        expect(target.subarray(before, before + data.length)).toEqual(cipher)
        expect(target.subarray(0, before)).toEqual(new Uint8Array(before))
        expect(target.subarray(before + data.length)).toEqual(new Uint8Array(after))
      },
    ),
  )
})

test('leaves its inputs as they were', () => {
  const [key, iv, plain] = [hex(sym.key), hex(sym.iv), hex(sym.plain)]
  const symmetric = new SymmetricKey(key)
  const cipher = symmetric.encrypt(iv, plain)
  symmetric.decrypt(iv, cipher)
  expect([key, iv, plain, cipher].map(toHex)).toEqual([sym.key, sym.iv, sym.plain, sym.cipher])
})
