/**
 * The revoked zones that this program knows of: heard from neighbours, asked of the DHT, or published here. Each is
 * checked whole before it counts, the cheap parts first; the work one at a time and in steps, so that nobody
 * is kept busy by whoever invents some. Those that are right are kept, and passed on once.
 */

import { keyOf } from '../base/bytes.ts'
import { type Clock, pause, type Timer } from '../base/clock.ts'
import { Counters } from '../base/counters.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import { sha256 } from '../crypto/hash.ts'
import { DHT_OPTION, type Listening, type Mesh } from '../mesh/mesh.ts'
import { items, struct } from '../wire/fields.ts'
import { bytes, u16, u64, WireError } from '../wire/layout.ts'
import { zoneToText } from './name.ts'
import {
  DIFFICULTY,
  holdsUntil,
  REVOCATION_SIZE,
  readRevokeMessage,
  readZoneRevocation,
  revocationKey,
  revokeMessage,
  workOf,
  type ZoneRevocation,
} from './revocation.ts'

/** gnunet_block_lib.h. */
const BLOCK_REVOCATION = 12
const REPLICATION = 5
/** As long as names live there; whoever published it puts it again. */
const BLOCK_LIFE_MS = 24 * 3_600_000

/** Of 388 bytes on the disk each: more than people lose keys. Those that end first make room. */
const KEPT_MAX = 256
/** Waiting to be checked; each takes a second. Of one neighbour no more than a few: the others find room. */
const WAITING_MAX = 32
const WAITING_PER_SOURCE_MAX = 4
/** After one that nobody here asked for: at most a third of one processor goes to what others say. */
const REST_MS = 2_000
/** What was found wrong is not looked at again, as long as it is among the last so many. */
const WRONG_MAX = 512
/** A question to the DHT is asked again by whoever needs the zone, not before this. */
const ASK_AGAIN_MS = 10 * 60_000
const ASKING_MS = 30_000
const ASKED_MAX = 1_024

/** Where they are kept: one value, replaced as a whole. */
export interface RevocationShelf {
  read(): Uint8Array | null
  /** May fail; then it is said, and kept in memory. */
  write(value: Uint8Array): void | Promise<void>
}

export interface RevocationsOptions {
  readonly mesh: Pick<Mesh, 'dht' | 'gossip'>
  readonly shelf: RevocationShelf
  readonly clock: Clock
  readonly log: Log
  /** How much work a revocation needs; another one is for networks that agree on another one. */
  readonly difficulty?: number
  /** What one try is worth; tests have one that costs nothing. */
  readonly workOf?: typeof workOf
  /** Told of each zone that is revoked from now on. */
  readonly revoked?: (zone: ZoneKey) => void
}

interface Kept {
  readonly revocation: ZoneRevocation
  /** Milliseconds since 1970. */
  readonly until: number
}

interface Waiting {
  readonly revocation: ZoneRevocation
  readonly name: string
  /** Who said it; null: we asked, or have made it. */
  readonly from: string | null
  readonly settled: ((isRight: boolean) => void)[]
}

const ShelfFile = struct('REVOCATIONS', {
  version: u16,
  kept: items(struct('REVOCATION_KEPT', { until: u64, raw: bytes(REVOCATION_SIZE) })),
})
const VERSION = 1

export class Revocations {
  readonly counters = new Counters()
  private readonly options: RevocationsOptions
  private readonly difficulty: number
  private readonly kept = new Map<string, Kept>()
  private readonly waiting: Waiting[] = []
  private readonly wrong = new Set<string>()
  private readonly asked = new Map<string, number>()
  private readonly told = new Set<string>()
  private readonly searches = new Map<Listening, Timer>()
  private readonly over = new AbortController()
  private readonly listening: Listening | null
  private current: Waiting | null = null
  private isWorking = false

  /** Throws STATE_UNREADABLE. */
  constructor(options: RevocationsOptions) {
    this.options = options
    this.difficulty = options.difficulty ?? DIFFICULTY
    for (const one of readShelf(options.shelf.read())) this.keep(one)
    const heard = (message: Uint8Array, from: string) => this.heard(message, from)
    this.listening = options.mesh.gossip?.listen({ heard, known: () => this.messages() }) ?? null
  }

