/**
 * Keeps the records of our zones in the DHT, from now until they are taken away. A block is made anew
 * and put again when half its life is over at the latest, at once when its records change, and when
 * the mesh gets a new neighbour, who may have been the one we were waiting for. Its expiry never goes
 * back, not even across restarts: the encryption depends on it (block.ts).
 */

import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { deriveLabelKey, type LabelKey, type ZoneSecret } from '../crypto/zone-key.ts'
import { DHT_OPTION, type Listening, type Mesh } from '../mesh/mesh.ts'
import { toMs } from '../wire/time.ts'
import { BLOCK_TYPE, makeBlock } from './block.ts'
import type { NameKeeper } from './keeper.ts'
import { APEX, normaliseLabel, zoneToText } from './name.ts'
import {
  blockExpiry,
  expiryMicros,
  fixRecord,
  isPrivate,
  isShadow,
  RECORD_FLAG,
  RECORD_TYPE,
  type ResourceRecord,
  rdataSize,
} from './record.ts'
import { leadsElsewhere, RDATA_SIZE_MAX } from './record-set.ts'
import type { ZoneDatabase } from './zone.ts'

/** As gnunet-service-zonemaster puts. */
const PUT_REPLICATION = 5

/** A block lives no longer, even where its records do: resolvers keep it until then. */
const BLOCK_LIFE_MAX_MS = 24 * 3_600_000
/** Nodes of the DHT come and go: a block is put again at least so often. */
const PERIOD_MAX_MS = 3_600_000
/** And not more often by itself, however short its records live. */
const PERIOD_MIN_MS = 5_000
/** Part of a period by which it is shortened at random, so that the labels of a zone spread out. */
const JITTER = 0.25
/** A record that ends sooner no longer ends its whole block: there would be a moment without one. */
const SOON_MS = 30_000
/** Between two puts: a zone of a thousand names takes half a minute and does not drown its neighbours. */
const PUT_PAUSE_MS = 25
/** Everything is put again for a new neighbour; one that comes and goes gets no more than this many turns, */
const TURNS_MAX = 6
/** with one given back in this time. */
const TURN_MS = 60_000
/** Neighbours that come within this time are served together. */
const GATHER_MS = 100
/** The clock on the wall may jump (sleep, NTP): how often we look. */
const LOOK_MS = 60_000

export interface PublisherOptions {
  readonly mesh: Pick<Mesh, 'dht' | 'watch'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly database: ZoneDatabase
}

/** A label that is kept alive. */
interface Entry {
  readonly secret: ZoneSecret
  readonly label: string
  /** Takes milliseconds to derive, and never changes: null until it is used, so that a zone of many names stops nobody. */
  labelKey: LabelKey | null
  /** When to put it next, by clock.elapsed. */
  dueAt: number
  /** The last block by the wall clock: when it was made and must be renewed. 0 before the first. */
  madeAt: number
  renewAt: number
  /** When the last block expires that was put while somebody was there to take it. */
  expiresAt: number
  hasFailed: boolean
}

const UNPUBLISHED = { labelKey: null, madeAt: 0, renewAt: 0, expiresAt: 0, hasFailed: false }

export class Publisher implements NameKeeper {
  private readonly options: PublisherOptions
  private readonly zones = new Map<string, ZoneSecret>()
  private readonly entries = new Map<string, Entry>()
  private readonly watching: Listening
  private neighbours = 0
  private turns = TURNS_MAX
  private turnTimer: Timer | null = null
  private isTurnWanted = false
  private gathering: Timer | null = null
  private timer: Timer | null = null
  private lastPutAt = -Infinity
  private closed = false

  constructor(options: PublisherOptions) {
    this.options = options
    this.watching = options.mesh.watch({
      up: () => this.newNeighbour(),
      down: () => {
        this.neighbours--
      },
    })
  }

  publish(secret: ZoneSecret, labels = this.options.database.labels(secret.zone)): void {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    this.options.database.adopt(secret.zone)
    this.zones.set(zoneToText(secret.zone), secret)
    for (const label of labels) this.admit(secret, label)
    this.schedule()
  }

  /** The records of a label have been replaced in the database: publishes them at once. */
  changed(zone: ZoneKey, label: string): void {
    const secret = this.zones.get(zoneToText(zone))
    if (!secret || this.closed) return
    // The nickname of the zone goes along with every label.
    const labels = label === APEX ? this.options.database.labels(zone) : []
    for (const each of new Set([normaliseLabel(label), ...labels])) this.admit(secret, each)
    this.schedule()
  }

  /** Stops keeping the zone alive; what is out expires by itself. */
  withdraw(zone: ZoneKey): void {
    const text = zoneToText(zone)
    this.zones.delete(text)
    for (const [key, { secret }] of this.entries)
      if (zoneToText(secret.zone) === text) this.entries.delete(key)
    this.schedule()
  }

  /** When the block of a label that a neighbour got expires (ms since 1970); null where none is out. */
  publishedUntil(zone: ZoneKey, label: string): number | null {
    const expiresAt =
      this.entries.get(`${zoneToText(zone)} ${normaliseLabel(label)}`)?.expiresAt ?? 0
    return expiresAt > this.options.clock.now() ? expiresAt : null
  }

  close(): void {
    this.closed = true
    this.watching.close()
    this.timer?.cancel()
    this.turnTimer?.cancel()
    this.gathering?.cancel()
    this.entries.clear()
    this.zones.clear()
  }

