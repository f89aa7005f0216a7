import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import {
  activeRecords,
  blockExpiry,
  decodeRecords,
  encodeRecords,
  fixRecord,
  RECORD_FLAG,
  RECORD_TYPE,
  type ResourceRecord,
} from '../../src/gns/record.ts'
import { delegationRecord, txtRecord } from '../../src/gns/record-data.ts'
import { checkedSet, RDATA_SIZE_MAX } from '../../src/gns/record-set.ts'
import { WireError } from '../../src/wire/layout.ts'

const anyRecord: fc.Arbitrary<ResourceRecord> = fc.record({
  type: fc.integer({ min: 1, max: 0xffff_ffff }),
  flags: fc.integer({ min: 0, max: 0xffff }),
  data: fc.uint8Array({ maxLength: 80 }),
  expiresAt: fc.oneof(fc.integer({ min: 0, max: 4e12 }), fc.constant(Infinity)),
})

const record = (expiresAt: number, flags = 0, type: number = RECORD_TYPE.A): ResourceRecord => ({
  type,
  flags,
  data: Uint8Array.of(expiresAt & 0xff, flags),
  expiresAt,
})

describe('a record set', () => {
  test('comes back from its bytes, and takes a power of two unless a delegation is first', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 8 }), records => {
        const bytes = encodeRecords(records)
        expect(decodeRecords(bytes)).toEqual(records)
        const [first] = records
        const isDelegation = first?.type === RECORD_TYPE.PKEY || first?.type === RECORD_TYPE.EDKEY
        if (first && !isDelegation) expect(Math.log2(bytes.length) % 1).toBe(0)
      }),
    )
  })

  test('with a delegation first is not padded', () => {
    const { zone } = ZoneSecret.fromBytes('EDKEY', new Uint8Array(32).fill(3))
    const bytes = encodeRecords([fixRecord(delegationRecord(zone, { atMs: 1_000 }), 0)])
    expect(bytes).toHaveLength(16 + 32)
  })

  test('keeps records of types nobody knows, with all their flags', () => {
    const strange = { type: 4_000_000_000, flags: 0xfff8, data: Uint8Array.of(1), expiresAt: 1 }
    expect(decodeRecords(encodeRecords([strange]))).toEqual([strange])
  })

  test('of noise is a set or a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        try {
          decodeRecords(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('that was cut anywhere inside a record is refused', () => {
    const bytes = encodeRecords([{ type: 16, flags: 0, data: new Uint8Array(40), expiresAt: 9 }])
    for (let size = 16; size < 56; size++)
      expect(() => decodeRecords(bytes.subarray(0, size))).toThrow(WireError)
  })

  test('that lasts for ever, or for longer than can be written, lasts for ever', () => {
    for (const expiresAt of [Infinity, 2 ** 63, 1.8446744073709552e16])
      expect(decodeRecords(encodeRecords([record(expiresAt)]))[0]?.expiresAt).toBe(Infinity)
  })
})

describe('what holds at a time', () => {
  test('is what has not expired', () => {
    const [early, late] = [record(10), record(20)]
    expect(activeRecords([early, late], 9)).toEqual([early, late])
    expect(activeRecords([early, late], 10)).toEqual([late])
    expect(activeRecords([early, late], 20)).toEqual([])
  })

  test('is a shadow record only once the others of its type have expired', () => {
    const open = record(10)
    const shadow = record(30, RECORD_FLAG.shadow)
    const other = record(30, 0, RECORD_TYPE.TXT)
    expect(activeRecords([open, shadow, other], 9)).toEqual([open, other])
    expect(activeRecords([open, shadow, other], 10)).toEqual([shadow, other])
    expect(activeRecords([shadow], 5)).toEqual([shadow])
  })
})

describe('a block expires', () => {
  test('with the first of its records', () => {
    expect(blockExpiry([record(30), record(20), record(40)], 0)).toBe(20)
  })

  test('later where a shadow record of the same type takes over', () => {
    const shadow = record(50, RECORD_FLAG.shadow)
    expect(blockExpiry([record(10), shadow, record(40, 0, RECORD_TYPE.TXT)], 0)).toBe(40)
    expect(blockExpiry([record(10), shadow], 0)).toBe(50)
    expect(blockExpiry([record(10, 0, RECORD_TYPE.TXT), shadow], 0)).toBe(10)
    expect(blockExpiry([record(90), record(10, RECORD_FLAG.shadow)], 0)).toBe(90)
  })

  test('not with a record that is about to end anyway', () => {
    expect(blockExpiry([record(10), record(40)], 20)).toBe(40)
    expect(blockExpiry([record(10), record(15)], 20)).toBe(15)
  })
})

describe('the records of a label', () => {
  const { zone } = ZoneSecret.fromBytes('PKEY', new Uint8Array(32).fill(5))
  const lead = delegationRecord(zone, { afterMs: 1_000 })
  const text = txtRecord('x', { afterMs: 1_000 })
  const redirect = { ...text, type: RECORD_TYPE.REDIRECT }
  const dns = { ...text, type: RECORD_TYPE.GNS2DNS }
  const code = (label: string, records: Parameters<typeof checkedSet>[1]) => {
    try {
      checkedSet(label, records)
      return 'accepted'
    } catch (error) {
      return (error as BoxError).code
    }
  }

  test('that lead elsewhere stand alone, but for supplemental and shadow records', () => {
    const shadow = { ...lead, flags: RECORD_FLAG.shadow }
    const supplement = { ...text, flags: RECORD_FLAG.supplemental }
    expect(code('a', [lead, shadow, supplement])).toBe('accepted')
    expect(code('a', [dns, dns])).toBe('accepted')
    for (const set of [
      [lead, text],
      [lead, lead],
      [redirect, lead],
      [text, redirect],
      [dns, text],
    ])
      expect(code('a', set)).toBe('INPUT_INVALID')
  })

  test('do not lead elsewhere at the apex', () => {
    for (const bad of [lead, redirect, dns]) expect(code('@', [bad])).toBe('INPUT_INVALID')
    expect(code('@', [text])).toBe('accepted')
  })

  test('that resolvers must understand are marked critical', () => {
    for (const one of [{ ...lead, flags: 0 }, redirect, dns])
      expect(checkedSet('a', [one])[0]?.flags).toBe(RECORD_FLAG.critical)
    expect(checkedSet('a', [text])[0]?.flags).toBe(0)
  })

  test('have a key to delegate to, a time to last, and fit a block', () => {
    expect(code('a', [{ ...lead, data: new Uint8Array(31) }])).toBe('INPUT_INVALID')
    expect(code('a', [{ ...text, expiry: { afterMs: 0 } }])).toBe('INPUT_INVALID')
    expect(code('a', [{ ...text, expiry: { atMs: Number.NaN } }])).toBe('INPUT_INVALID')
    const fits = { ...text, data: new Uint8Array(RDATA_SIZE_MAX - 16) }
    expect(code('a', [fits])).toBe('accepted')
    expect(code('a', [{ ...text, data: new Uint8Array(RDATA_SIZE_MAX - 15) }])).toBe(
      'INPUT_INVALID',
    )
    expect(code('a', [fits, text])).toBe('INPUT_INVALID')
  })

  test('are refused with a BoxError, never another', () => {
    expect(() => checkedSet('a', [lead, text])).toThrow(BoxError)
  })
})
