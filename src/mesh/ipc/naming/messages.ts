/**
 * What clients and the naming services of GNUnet say to each other: IDENTITY, NAMESTORE and GNS (identity.h,
 * namestore.h, gns.h, GNUnet 0.19.3 to 0.27.0). A key is its type (65536 PKEY, 65556 EDKEY) and 32 bytes.
 */

import { struct, textNul } from '../../../wire/fields.ts'
import {
  counted,
  lengthOf,
  list,
  message,
  rest,
  u16,
  u32,
  u64,
  zero,
} from '../../../wire/layout.ts'

// IDENTITY

/** All egos, then each that changes. */
export const IdentityStart = message('IPC_IDENTITY_START', 624, {})
/** The code of gnunet_error_codes.h; 0 is well. */
export const IdentityResult = message('IPC_IDENTITY_RESULT', 625, { code: u32 })
/** An ego; without a name: it is gone. With `isEnd`, nothing but that those there are were told. */
export const IdentityUpdate = message('IPC_IDENTITY_UPDATE', 626, {
  nameSize: lengthOf('name', u16),
  isEnd: u16,
  keySize: lengthOf('key', u16),
  reserved: zero(u16),
  name: counted('nameSize'),
  key: counted('keySize'),
})
/** The client makes the key. */
export const IdentityCreate = message('IPC_IDENTITY_CREATE', 629, {
  nameSize: lengthOf('name', u16),
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
  name: counted('nameSize'),
})
/** Answered by an update, or by a result that says no. */
export const IdentityLookup = message('IPC_IDENTITY_LOOKUP', 632, { name: textNul })

// NAMESTORE

/** The records of a label, which replace those that are there; none: the label is removed. */
export const RecordSet = struct('IPC_NAMESTORE_RECORD_SET', {
  labelSize: lengthOf('label', u16),
  recordsSize: lengthOf('records', u16),
  recordCount: u16,
  reserved: zero(u16),
  label: counted('labelSize'),
  records: counted('recordsSize'),
})
/** Up to GNUnet 0.21. */
export const NamestoreStore = message('IPC_NAMESTORE_STORE', 435, {
  request: u32,
  setCount: lengthOf('sets', u16),
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
  sets: list(RecordSet, 'setCount'),
})
/** The same since GNUnet 0.22. */
export const NamestoreStoreSingle = message('IPC_NAMESTORE_STORE_0_22', 435, {
  request: u32,
  reserved: zero(u16),
  isSingle: u16,
  setCount: lengthOf('sets', u16),
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
  sets: list(RecordSet, 'setCount'),
})
export const NamestoreStored = message('IPC_NAMESTORE_STORED', 436, { request: u32, code: u32 })
export const NamestoreLookup = message('IPC_NAMESTORE_LOOKUP', 437, {
  request: u32,
  labelSize: lengthOf('label', u16),
  isEdit: zero(u16),
  filter: u16,
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
  label: counted('labelSize'),
})
export const NamestoreLookupResult = message('IPC_NAMESTORE_LOOKUP_RESULT', 438, {
  request: u32,
  labelSize: lengthOf('label', u16),
  recordsSize: lengthOf('records', u16),
  recordCount: u16,
  found: u16,
  reserved: zero(u16),
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
  label: counted('labelSize'),
  records: counted('recordsSize'),
})
/** All labels of a zone; without a key: of all zones. */
export const NamestoreIterate = message('IPC_NAMESTORE_ITERATE', 445, {
  request: u32,
  filter: u16,
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
})
/** A label of an iteration, or one that a monitor is told of. */
export const NamestoreRecords = message('IPC_NAMESTORE_RECORDS', 443, {
  request: u32,
  expiry: u64,
  labelSize: lengthOf('label', u16),
  recordsSize: lengthOf('records', u16),
  recordCount: u16,
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
  label: counted('labelSize'),
  records: counted('recordsSize'),
})
export const NamestoreNext = message('IPC_NAMESTORE_NEXT', 447, { request: u32, limit: u64 })
export const NamestoreEnd = message('IPC_NAMESTORE_END', 449, { request: u32 })
export const NamestoreMonitor = message('IPC_NAMESTORE_MONITOR', 441, {
  iterateFirst: u32,
  filter: u16,
  keySize: lengthOf('key', u16),
  key: counted('keySize'),
})
/** What there was has been told; from now on each change is. */
export const NamestoreMonitorSync = message('IPC_NAMESTORE_MONITOR_SYNC', 442, {})
export const NamestoreMonitorNext = message('IPC_NAMESTORE_MONITOR_NEXT', 444, {
  reserved: zero(u32),
  limit: u64,
})

// GNS

/** A name relative to a zone; `@` is the zone itself. */
export const GnsLookup = message('IPC_GNS_LOOKUP', 500, {
  request: u32,
  options: u16,
  depth: u16,
  recordType: u32,
  keySize: lengthOf('zone', u32),
  zone: counted('keySize'),
  name: textNul,
})
export const GnsResult = message('IPC_GNS_RESULT', 501, {
  request: u32,
  recordCount: u32,
  records: rest,
})
