import { createCipheriv, createDecipheriv } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assemble, constant, set } from '../../src/crypto/assembly.ts'
import { decryptLong, encryptLong, LONG_MAX, LONG_MIN } from '../../src/crypto/long-messages.ts'
import { SymmetricKey } from '../../src/crypto/symmetric.ts'
import { Twofish } from '../../src/crypto/twofish.ts'

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

/** What all of this must come to: both ciphers in feedback mode, in JavaScript and as OpenSSL has it. */
function plainly(key: Uint8Array, iv: Uint8Array, data: Uint8Array) {
  const [aes, twofish] = [key.subarray(0, 32), new Twofish(key.subarray(32))]
  const [encrypted, decrypted] = [new Uint8Array(data.length), new Uint8Array(data.length)]
  const once = createCipheriv('aes-256-cfb', aes, iv.subarray(0, 16)).update(data)
  twofish.encryptCfb(iv.subarray(16), once, encrypted)
  twofish.decryptCfb(iv.subarray(16), data, decrypted)
  const whole = createDecipheriv('aes-256-cfb', aes, iv.subarray(0, 16)).update(decrypted)
  return { encrypted, decrypted: new Uint8Array(whole) }
}

const pair = (key: Uint8Array) => ({
  aes: key.subarray(0, 32),
  twofish: new Twofish(key.subarray(32)),
})

test('comes to the same as both ciphers in feedback mode, whatever the length', () => {
  fc.assert(
    fc.property(
      exactly(64),
      exactly(32),
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      (key, iv, data) => {
        const { encrypted, decrypted } = plainly(key, iv, data)
        const out = new Uint8Array(data.length + 3)
        expect(encryptLong(pair(key), iv, data, out)).toBe(true)
        expect(out.subarray(0, data.length)).toEqual(encrypted)
        expect(out.subarray(data.length)).toEqual(new Uint8Array(3))
        expect(decryptLong(pair(key), iv, data)).toEqual(decrypted)
      },
    ),
  )
})

test.for([LONG_MIN - 1, LONG_MIN, 4_111, 61_440, LONG_MAX, LONG_MAX + 1, 200_000])(
  'encrypts %i bytes as the short way does, in place as well',
  size => {
    const bytes = (length: number, seed: number) =>
      Uint8Array.from({ length }, (_, i) => (i * i * 31 + i * seed) >>> 3)
    const [key, iv, data] = [bytes(64, 3), bytes(32, 5), bytes(size, 7)]
    const { encrypted, decrypted } = plainly(key, iv, data)
    const symmetric = new SymmetricKey(key)
    const inPlace = data.slice()
    symmetric.encryptInto(iv, inPlace, inPlace)
    // Bytes are compared as such: a matcher would take seconds for so many.
    const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
    expect(same(symmetric.decrypt(iv, data), decrypted)).toBe(true)
    expect(same(symmetric.encrypt(iv, data), encrypted)).toBe(true)
    expect(same(symmetric.decrypt(iv, encrypted), data)).toBe(true)
    expect(same(inPlace, encrypted)).toBe(true)
  },
)

test('has numbers of any length, and no program where there is no memory for it', () => {
  for (const value of [0, 63, 64, 127, 128, 1_020, 8_191, 8_192, 70_000, -1, -64, -65, -70_000]) {
    const code = [set(0, constant(value)), [constant(0), 0x20, 0, 0x36, 2, 0]]
    const made = assemble([{ name: 'keep', parameters: 1, locals: 0, code }], 4)
    made!.run.keep!(0)
    expect(new DataView(made!.memory.buffer).getInt32(0, true)).toBe(value)
  }
  expect(assemble([], 2 ** 40)).toBeNull()
})
