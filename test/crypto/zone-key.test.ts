import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat } from '../../src/base/bytes.ts'
import { zoneKey } from '../../src/base/ids.ts'
import { blindScalar, labelFactor } from '../../src/crypto/blinding.ts'
import { purposeBytes } from '../../src/crypto/purposes.ts'
import {
  decryptRecords,
  deriveLabelKey,
  encryptRecords,
  signBlock,
  verifyBlock,
  verifyZoneSignature,
  ZoneSecret,
  type ZoneType,
  zoneKeyOf,
  zonePublicKey,
  zoneType,
} from '../../src/crypto/zone-key.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { seededRandom } from '../sim/random.ts'
import { hex, readVectors, toHex, utf8 } from '../vectors.ts'

const GNS_RECORD_SIGN = 15
const rfc = readVectors('rfc9498').cases
const gns = readVectors('gns-blocks')
const TYPES: ZoneType[] = ['PKEY', 'EDKEY']
const secretOf = (type: ZoneType) => ZoneSecret.generate(type, seededRandom(7))

/** The fields of a block (RFC 9498 section 5.3) and the bytes its signature covers. */
function parseBlock(block: string) {
  const bytes = hex(block)
  return {
    derived: bytes.subarray(8, 40),
    signature: bytes.subarray(40, 104),
    expiry: new DataView(bytes.buffer).getBigUint64(104),
    cipher: bytes.subarray(112),
    signed: purposeBytes(GNS_RECORD_SIGN, bytes.subarray(104)),
  }
}

/** The RFC prints PKEY scalars most significant byte first; GNUnet keeps them the other way round. */
function rfcSecret(vector: { zone_private_key: string; zone_identifier: string }) {
  const type = zoneType(hex(vector.zone_identifier))!
  const bytes = hex(vector.zone_private_key)
  return ZoneSecret.fromBytes(type, type === 'PKEY' ? bytes.reverse() : bytes)
}

test('the four cases of RFC 9498 are here', () => expect(rfc).toHaveLength(4))

// biome-ignore lint/suspicious/noExplicitAny: the shape of the vector file
test.for<any>(rfc)('RFC 9498 appendix D: $ztld, label $label', vector => {
  const secret = rfcSecret(vector)
  expect(toHex(secret.zone)).toBe(vector.zone_identifier)
  expect(encodeBase32(secret.zone)).toBe(vector.ztld)
  expect(toHex(decodeBase32(vector.ztld, 36))).toBe(vector.zone_identifier)

  const { publicKey, query } = deriveLabelKey(secret.zone, vector.label)
  expect(toHex(publicKey)).toBe(vector.derived_public)
  expect(toHex(query)).toBe(vector.storage_key)

  const block = parseBlock(vector.rrblock)
  expect(toHex(block.derived)).toBe(vector.derived_public)
  expect(verifyBlock(secret.type, block.derived, block.signed, block.signature)).toBe(true)
  expect(toHex(decryptRecords(secret.zone, vector.label, block.expiry, block.cipher))).toBe(
    vector.rdata,
  )
  const cipher = encryptRecords(secret.zone, vector.label, block.expiry, hex(vector.rdata))
  expect(toHex(cipher)).toBe(toHex(block.cipher))
  expect(toHex(cipher)).toBe(vector.bdata)
  expect(toHex(signBlock(secret, vector.label, block.signed))).toBe(toHex(block.signature))
})

test.for(TYPES)('real GNUnet block: %s', type => {
  const vector = gns[type]
  const secret = ZoneSecret.fromBytes(type, hex(vector.seed ?? vector.d_le))
  expect(toHex(zonePublicKey(secret.zone))).toBe(vector.zone_pub)
  expect(encodeBase32(secret.zone)).toBe(vector.zTLD)
  expect(toHex(labelFactor(zonePublicKey(secret.zone), gns.label))).toBe(vector.h)
  const { publicKey, query } = deriveLabelKey(secret.zone, gns.label)
  expect(toHex(publicKey)).toBe(vector.derived_pub)
  expect(toHex(query)).toBe(vector.query)

  const block = parseBlock(vector.block ?? vector.block_example)
  expect(verifyBlock(type, block.derived, block.signed, block.signature)).toBe(true)
  expect(toHex(decryptRecords(secret.zone, gns.label, block.expiry, block.cipher))).toBe(
    gns.records_plain,
  )
})

test('the EDKEY signature is the very one GNUnet makes', () => {
  const block = parseBlock(gns.EDKEY.block)
  const secret = ZoneSecret.fromBytes('EDKEY', hex(gns.EDKEY.seed))
  expect(toHex(signBlock(secret, gns.label, block.signed))).toBe(toHex(block.signature))
})

