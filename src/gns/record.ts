/**
 * Resource records and record sets: bytes <-> values, expiry, flags (RFC 9498 section 5;
 * gnsrecord_serialization.c). What a type's data means is in record-data.ts.
 */

import { struct } from '../wire/fields.ts'
import { Cursor, counted, lengthOf, u16, u32, u64 } from '../wire/layout.ts'
import { NEVER, toMicros, toMs } from '../wire/time.ts'

/** Numbers of record types (GANA, IANA). */
export const RECORD_TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  SSHFP: 44,
  PKEY: 65_536,
  NICK: 65_537,
  LEHO: 65_538,
  VPN: 65_539,
  GNS2DNS: 65_540,
  BOX: 65_541,
  PLACE: 65_542,
  REDIRECT: 65_551,
  EDKEY: 65_556,
} as const

/** Bits of `flags`. The first three travel (RFC 9498 section 5); the last is our own zone's bookkeeping. */
export const RECORD_FLAG = { critical: 1, shadow: 2, supplemental: 4, private: 0x8000 } as const

/** What every record has, however long it lasts. */
export interface RecordData {
  readonly type: number
  readonly data: Uint8Array
  /** Bits of RECORD_FLAG. */
  readonly flags: number
}

/** A record as a block carries it. */
export interface ResourceRecord extends RecordData {
  /** Milliseconds since 1970; Infinity for never. */
  readonly expiresAt: number
}

/** How long a record lasts: so long after each publication, or until a fixed time (ms since 1970). */
export type Expiry = { readonly afterMs: number } | { readonly atMs: number }

/** A record as its owner keeps it. */
export interface ZoneRecord extends RecordData {
  readonly expiry: Expiry
}

const layout = struct('record', {
  expiry: u64,
  size: lengthOf('data', u16),
  flags: u16,
  type: u32,
  data: counted('size'),
})
/** What comes before the data. */
const HEADER_SIZE = 16

export const isDelegation = ({ type }: { readonly type: number }): boolean =>
  type === RECORD_TYPE.PKEY || type === RECORD_TYPE.EDKEY
export const isShadow = ({ flags }: RecordData): boolean => (flags & RECORD_FLAG.shadow) !== 0
export const isSupplemental = ({ flags }: RecordData): boolean =>
  (flags & RECORD_FLAG.supplemental) !== 0
export const isPrivate = ({ flags }: RecordData): boolean => (flags & RECORD_FLAG.private) !== 0

/** The record as it is published at `now`. */
export function fixRecord(record: ZoneRecord, now: number): ResourceRecord {
  const { type, data, expiry } = record
  const flags = record.flags & ~RECORD_FLAG.private
  const expiresAt = 'atMs' in expiry ? expiry.atMs : now + expiry.afterMs
  return { type, data, flags, expiresAt }
}

/** Wire form of a record set, padded to a power of two unless it begins with a delegation. Throws WireError. */
export function encodeRecords(records: readonly ResourceRecord[]): Uint8Array {
  const to = new Cursor(new Uint8Array(rdataSize(records)))
  for (const { type, data, flags, expiresAt } of records)
    layout.put(to, { expiry: expiryMicros(expiresAt), flags, type, data }, {})
  return to.bytes
}

/** Octets of the wire form, padding included. */
export function rdataSize(records: readonly RecordData[]): number {
  let size = 0
  for (const { data } of records) size += HEADER_SIZE + data.length
  const [first] = records
  if (!first || isDelegation(first)) return size
  return 2 ** Math.ceil(Math.log2(size))
}

/** The records of a set; their data are views. Throws WireError. */
export function decodeRecords(rdata: Uint8Array): readonly ResourceRecord[] {
  const from = new Cursor(rdata)
  const records: ResourceRecord[] = []
  while (from.end - from.at >= HEADER_SIZE) {
    const { expiry, flags, type, data } = layout.get(from, {})
    // A header of zeros: the padding has begun.
    if (expiry === 0n && type === 0 && flags === 0 && data.length === 0) break
    records.push({ type, flags, data, expiresAt: toMs(expiry) })
  }
  return records
}

/** The time as the wire has it: what is too far away to be written down is never. */
export function expiryMicros(ms: number): bigint {
  const micros = toMicros(ms)
  return micros > NEVER ? NEVER : micros
}

/** Those that hold at `now`: not expired, and shadow records only where no other of their type is left. */
export function activeRecords(
  records: readonly ResourceRecord[],
  now: number,
): readonly ResourceRecord[] {
  const alive = records.filter(({ expiresAt }) => expiresAt > now)
  const open = new Set(alive.filter(record => !isShadow(record)).map(({ type }) => type))
  return alive.filter(record => !isShadow(record) || !open.has(record.type))
}

/**
 * When a block of these records should expire (RFC 9498 section 6): with the first of them, where
 * a shadow record of the same type stands in for one that ends earlier. Records that end before
 * `soon` do not end the others' block, since they carry their own expiry; where all do, the last counts.
 */
export function blockExpiry(records: readonly ResourceRecord[], soon: number): number {
  const shadows = new Map<number, number>()
  for (const { type, expiresAt } of records.filter(isShadow))
    shadows.set(type, Math.max(expiresAt, shadows.get(type) ?? 0))
  const open = records.filter(record => !isShadow(record))
  const ends = open.map(({ type, expiresAt }) => Math.max(expiresAt, shadows.get(type) ?? 0))
  for (const [type, end] of shadows) if (!open.some(record => record.type === type)) ends.push(end)
  const later = ends.filter(end => end > soon)
  return later.length > 0 ? Math.min(...later) : Math.max(...ends)
}
