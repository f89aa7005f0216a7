/**
 * Blocks: the records of one label, encrypted for those who know zone and label, signed by a key
 * derived from both, and found under its hash (RFC 9498 sections 5 and 6; block type 11 of the DHT).
 * Nothing that is opened here was believed before its signature held.
 */

import { concat, equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { HashCode, ZoneKey } from '../base/ids.ts'
import { PURPOSE, purposeBytes } from '../crypto/purposes.ts'
import {
  decryptRecords,
  deriveLabelKey,
  encryptRecords,
  type LabelKey,
  signBlock,
  verifyBlock,
  ZONE_TYPES,
  type ZoneSecret,
  zoneType,
} from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, u32, u64, WireError } from '../wire/layout.ts'
import { single } from './codec.ts'
import { decodeRecords, encodeRecords, type ResourceRecord } from './record.ts'

/** The DHT's block type GNS_NAMERECORD. */
export const BLOCK_TYPE = 11

const layout = struct('gns-block', {
  size: u32,
  type: u32,
  key: bytes(32),
  signature: bytes(64),
  expiry: u64,
  data: rest,
})
/** What comes before the encrypted data. */
const PREFIX_SIZE = 112
const time = single('time', u64)

/** A block that was opened. */
export interface Opened {
  /** Microseconds since 1970, exact: of two blocks of a label the one with the later expiry is newer. */
  readonly expiry: bigint
  readonly records: readonly ResourceRecord[]
}

/** Where in the DHT the records of a label lie. */
export const blockQuery = (zone: ZoneKey, label: string): HashCode =>
  deriveLabelKey(zone, label).query

/**
 * The block of a label. `expiry` (microseconds) must never come twice for other records of this label:
 * it is part of the nonce. `labelKey` spares deriving it again.
 */
export function makeBlock(
  secret: ZoneSecret,
  label: string,
  records: readonly ResourceRecord[],
  expiry: bigint,
  labelKey: LabelKey = deriveLabelKey(secret.zone, label),
): Uint8Array {
  const { zone, type } = secret
  const data = encryptRecords(zone, label, expiry, encodeRecords(records))
  return layout.encode({
    size: PREFIX_SIZE + data.length,
    type: ZONE_TYPES[type],
    key: labelKey.publicKey,
    signature: signBlock(secret, label, signedBytes(expiry, data)),
    expiry,
    data,
  })
}

/**
 * The records of a block that was found under the label's query. Throws WireError where it is no
 * block of this label, BoxError SIGNATURE_INVALID where it is not signed, WIRE_MALFORMED where it
 * cannot be decrypted. `labelKey` spares deriving it again.
 */
export function openBlock(
  zone: ZoneKey,
  label: string,
  raw: Uint8Array,
  labelKey: LabelKey = deriveLabelKey(zone, label),
): Opened {
  const { size, type, key, signature, expiry, data } = layout.decode(raw)
  const kind = zoneType(zone)
  if (size !== raw.length) throw new WireError('gns-block', 'size', 0, `is ${size}`)
  if (!kind || ZONE_TYPES[kind] !== type)
    throw new WireError('gns-block', 'type', 4, `${type} is not the zone's`)
  if (!equalBytes(key, labelKey.publicKey))
    throw new WireError('gns-block', 'key', 8, 'belongs to another label')
  if (!verifyBlock(kind, key, signedBytes(expiry, data), signature))
    throw new BoxError('SIGNATURE_INVALID')
  return { expiry, records: decodeRecords(decryptRecords(zone, label, expiry, data)) }
}

const signedBytes = (expiry: bigint, data: Uint8Array): Uint8Array =>
  purposeBytes(PURPOSE.GNS_RECORD_SIGN, concat(time.encode(expiry), data))