  /** By what is known here, or by the word of the daemon whose peer we use, which has checked it itself. */
  isRevoked(zone: ZoneKey): boolean {
    return this.find(zone) !== null || this.told.has(zoneToText(zone))
  }

  /** The revocation of this zone and until when it holds; null where none is known. */
  find(zone: ZoneKey): Kept | null {
    const kept = this.kept.get(zoneToText(zone))
    return kept && kept.until > this.options.clock.now() ? kept : null
  }

  /** Asks the DHT whether the zone is revoked, unless that was done a while ago; what comes of it is known later. */
  ask(zone: ZoneKey): void {
    const { clock, mesh } = this.options
    const name = zoneToText(zone)
    const last = this.asked.get(name)
    if (this.over.signal.aborted || this.isRevoked(zone)) return
    if (last !== undefined && clock.elapsed() - last < ASK_AGAIN_MS) return
    if (this.asked.size >= ASKED_MAX) this.asked.clear()
    this.asked.set(name, clock.elapsed())
    mesh.gossip?.query?.(zone, isRevoked => {
      if (isRevoked && this.told.size < ASKED_MAX) this.told.add(name)
    })
    const query = {
      ...{ type: BLOCK_REVOCATION, key: revocationKey(zone), replication: REPLICATION },
      options: DHT_OPTION.everywhere,
    }
    const search = mesh.dht.get(query, ({ data }) => this.found(data, name))
    const end = () => {
      this.searches.delete(search)
      search.close()
    }
    this.searches.set(search, clock.after(ASKING_MS, end))
  }

