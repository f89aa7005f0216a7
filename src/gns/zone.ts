/**
 * The zones of one's own: labels -> record sets, kept in a Store, each set replaced as a whole. Also
 * keeps the expiry of the last published block of each label, which must grow for ever (block.ts).
 * A set that cannot be read makes opening fail: an empty answer would be published as one.
 */

import { equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Store } from '../base/store.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { constant, items, struct } from '../wire/fields.ts'
import { counted, lengthOf, u8, u16, u32, u64 } from '../wire/layout.ts'
import { decodeText, encodeText } from '../wire/text.ts'
import { toMs } from '../wire/time.ts'
import { single } from './codec.ts'
import { normaliseLabel, zoneFromText, zoneToText } from './name.ts'
import { expiryMicros, isDelegation, type ZoneRecord } from './record.ts'
import { readDelegation } from './record-data.ts'
import { checkedSet } from './record-set.ts'

/** Names in the store: `gns.ZONE`, `gns.ZONE.LABEL`, `gns-expiry.ZONE.LABEL`, safe as names of files. */
const PREFIX = 'gns.'
const EXPIRY_PREFIX = 'gns-expiry.'
const FORMAT = 1
const EXPIRY_AT = 0
const EXPIRY_AFTER = 1

interface Zone {
  readonly key: ZoneKey
  readonly labels: Map<string, readonly ZoneRecord[]>
}

export class ZoneDatabase {
  private readonly store: Store
  private readonly known = new Map<string, Zone>()

  /** Reads what the store has. Throws BoxError STATE_UNREADABLE. */
  constructor(store: Store) {
    this.store = store
    for (const name of store.names()) {
      if (!name.startsWith(PREFIX)) continue
      const [zoneText = '', label] = name.slice(PREFIX.length).split('.')
      try {
        const zone = this.admit(zoneFromText(zoneText))
        const value = store.get(name)
        if (label === undefined || !value) continue
        const set = decodeSet(value)
        zone.labels.set(set.label, set.records)
      } catch (cause) {
        throw new BoxError('STATE_UNREADABLE', `Records are damaged: ${name}`, cause)
      }
    }
  }

  /** Makes the zone known even where it has no records yet: names in it are answered from here. */
  adopt(zone: ZoneKey): void {
    if (this.has(zone)) return
    this.store.set(`${PREFIX}${zoneToText(zone)}`, Uint8Array.of(FORMAT))
    this.admit(zone)
  }

  /** Whether the zone is one of ours. */
  has(zone: ZoneKey): boolean {
    return this.known.has(zoneToText(zone))
  }

  zones(): readonly ZoneKey[] {
    return [...this.known.values()].map(({ key }) => key)
  }

  /** Forgets the zone and all its records. */
  drop(zone: ZoneKey): void {
    for (const label of this.labels(zone)) this.store.delete(nameOf(PREFIX, zone, label))
    this.store.delete(`${PREFIX}${zoneToText(zone)}`)
    this.known.delete(zoneToText(zone))
  }

  labels(zone: ZoneKey): readonly string[] {
    return [...(this.known.get(zoneToText(zone))?.labels.keys() ?? [])]
  }

  /** Empty where there are none. */
  records(zone: ZoneKey, label: string): readonly ZoneRecord[] {
    return this.known.get(zoneToText(zone))?.labels.get(normaliseLabel(label)) ?? []
  }

  /**
   * Replaces the whole set of the label; when this returns, it survives a crash. No records: the
   * label is removed. Throws NAME_INVALID, and INPUT_INVALID where the records exclude each other.
   */
  replace(zone: ZoneKey, label: string, records: readonly ZoneRecord[]): void {
    const normal = normaliseLabel(label)
    const set = checkedSet(normal, records).map(record => ({
      ...record,
      data: record.data.slice(),
    }))
    if (set.length === 0) {
      this.remove(zone, normal)
      return
    }
    this.adopt(zone)
    this.store.set(nameOf(PREFIX, zone, normal), encodeSet(normal, set))
    this.known.get(zoneToText(zone))?.labels.set(normal, set)
  }

  remove(zone: ZoneKey, label: string): void {
    const normal = normaliseLabel(label)
    if (!this.known.get(zoneToText(zone))?.labels.delete(normal)) return
    this.store.delete(nameOf(PREFIX, zone, normal))
  }

  /** The label under which `zone` delegates to `target`; null where it does not. */
  petname(zone: ZoneKey, target: ZoneKey): string | null {
    for (const [label, records] of this.known.get(zoneToText(zone))?.labels ?? [])
      for (const record of records)
        if (isDelegation(record) && equalBytes(readDelegation(record.type, record.data), target))
          return label
    return null
  }

  /** The expiry of the label's last block, in microseconds; 0 where there was none. */
  lastExpiry(zone: ZoneKey, label: string): bigint {
    const value = this.store.get(nameOf(EXPIRY_PREFIX, zone, label))
    return value ? expiryFile.decode(value) : 0n
  }

  /** Notes the expiry of a block before it leaves, so that it cannot be used again after a crash. */
  noteExpiry(zone: ZoneKey, label: string, expiry: bigint): void {
    this.store.set(nameOf(EXPIRY_PREFIX, zone, label), expiryFile.encode(expiry))
  }

  /** Labels that had a block and have no records now, with the expiry of that block, in microseconds. */
  gone(zone: ZoneKey): readonly { readonly label: string; readonly expiry: bigint }[] {
    const prefix = `${EXPIRY_PREFIX}${zoneToText(zone)}.`
    const noted = this.store.names().filter(name => name.startsWith(prefix))
    return noted.flatMap(name => {
      const digits = name.slice(prefix.length)
      const label = decodeText(decodeBase32(digits, Math.floor((digits.length * 5) / 8)))
      const isGone = this.records(zone, label).length === 0
      return isGone ? [{ label, expiry: this.lastExpiry(zone, label) }] : []
    })
  }

  private admit(key: ZoneKey): Zone {
    const text = zoneToText(key)
    const zone = this.known.get(text) ?? { key: key.slice() as ZoneKey, labels: new Map() }
    this.known.set(text, zone)
    return zone
  }
}

const nameOf = (prefix: string, zone: ZoneKey, label: string): string =>
  `${prefix}${zoneToText(zone)}.${encodeBase32(encodeText(label))}`

const setFile = struct('gns-set', {
  format: constant(u8, FORMAT),
  size: lengthOf('label', u8),
  label: counted('size'),
  records: items(
    struct('gns-set-record', {
      expiry: u8,
      micros: u64,
      flags: u16,
      type: u32,
      size: lengthOf('data', u16),
      data: counted('size'),
    }),
  ),
})
const expiryFile = single('gns-expiry', u64)

function encodeSet(label: string, set: readonly ZoneRecord[]): Uint8Array {
  const records = set.map(({ type, flags, data, expiry }) => ({
    expiry: 'atMs' in expiry ? EXPIRY_AT : EXPIRY_AFTER,
    micros: expiryMicros('atMs' in expiry ? expiry.atMs : expiry.afterMs),
    flags,
    type,
    data,
  }))
  return setFile.encode({ label: encodeText(label), records })
}

function decodeSet(raw: Uint8Array): { label: string; records: readonly ZoneRecord[] } {
  const file = setFile.decode(raw.slice())
  const label = normaliseLabel(decodeText(file.label))
  const records = file.records.map(({ expiry, micros, flags, type, data }) => {
    const ms = toMs(micros)
    return { type, flags, data, expiry: expiry === EXPIRY_AFTER ? { afterMs: ms } : { atMs: ms } }
  })
  return { label, records: checkedSet(label, records) }
}
