import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { deriveLabelKey, ZoneSecret, zonePublicKey } from '../../src/crypto/zone-key.ts'
import { blockQuery, makeBlock, openBlock } from '../../src/gns/block.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { decodeRecords, encodeRecords, type ResourceRecord } from '../../src/gns/record.ts'
import { WireError } from '../../src/wire/layout.ts'
import { toMs } from '../../src/wire/time.ts'

const vectors = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../vectors', name), 'utf8'))
const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

interface RfcRecord {
  readonly expiration: string
  readonly size: string
  readonly type: string
  readonly flags: string
  readonly data: string
}
interface RfcCase {
  readonly zone_private_key: string
  readonly zone_identifier: string
  readonly ztld: string
  readonly label: string
  readonly derived_public: string
  readonly storage_key: string
  readonly records: readonly RfcRecord[]
  readonly rdata: string
  readonly encryption: { readonly expire: string }
  readonly rrblock: string
}

const kindOf = (identifier: string) =>
  identifier.startsWith('00010000') ? ('PKEY' as const) : ('EDKEY' as const)

/** The RFC prints PKEY scalars with the most significant byte first, as libgcrypt does. */
const secretOf = (vector: RfcCase) => {
  const kind = kindOf(vector.zone_identifier)
  const bytes = hex(vector.zone_private_key)
  const secret = ZoneSecret.fromBytes(kind, bytes)
  const isReversed = toHex(secret.zone) !== vector.zone_identifier
  return isReversed ? ZoneSecret.fromBytes(kind, bytes.reverse()) : secret
}

const recordsOf = (vector: RfcCase): ResourceRecord[] =>
  vector.records.map(record => ({
    type: Number.parseInt(record.type, 16),
    flags: Number.parseInt(record.flags, 16),
    data: hex(record.data),
    expiresAt: toMs(BigInt(`0x${record.expiration}`)),
  }))

const rfc: readonly RfcCase[] = vectors('rfc9498.json').cases

describe.for(rfc.map(vector => [kindOf(vector.zone_identifier), vector.label, vector] as const))(
  'RFC 9498 appendix D, %s zone, label %s',
  ([, , vector]) => {
    const secret = secretOf(vector)
    const zone = zoneFromText(vector.ztld)
    const expiry = BigInt(`0x${vector.encryption.expire}`)

    test('the zone key and its text are those of the secret', () => {
      expect(toHex(zone)).toBe(vector.zone_identifier)
      expect(toHex(secret.zone)).toBe(vector.zone_identifier)
      expect(zoneToText(zone)).toBe(vector.ztld)
    })

    test('the record set has the bytes of the RFC, padding included', () => {
      expect(toHex(encodeRecords(recordsOf(vector)))).toBe(vector.rdata)
      expect(decodeRecords(hex(vector.rdata))).toEqual(recordsOf(vector))
    })

    test('the block lies where the RFC says, and opens', () => {
      expect(toHex(deriveLabelKey(zone, vector.label).publicKey)).toBe(vector.derived_public)
      expect(toHex(blockQuery(zone, vector.label))).toBe(vector.storage_key)
      const opened = openBlock(zone, vector.label, hex(vector.rrblock))
      expect(opened.expiry).toBe(expiry)
      expect(opened.records).toEqual(recordsOf(vector))
    })

    test('we make the same block, but for the signature of a PKEY, which has a choice', () => {
      const made = toHex(makeBlock(secret, vector.label, recordsOf(vector), expiry))
      const [before, after] = [2 * 40, 2 * 104]
      expect(made.slice(0, before)).toBe(vector.rrblock.slice(0, before))
      expect(made.slice(after)).toBe(vector.rrblock.slice(after))
      if (secret.type === 'EDKEY') expect(made).toBe(vector.rrblock)
      expect(openBlock(zone, vector.label, hex(made)).records).toEqual(recordsOf(vector))
    })
  },
)

