import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import {
  formatPairingCode,
  makePairingCode,
  type PairingCode,
  pairingCodeForQr,
  parsePairingCode,
} from '../../src/box/pairing-code.ts'
import { ZoneSecret, zoneKeyOf } from '../../src/crypto/zone-key.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(1)
const { zone } = ZoneSecret.generate('EDKEY', random)
const plain = makePairingCode(zone, [], random)
const withHubs = makePairingCode(zone, ['gnunet://hello/ABC/1?tcp=192.0.2.1:2086', 'x'], random)

const anyCode: fc.Arbitrary<PairingCode> = fc.record({
  device: fc
    .tuple(
      fc.constantFrom('PKEY' as const, 'EDKEY' as const),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    )
    .map(([type, key]) => zoneKeyOf(type, key)),
  secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  hubs: fc.array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc
        .tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.string({ maxLength: 60 }))
        .map(([peer, rest]) => `gnunet://hello/${encodeBase32(peer)}${rest}`),
    ),
    { maxLength: 2 },
  ),
})

/** What is wrong with a text, in the decoder's words. */
function complaint(text: string): string {
  try {
    parsePairingCode(text)
  } catch (error) {
    expect(error).toBeInstanceOf(BoxError)
    expect((error as BoxError).code).toBe('CODE_INVALID')
    return (error as BoxError).message
  }
  return 'none'
}

describe('a pairing code', () => {
  test('comes back as it was, from text and from QR code', () => {
    fc.assert(
      fc.property(anyCode, code => {
        expect(parsePairingCode(formatPairingCode(code))).toEqual(code)
        expect(parsePairingCode(pairingCodeForQr(code))).toEqual(code)
      }),
    )
  })

  test('is the same however people type it', () => {
    const text = formatPairingCode(plain)
    expect(parsePairingCode(text.toLowerCase().replaceAll('-', ' '))).toEqual(plain)
    expect(parsePairingCode(`  box:${text.replaceAll('-', '\n')} `)).toEqual(plain)
    const lookalikes = text.replaceAll('0', 'O').replaceAll('1', 'l').replaceAll('V', 'u')
    expect(parsePairingCode(lookalikes)).toEqual(plain)
  })

  test('is short without hubs, and in groups of five', () => {
    expect(formatPairingCode(plain)).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){17}[0-9A-HJKMNP-TV-Z]{3}$/)
  })

  test('is not long with a hub, of whose URL it keeps the peer as bytes', () => {
    const hub = `gnunet://hello/${encodeBase32(random.bytes(32))}+20301231235959+tcp+tcp.0.192.0.2.1:2086`
    const code = makePairingCode(zone, [hub], random)
    expect(parsePairingCode(formatPairingCode(code)).hubs).toEqual([hub])
    expect(pairingCodeForQr(code).length).toBeLessThan(220)
  })

  test('keeps a peer that is not written as we would as it is', () => {
    const hub = `gnunet://hello/${'O'.repeat(52)}`
    const code = makePairingCode(zone, [hub, hub.toLowerCase()], random)
    expect(parsePairingCode(formatPairingCode(code)).hubs).toEqual([hub, hub.toLowerCase()])
  })

  test('uses only what QR codes carry in their densest text mode', () => {
    expect(pairingCodeForQr(withHubs)).toMatch(/^[0-9A-Z $%*+\-./:]+$/)
  })

  test('is never twice the same', () => {
    expect(makePairingCode(zone, [], random).secret).not.toEqual(plain.secret)
  })

  test('leaves out hubs that do not fit', () => {
    const code = makePairingCode(zone, ['x'.repeat(256), 'a', 'b', 'c'], random)
    expect(code.hubs).toEqual(['a', 'b'])
  })
})

describe('a pairing code that is wrong is refused', () => {
  const text = formatPairingCode(plain)

  test('with the place of a character that is in no code', () => {
    expect(complaint(`${text.slice(0, 7)}*${text.slice(8)}`)).toContain('Character 8 ("*")')
  })

  test('for its length', () => {
    expect(complaint('')).toContain('too short')
    expect(complaint(text.slice(0, -6))).toContain('too short')
    expect(complaint(`${text}ABC`)).toMatch(/characters|checksum/)
    expect(complaint('A'.repeat(10_000))).toContain('too long')
  })

  test('for any one character mistyped', () => {
    const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
    const letters = pairingCodeForQr(withHubs).slice(4)
    for (let at = 0; at < letters.length; at++) {
      const other = digits[(digits.indexOf(letters[at]!) + 1) % 32]
      const typed = letters.slice(0, at) + other + letters.slice(at + 1)
      expect(complaint(typed)).toMatch(/checksum|last character/)
    }
  })

  test('for two neighbours exchanged', () => {
    const letters = pairingCodeForQr(plain).slice(4)
    for (let at = 0; at + 1 < letters.length; at++) {
      const [a, b] = [letters[at]!, letters[at + 1]!]
      if (a === b) continue
      const typed = letters.slice(0, at) + b + a + letters.slice(at + 2)
      expect(complaint(typed)).toMatch(/checksum|last character/)
    }
  })

  test('whatever it is: a code or CODE_INVALID, never another error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.base64String({ minLength: 88, maxLength: 120 }),
        ),
        noise => {
          expect(complaint(noise)).not.toBe('none')
        },
      ),
      { numRuns: 500 },
    )
  })
})
