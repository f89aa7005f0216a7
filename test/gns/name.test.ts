import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import {
  formatName,
  LABEL_SIZE_MAX,
  normaliseLabel,
  parseName,
  zoneFromText,
  zoneToText,
} from '../../src/gns/name.ts'

const seed = (n: number) => new Uint8Array(32).fill(n)
const anyZone: fc.Arbitrary<ZoneKey> = fc
  .tuple(fc.constantFrom('EDKEY' as const, 'PKEY' as const), fc.integer({ min: 1, max: 255 }))
  .map(([type, n]) => ZoneSecret.fromBytes(type, seed(n)).zone)
const zone = ZoneSecret.fromBytes('EDKEY', seed(17)).zone

describe('a label', () => {
  test('is brought into one form: NFC, lower case', () => {
    expect(normaliseLabel('Kitchen')).toBe('kitchen')
    expect(normaliseLabel('KU\u0308CHE')).toBe('k\u00fcche')
    expect(normaliseLabel('天下無敵')).toBe('天下無敵')
    expect(normaliseLabel('@')).toBe('@')
    expect(normaliseLabel('_ssh')).toBe('_ssh')
  })

  test.for([
    '',
    'a.b',
    'a b',
    'a\n',
    '\u0000',
    'a\u001b[31m',
    '\ud800',
    '+',
    'x'.repeat(64),
    'ü'.repeat(32),
  ])('is refused where nobody could mean it: %j', text => {
    expect(() => normaliseLabel(text)).toThrow(BoxError)
  })

  test('normalised twice is the same, and never too long', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        let label: string
        try {
          label = normaliseLabel(text)
        } catch (error) {
          expect((error as BoxError).code).toBe('NAME_INVALID')
          return
        }
        expect(normaliseLabel(label)).toBe(label)
        expect(Buffer.byteLength(label)).toBeLessThanOrEqual(LABEL_SIZE_MAX)
      }),
    )
  })
})

describe('a name', () => {
  test('is taken apart at its dots', () => {
    expect(parseName('Kitchen.home')).toEqual({ labels: ['kitchen', 'home'], zone: null })
    expect(parseName('home')).toEqual({ labels: ['home'], zone: null })
  })

  test('may end in a zone key, in either case', () => {
    const text = zoneToText(zone)
    expect(parseName(`a.b.${text}`)).toEqual({ labels: ['a', 'b'], zone })
    expect(parseName(`a.b.${text.toLowerCase()}`)).toEqual({ labels: ['a', 'b'], zone })
    expect(parseName(text)).toEqual({ labels: [], zone })
  })

  test('with "@" at its left is the apex of what follows', () => {
    expect(parseName('@.home')).toEqual({ labels: ['home'], zone: null })
    expect(parseName(`@.${zoneToText(zone)}`)).toEqual({ labels: [], zone })
  })

  test.for(['', '.', 'a..b', '.a', 'a.', '@', 'a.@', 'a.@.b', 'a.+', `${'x.'.repeat(130)}y`])(
    '%j is none',
    text => {
      expect(() => parseName(text)).toThrow(BoxError)
    },
  )

  test('comes back from its text', () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/)
    const name = fc
      .tuple(fc.array(label, { maxLength: 5 }), fc.option(anyZone))
      .filter(([labels, end]) => labels.length > 0 || end !== null)
      .map(([labels, end]) => ({ labels, zone: end }))
    fc.assert(
      fc.property(name, value => {
        expect(parseName(formatName(value))).toEqual(value)
      }),
    )
  })

  test('of any text at all is a name or NAME_INVALID', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), text => {
        try {
          const name = parseName(text)
          expect(parseName(formatName(name))).toEqual(name)
        } catch (error) {
          expect((error as BoxError).code).toBe('NAME_INVALID')
        }
      }),
    )
  })
})

describe('a zone as text', () => {
  test('has 58 characters and comes back', () => {
    fc.assert(
      fc.property(anyZone, key => {
        const text = zoneToText(key)
        expect(text).toHaveLength(58)
        expect(zoneFromText(text)).toEqual(key)
        expect(zoneFromText(text.toLowerCase())).toEqual(key)
      }),
      { numRuns: 20 },
    )
  })

  test('is refused with a character too few, of another kind, or of an unknown type', () => {
    const text = zoneToText(zone)
    for (const bad of [text.slice(1), `${text}0`, `!${text.slice(1)}`, `0${text.slice(0, -1)}`, ''])
      expect(() => zoneFromText(bad)).toThrow(BoxError)
  })
})