test('the scalar of a label derives the public key of the label', () => {
  const vector = rfc[0]
  const secret = rfcSecret(vector)
  const factor = labelFactor(zonePublicKey(secret.zone), vector.label)
  const scalar = blindScalar(BigInt(`0x${vector.zone_private_key}`), factor)
  expect(scalar.toString(16).padStart(64, '0')).toBe(vector.derived_private)
})

test.for(TYPES)('%s: a signature is for one zone, one purpose and one body', type => {
  const secret = secretOf(type)
  const other = ZoneSecret.generate(type, seededRandom(8))
  const signature = secret.sign(1, utf8('body'))
  expect(signature).toHaveLength(64)
  expect(verifyZoneSignature(secret.zone, 1, utf8('body'), signature)).toBe(true)
  expect(verifyZoneSignature(secret.zone, 2, utf8('body'), signature)).toBe(false)
  expect(verifyZoneSignature(secret.zone, 1, utf8('soul'), signature)).toBe(false)
  expect(verifyZoneSignature(other.zone, 1, utf8('body'), signature)).toBe(false)
})

test.for(TYPES)('%s: a block changed in one bit does not verify', type => {
  const secret = secretOf(type)
  const signed = purposeBytes(GNS_RECORD_SIGN, utf8('records'))
  const { publicKey } = deriveLabelKey(secret.zone, 'www')
  const signature = signBlock(secret, 'www', signed)
  expect(verifyBlock(type, publicKey, signed, signature)).toBe(true)
  const all = concat(publicKey, signature, signed)
  fc.assert(
    fc.property(fc.nat(all.length - 1), fc.nat(7), (at, bit) => {
      const changed = all.slice()
      changed[at]! ^= 1 << bit
      const parts = [changed.subarray(0, 32), changed.subarray(96), changed.subarray(32, 96)]
      expect(verifyBlock(type, parts[0]!, parts[1]!, parts[2]!)).toBe(false)
    }),
    { numRuns: 25 },
  )
})

test.for(TYPES)('%s: records open only under their name and expiry', type => {
  const { zone } = secretOf(type)
  const plain = utf8('records')
  const cipher = encryptRecords(zone, 'www', 5n, plain)
  expect(decryptRecords(zone, 'www', 5n, cipher)).toEqual(plain)
  if (type === 'PKEY') return expect(decryptRecords(zone, 'ftp', 5n, cipher)).not.toEqual(plain)
  const wrong = { code: 'WIRE_MALFORMED' }
  expect(() => decryptRecords(zone, 'ftp', 5n, cipher)).toThrow(expect.objectContaining(wrong))
  expect(() => decryptRecords(zone, 'www', 6n, cipher)).toThrow(expect.objectContaining(wrong))
  const short = cipher.subarray(0, 15)
  expect(() => decryptRecords(zone, 'www', 5n, short)).toThrow(expect.objectContaining(wrong))
})

test.for(TYPES)('%s: any bytes in the place of key and signature give false', type => {
  const bytes = fc.uint8Array({ maxLength: 80 })
  const key = fc.oneof(bytes, fc.uint8Array({ minLength: 32, maxLength: 32 }))
  const signature = fc.oneof(bytes, fc.uint8Array({ minLength: 64, maxLength: 64 }))
  fc.assert(
    fc.property(key, bytes, signature, (...given) => {
      expect(verifyBlock(type, ...given)).toBe(false)
    }),
    { numRuns: 50 },
  )
})

test('a key that is no point derives nothing', () => {
  const zone = zoneKeyOf('EDKEY', hex(`02${'00'.repeat(31)}`))
  const invalid = expect.objectContaining({ code: 'INPUT_INVALID' })
  expect(() => deriveLabelKey(zone, 'www')).toThrow(invalid)
  expect(() => deriveLabelKey(zoneKey(new Uint8Array(36)), 'www')).toThrow(invalid)
  expect(verifyZoneSignature(zoneKey(new Uint8Array(36)), 1, utf8(''), new Uint8Array(64))).toBe(
    false,
  )
})

test('a secret of the wrong size, or of zero, is refused', () => {
  const unreadable = expect.objectContaining({ code: 'KEY_UNREADABLE' })
  expect(() => ZoneSecret.fromBytes('EDKEY', new Uint8Array(31))).toThrow(unreadable)
  expect(() => ZoneSecret.fromBytes('PKEY', new Uint8Array(32))).toThrow(unreadable)
})