  /** Until what was heard of this zone is found right or wrong. Fails with the reason of the signal. */
  async decided(zone: ZoneKey, signal: AbortSignal): Promise<void> {
    const name = zoneToText(zone)
    const open = [...(this.current ? [this.current] : []), ...this.waiting]
    const one = open.find(({ revocation }) => zoneToText(revocation.zone) === name)
    if (!one) return
    await new Promise<void>((resolve, reject) => {
      one.settled.push(() => resolve())
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  /**
   * Has the network know it. False where its work is too little, or its time is over. Fails with WIRE_MALFORMED,
   * SIGNATURE_INVALID.
   */
  async publish(raw: Uint8Array): Promise<boolean> {
    const revocation = readZoneRevocation(raw)
    const isRight = this.find(revocation.zone) !== null || (await this.check(revocation, null))
    if (isRight) this.spread(this.find(revocation.zone)?.revocation ?? revocation)
    return isRight
  }

  close(): void {
    this.over.abort(new BoxError('ENGINE_CLOSED'))
    this.listening?.close()
    for (const [search, timer] of this.searches) {
      search.close()
      timer.cancel()
    }
    for (const { settled } of this.waiting.splice(0)) for (const done of settled) done(false)
  }

  /** All that hold, as they travel. */
  private messages(): readonly Uint8Array[] {
    const now = this.options.clock.now()
    const living = [...this.kept.values()].filter(({ until }) => until > now)
    return living.map(({ revocation }) => revokeMessage(revocation))
  }

  /** To neighbours and to the DHT: for those who are there, and for those who ask. */
  private spread(revocation: ZoneRevocation): void {
    const { mesh, clock } = this.options
    const data = revokeMessage(revocation)
    mesh.gossip?.spread(data)
    mesh.dht.put({
      ...{ type: BLOCK_REVOCATION, key: revocationKey(revocation.zone), data },
      ...{ expiresAt: clock.now() + BLOCK_LIFE_MS, replication: REPLICATION },
      options: DHT_OPTION.everywhere,
    })
  }

  /** A neighbour said it: passed on where it is right, and new. */
  private heard(message: Uint8Array, from: string): void {
    const revocation = this.reading(message)
    if (!revocation || this.isRevoked(revocation.zone)) return
    void this.check(revocation, from).then(isRight => {
      if (isRight) this.options.mesh.gossip?.spread(revokeMessage(revocation))
    })
  }

  private found(message: Uint8Array, name: string): void {
    const revocation = this.reading(message)
    if (revocation && zoneToText(revocation.zone) === name) void this.check(revocation, null)
  }

  private reading(message: Uint8Array): ZoneRevocation | null {
    try {
      return readRevokeMessage(message)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.counters.add(`revocation.refused.${error.code}`)
      return null
    }
  }

  /** Whether its work is enough; it is kept then. Never fails. */
  private check(revocation: ZoneRevocation, from: string | null): Promise<boolean> {
    const name = keyOf(sha256(revocation.raw))
    if (this.over.signal.aborted || this.wrong.has(name)) return Promise.resolve(false)
    const same = [...(this.current ? [this.current] : []), ...this.waiting].find(
      one => one.name === name,
    )
    return new Promise(resolve => {
      if (same) {
        same.settled.push(resolve)
        return
      }
      const ofSource = this.waiting.filter(one => one.from !== null && one.from === from).length
      if (
        from !== null &&
        (this.waiting.length >= WAITING_MAX || ofSource >= WAITING_PER_SOURCE_MAX)
      ) {
        this.counters.add('revocation.over_allowance')
        resolve(false)
        return
      }
      const one = { revocation, name, from, settled: [resolve] }
      if (from === null) this.waiting.unshift(one)
      else this.waiting.push(one)
      void this.work()
    })
  }

  private async work(): Promise<void> {
    if (this.isWorking) return
    this.isWorking = true
    const { clock } = this.options
    const { signal } = this.over
    for (;;) {
      const one = this.waiting.shift()
      if (!one || signal.aborted) break
      this.current = one
      const isRight = await this.isRight(one)
      this.current = null
      for (const done of one.settled) done(isRight)
      if (one.from !== null && this.waiting[0]?.from !== null) await pause(clock, REST_MS, signal)
    }
    this.isWorking = false
  }

  private async isRight({ revocation, name }: Waiting): Promise<boolean> {
    const { clock, log, revoked, workOf: worth = workOf } = this.options
    const { signal } = this.over
    let work = 0
    for (const nonce of revocation.proofs) {
      work += worth(revocation, nonce)
      await pause(clock, 0, signal)
      if (signal.aborted) return false
    }
    const until = holdsUntil(revocation, work, this.difficulty)
    const now = clock.now()
    // One of the future would be kept for a time that its work does not pay for.
    if (until === null || until <= now || Number(revocation.time / 1_000n) > now) {
      if (this.wrong.size >= WRONG_MAX) this.wrong.clear()
      this.wrong.add(name)
      this.counters.add('revocation.refused.work')
      return false
    }
    const { zone } = revocation
    const isNew = !this.isRevoked(zone)
    this.keep({ revocation, until })
    await this.write()
    log.note('info', 'revocation', 'zone revoked', { zone: zoneToText(zone) })
    if (isNew) revoked?.(zone)
    return true
  }

  private keep(one: Kept): void {
    const name = zoneToText(one.revocation.zone)
    const known = this.kept.get(name)
    if (known && known.until >= one.until) return
    this.kept.set(name, one)
    if (this.kept.size <= KEPT_MAX) return
    const ends = [...this.kept].toSorted(([, a], [, b]) => a.until - b.until)
    this.kept.delete(ends[0]![0])
  }

  private async write(): Promise<void> {
    try {
      await this.options.shelf.write(writeShelf([...this.kept.values()]))
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.options.log.note('warn', 'revocation', 'not kept', { code: error.code })
    }
  }
}

const writeShelf = (all: readonly Kept[]): Uint8Array =>
  ShelfFile.encode({
    version: VERSION,
    kept: all.map(({ revocation, until }) => ({
      until: BigInt(Math.round(until)),
      raw: revocation.raw,
    })),
  })

/** What was checked before it was kept is not worked through again. Throws STATE_UNREADABLE. */
export function readShelf(value: Uint8Array | null): readonly Kept[] {
  if (!value) return []
  try {
    const { version, kept } = ShelfFile.decode(value)
    if (version !== VERSION) throw new TypeError(`of version ${version}`)
    return kept.map(({ until, raw }) => ({
      revocation: readZoneRevocation(raw),
      until: Number(until),
    }))
  } catch (cause) {
    if (cause instanceof WireError || cause instanceof TypeError || cause instanceof BoxError)
      throw new BoxError('STATE_UNREADABLE', 'The list of revoked zones is damaged.', cause)
    throw cause
  }
}