  private admit(secret: ZoneSecret, label: string): void {
    const key = `${zoneToText(secret.zone)} ${label}`
    const entry = this.entries.get(key)
    const now = this.options.clock.elapsed()
    if (entry) entry.dueAt = now
    else this.entries.set(key, { ...UNPUBLISHED, secret, label, dueAt: now })
  }

  /** Neighbours often come together: one turn a moment later is for all of them. */
  private newNeighbour(): void {
    this.neighbours++
    if (this.closed || this.entries.size === 0) return
    this.gathering ??= this.options.clock.after(GATHER_MS, () => this.takeTurn())
  }

  /** Everything is put again, for whoever was not there the last time. */
  private takeTurn(): void {
    this.gathering = null
    this.isTurnWanted = this.turns === 0
    if (this.isTurnWanted) return
    this.turns--
    const now = this.options.clock.elapsed()
    for (const entry of this.entries.values()) entry.dueAt = Math.min(entry.dueAt, now)
    this.turnTimer ??= this.options.clock.after(TURN_MS, () => this.giveTurn())
    this.schedule()
  }

  private giveTurn(): void {
    this.turns++
    this.turnTimer =
      this.turns < TURNS_MAX ? this.options.clock.after(TURN_MS, () => this.giveTurn()) : null
    if (this.isTurnWanted) this.takeTurn()
  }

  private schedule(): void {
    this.timer?.cancel()
    this.timer = null
    if (this.closed || this.entries.size === 0) return
    const now = this.options.clock.elapsed()
    let due = Infinity
    for (const { dueAt } of this.entries.values()) due = Math.min(due, dueAt)
    const at = Math.max(due, this.lastPutAt + PUT_PAUSE_MS)
    const ms = Math.min(Math.max(0, Math.ceil(at - now)), LOOK_MS)
    this.timer = this.options.clock.after(ms, () => this.work())
  }

  /** Puts one label, the one that waited longest. */
  private work(): void {
    const { clock } = this.options
    const [elapsed, now] = [clock.elapsed(), clock.now()]
    let next: [string, Entry] | null = null
    for (const pair of this.entries) {
      const entry = pair[1]
      // The wall clock went ahead, or back to before the block was made.
      if (now >= entry.renewAt || now < entry.madeAt) entry.dueAt = Math.min(entry.dueAt, elapsed)
      if (entry.dueAt <= elapsed && (!next || entry.dueAt < next[1].dueAt)) next = pair
    }
    if (next) {
      this.lastPutAt = elapsed
      if (!this.put(next[1])) this.entries.delete(next[0])
    }
    this.schedule()
  }

  /** Publishes what the label has now; false where it has nothing. */
  private put(entry: Entry): boolean {
    const { clock, random, log } = this.options
    const { secret, label } = entry
    const now = clock.now()
    const records = this.publicRecords(secret.zone, label, now)
    if (records.length === 0) return false
    const end = Math.min(blockExpiry(records, now + SOON_MS), now + BLOCK_LIFE_MAX_MS)
    const half = Math.min(Math.max((end - now) / 2, PERIOD_MIN_MS), PERIOD_MAX_MS)
    entry.dueAt = clock.elapsed() + half * (1 - (JITTER * random.below(1_000)) / 1_000)
    entry.madeAt = now
    entry.renewAt = now + half
    try {
      const expiresAt = this.putBlock(entry, records, end)
      if (this.neighbours > 0) entry.expiresAt = expiresAt
      entry.hasFailed = false
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      const code = error.code
      if (!entry.hasFailed) log.note('warn', 'gns', 'a name could not be published', { code })
      entry.hasFailed = true
      entry.dueAt = clock.elapsed() + PERIOD_MIN_MS
    }
    return true
  }

  /** Makes the block and puts it; returns when it expires. */
  private putBlock(entry: Entry, records: readonly ResourceRecord[], end: number): number {
    const { mesh, database } = this.options
    const { secret, label } = entry
    entry.labelKey ??= deriveLabelKey(secret.zone, label)
    const { labelKey } = entry
    const last = database.lastExpiry(secret.zone, label)
    const wished = expiryMicros(end)
    const expiry = wished > last ? wished : last + 1n
    // Noted first: a crash in between costs a microsecond, not the nonce.
    database.noteExpiry(secret.zone, label, expiry)
    mesh.dht.put({
      type: BLOCK_TYPE,
      key: labelKey.query,
      data: makeBlock(secret, label, records, expiry, labelKey),
      expiresAt: toMs(expiry),
      replication: PUT_REPLICATION,
      options: DHT_OPTION.everywhere,
    })
    return toMs(expiry)
  }

  /** What goes out under the label: nothing private, nothing expired, and the nickname of the zone. */
  private publicRecords(zone: ZoneKey, label: string, now: number): readonly ResourceRecord[] {
    const open = (of: string) =>
      this.options.database
        .records(zone, of)
        .filter(record => !isPrivate(record))
        .map(record => fixRecord(record, now))
        .filter(({ expiresAt }) => expiresAt > now)
    const records = open(label)
    if (records.length === 0 || label === APEX || records.some(leadsElsewhere)) return records
    const nicks = open(APEX)
      .filter(record => record.type === RECORD_TYPE.NICK && !isShadow(record))
      .map(nick => ({ ...nick, flags: nick.flags | RECORD_FLAG.supplemental }))
    const both = [...records, ...nicks]
    return rdataSize(both) <= RDATA_SIZE_MAX ? both : records
  }
}
