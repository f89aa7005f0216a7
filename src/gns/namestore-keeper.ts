/**
 * Keeps the records of our zones published by way of a GNUnet daemon: they are stored in its NAMESTORE, and its
 * zonemaster puts them into the DHT again and again, even while we do not run. That it does is not believed:
 * each block is fetched and verified here.
 */

import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import { deriveLabelKey, ZONE_TYPES, type ZoneSecret } from '../crypto/zone-key.ts'
import { DHT_OPTION, type Listening, type Mesh } from '../mesh/mesh.ts'
import { WireError } from '../wire/layout.ts'
import { toMs } from '../wire/time.ts'
import { BLOCK_TYPE, openBlock } from './block.ts'
import type { NameKeeper } from './keeper.ts'
import { normaliseLabel, zoneToText } from './name.ts'
import { decodeRecords, encodeRecords, type RecordData, type ZoneRecord } from './record.ts'
import type { ZoneDatabase } from './zone.ts'

/** GNUNET_GNSRECORD_RF_RELATIVE_EXPIRATION: the expiry is a duration, counted from each publication. */
const RELATIVE = 0x4000
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 60_000
/** A daemon that lost its database gets everything again within this time, and what is out is looked at. */
const AGAIN_MS = 30 * 60_000
const REPLICATION = 5

/** The part of a NAMESTORE that is needed here (GnunetNames). */
export interface Namestore {
  /** Replaces the records of a label in the zone of a private key. Fails with a BoxError. */
  store(
    key: Uint8Array,
    records: { readonly label: string; readonly count: number; readonly bytes: Uint8Array },
  ): Promise<unknown>
}

export interface NamestoreKeeperOptions {
  readonly namestore: Namestore
  readonly mesh: Pick<Mesh, 'dht'>
  readonly clock: Clock
  readonly log: Log
  readonly database: ZoneDatabase
}

interface Entry {
  readonly secret: ZoneSecret
  readonly label: string
  /** Whether the NAMESTORE has something else than the database. */
  isDirty: boolean
  /** The latest block that was seen and verified. */
  expiresAt: number
  search: Listening | null
}

/** The key of a zone as IDENTITY and NAMESTORE have it: type and private part. A secret. */
export function zoneKeyForDaemon({ type, bytes }: ZoneSecret): Uint8Array {
  const key = new Uint8Array(4 + bytes.length)
  new DataView(key.buffer).setUint32(0, ZONE_TYPES[type])
  key.set(bytes, 4)
  return key
}

/** Records as NAMESTORE keeps them. */
export const encodeStored = (records: readonly ZoneRecord[]): Uint8Array =>
  encodeRecords(
    records.map(({ type, data, flags, expiry }) =>
      'atMs' in expiry
        ? { type, data, flags, expiresAt: expiry.atMs }
        : { type, data, flags: flags | RELATIVE, expiresAt: expiry.afterMs },
    ),
  )

/** The records of a NAMESTORE; their data are views. Throws WireError. */
export const decodeStored = (count: number, bytes: Uint8Array): readonly ZoneRecord[] =>
  decodeRecords(bytes)
    .slice(0, count)
    .map(({ type, data, flags, expiresAt }) => ({
      ...({ type, data } satisfies Partial<RecordData>),
      flags: flags & ~RELATIVE,
      expiry: (flags & RELATIVE) !== 0 ? { afterMs: expiresAt } : { atMs: expiresAt },
    }))

export class NamestoreKeeper implements NameKeeper {
  private readonly options: NamestoreKeeperOptions
  private readonly zones = new Map<string, ZoneSecret>()
  private readonly entries = new Map<string, Entry>()
  private isWorking = false
  private pauseMs = RETRY_MIN_MS
  private timer: Timer | null = null
  private again: Timer
  private closed = false

  constructor(options: NamestoreKeeperOptions) {
    this.options = options
    this.again = this.lookAgain()
  }

  publish(secret: ZoneSecret, labels = this.options.database.labels(secret.zone)): void {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    this.options.database.adopt(secret.zone)
    this.zones.set(zoneToText(secret.zone), secret)
    for (const label of labels) this.admit(secret, label)
    void this.work()
  }

  changed(zone: ZoneKey, label: string): void {
    const secret = this.zones.get(zoneToText(zone))
    if (!secret || this.closed) return
    this.admit(secret, normaliseLabel(label))
    void this.work()
  }

  publishedUntil(zone: ZoneKey, label: string): number | null {
    const entry = this.entries.get(`${zoneToText(zone)} ${normaliseLabel(label)}`)
    const expiresAt = entry?.expiresAt ?? 0
    return expiresAt > this.options.clock.now() ? expiresAt : null
  }

  close(): void {
    this.closed = true
    this.again.cancel()
    this.timer?.cancel()
    for (const { search } of this.entries.values()) search?.close()
    this.entries.clear()
    this.zones.clear()
  }

  private admit(secret: ZoneSecret, label: string): void {
    const key = `${zoneToText(secret.zone)} ${label}`
    const entry = this.entries.get(key)
    if (entry) entry.isDirty = true
    else this.entries.set(key, { secret, label, isDirty: true, expiresAt: 0, search: null })
  }

  /** Stores what has changed, one label after the other; where that fails, again a little later. */
  private async work(): Promise<void> {
    if (this.isWorking || this.closed) return
    this.isWorking = true
    this.timer?.cancel()
    try {
      for (const entry of this.entries.values())
        if (entry.isDirty && !this.closed) await this.store(entry)
      this.pauseMs = RETRY_MIN_MS
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.failed(error)
    } finally {
      this.isWorking = false
    }
  }

  private failed({ code }: BoxError): void {
    const { clock, log } = this.options
    if (this.closed) return
    if (this.pauseMs === RETRY_MIN_MS)
      log.note('warn', 'gns', 'a name could not be stored in the daemon', { code })
    this.timer = clock.after(this.pauseMs, () => void this.work())
    this.pauseMs = Math.min(this.pauseMs * 2, RETRY_MAX_MS)
  }

  private async store(entry: Entry): Promise<void> {
    const { namestore, database } = this.options
    const { secret, label } = entry
    const records = database.records(secret.zone, label)
    entry.isDirty = false
    try {
      const bytes = encodeStored(records)
      await namestore.store(zoneKeyForDaemon(secret), { label, count: records.length, bytes })
    } catch (error) {
      entry.isDirty = true
      throw error
    }
    if (records.length > 0 && !this.closed) this.see(entry)
  }

  /** Waits for the block to be in the DHT, and good. */
  private see(entry: Entry): void {
    const { zone } = entry.secret
    const labelKey = deriveLabelKey(zone, entry.label)
    entry.search?.close()
    const { everywhere: options } = DHT_OPTION
    const query = { type: BLOCK_TYPE, key: labelKey.query, replication: REPLICATION, options }
    const search = this.options.mesh.dht.get(query, ({ data }) => {
      try {
        const { expiry } = openBlock(zone, entry.label, data, labelKey)
        entry.expiresAt = Math.max(entry.expiresAt, toMs(expiry))
      } catch (error) {
        if (!(error instanceof BoxError || error instanceof WireError)) throw error
        return
      }
      search.close()
    })
    entry.search = search
  }

  private lookAgain(): Timer {
    return this.options.clock.after(AGAIN_MS, () => {
      for (const entry of this.entries.values()) entry.isDirty = true
      void this.work()
      this.again = this.lookAgain()
    })
  }
}