describe('blocks of gns-blocks.json, taken from and accepted by GNUnet 0.19.3 and 0.27.0', () => {
  const vector = vectors('gns-blocks.json')
  const expiry = BigInt(vector.expiry)
  const plain = hex(vector.records_plain)

  test('an EDKEY block is made and opened', () => {
    const secret = ZoneSecret.fromBytes('EDKEY', hex(vector.EDKEY.seed))
    expect(toHex(zonePublicKey(secret.zone))).toBe(vector.EDKEY.zone_pub)
    expect(zoneToText(secret.zone)).toBe(vector.EDKEY.zTLD)
    expect(toHex(blockQuery(secret.zone, vector.label))).toBe(vector.EDKEY.query)
    const made = makeBlock(secret, vector.label, decodeRecords(plain), expiry)
    expect(toHex(made)).toBe(vector.EDKEY.block)
    expect(openBlock(secret.zone, vector.label, made).records).toEqual(decodeRecords(plain))
  })

  test('a PKEY block is opened, and ours has the same encrypted records', () => {
    const secret = ZoneSecret.fromBytes('PKEY', hex(vector.PKEY.d_le))
    expect(toHex(zonePublicKey(secret.zone))).toBe(vector.PKEY.zone_pub)
    expect(zoneToText(secret.zone)).toBe(vector.PKEY.zTLD)
    expect(toHex(blockQuery(secret.zone, vector.label))).toBe(vector.PKEY.query)
    const opened = openBlock(secret.zone, vector.label, hex(vector.PKEY.block_example))
    expect(opened.records).toEqual(decodeRecords(plain))
    const made = makeBlock(secret, vector.label, decodeRecords(plain), expiry)
    expect(toHex(made.subarray(112))).toBe(vector.PKEY.ciphertext)
  })
})

describe.for(['EDKEY', 'PKEY'] as const)('a block of a %s zone', kind => {
  const secret = ZoneSecret.fromBytes(kind, hex('11'.repeat(31) + (kind === 'PKEY' ? '51' : '11')))
  const records: ResourceRecord[] = [
    { type: 16, flags: 0, data: new TextEncoder().encode('hello'), expiresAt: 1_700_000_000_000 },
  ]
  const block = makeBlock(secret, 'test', records, 1_700_000_000_000_000n)
  const code = (run: () => unknown) => {
    try {
      run()
      return 'nothing'
    } catch (error) {
      if (error instanceof BoxError) return error.code
      if (error instanceof WireError) return `WireError ${error.field}`
      throw error
    }
  }

  test('is refused under another label and in another zone', () => {
    const other = ZoneSecret.fromBytes(kind, hex(`22${'11'.repeat(30)}51`))
    expect(code(() => openBlock(secret.zone, 'rest', block))).toBe('WireError key')
    expect(code(() => openBlock(other.zone, 'test', block))).toBe('WireError key')
  })

  test('is refused with any bit changed, and with any part missing', () => {
    fc.assert(
      fc.property(fc.nat(block.length * 8 - 1), bit => {
        const forged = block.slice()
        forged[bit >> 3]! ^= 1 << (bit & 7)
        const why = code(() => openBlock(secret.zone, 'test', forged))
        expect(why).toMatch(bit < 8 * 40 ? /^WireError/ : 'SIGNATURE_INVALID')
      }),
      { numRuns: 60 },
    )
    for (const size of [0, 8, 111, 112, block.length - 1])
      expect(code(() => openBlock(secret.zone, 'test', block.slice(0, size)))).toMatch(/^WireError/)
  })

  test('never gives anything but records or an expected error, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        expect(code(() => openBlock(secret.zone, 'test', bytes))).not.toBe('nothing')
      }),
    )
  })

  test('of the same records with a later expiry shares no encrypted byte run with it', () => {
    const later = makeBlock(secret, 'test', records, 1_700_000_000_000_001n)
    expect(equalBytes(later.subarray(112), block.subarray(112))).toBe(false)
  })
})
