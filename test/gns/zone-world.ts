/** A mesh, zones that are published in it, and a resolver that owns nothing of them. */

import { keyOf } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { memoryStore } from '../../src/base/store.ts'
import { ZoneSecret, type ZoneType } from '../../src/crypto/zone-key.ts'
import { BLOCK_TYPE, blockQuery, makeBlock } from '../../src/gns/block.ts'
import { expiryMicros, fixRecord, type ZoneRecord } from '../../src/gns/record.ts'
import { delegationRecord } from '../../src/gns/record-data.ts'
import { parseRecordText, recordText } from '../../src/gns/record-text.ts'
import { type Dns, type Resolution, type ResolveOptions, Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { DHT_OPTION, type DhtBlock } from '../../src/mesh/mesh.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'

export const HOUR_MS = 3_600_000
export const hour = { afterMs: HOUR_MS }

/** A record from its text. */
export const of = (type: number, text: string, flags = 0): ZoneRecord => ({
  type,
  data: parseRecordText(type, text),
  flags,
  expiry: hour,
})
export const to = (zone: ZoneKey): ZoneRecord => delegationRecord(zone, hour)
export const texts = ({ records }: Pick<Resolution, 'records'>): string[] =>
  records.map(record => recordText(record.type, record.data))

/** How a promise ends: the code of its BoxError, or `resolved`. */
export async function code(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    return error.code
  }
}

export class ZoneWorld {
  readonly world: World
  readonly net: FakeNet
  readonly mesh: ReturnType<FakeNet['peer']>
  readonly database = new ZoneDatabase(memoryStore())
  /** What suffixes stand for here. */
  readonly suffixes = new Map<string, ZoneKey>()
  readonly resolver: Resolver
  /** Keys the DHT was asked for, in order. */
  readonly asked: string[] = []

  constructor(seed = 1, dns?: Dns) {
    this.world = new World(seed)
    this.net = new FakeNet({ clock: this.world, latencyMs: 5, random: this.world.random })
    this.mesh = this.net.peer()
    const { dht } = this.mesh
    this.resolver = new Resolver({
      mesh: {
        dht: {
          put: block => dht.put(block),
          get: (query, found) => {
            this.asked.push(keyOf(query.key))
            return dht.get(query, found)
          },
        },
      },
      clock: this.world,
      zones: suffix => this.suffixes.get(suffix) ?? null,
      database: this.database,
      ...(dns ? { dns } : {}),
    })
  }

  zone(type: ZoneType = 'EDKEY'): ZoneSecret {
    return ZoneSecret.generate(type, this.world.random)
  }

  /** Puts records as their owner would; `expiresAt` of the block may be set apart. */
  put(
    secret: ZoneSecret,
    label: string,
    records: readonly ZoneRecord[],
    expiresAt = this.world.now() + HOUR_MS,
  ): void {
    const fixed = records.map(record => fixRecord(record, this.world.now()))
    const data = makeBlock(secret, label, fixed, expiryMicros(expiresAt))
    this.putRaw({ key: blockQuery(secret.zone, label), data, expiresAt })
  }

  putRaw(block: Pick<DhtBlock, 'key' | 'data' | 'expiresAt'>): void {
    const options = DHT_OPTION.everywhere
    this.mesh.dht.put({ ...block, type: BLOCK_TYPE, replication: 5, options })
    this.world.run(20)
  }

  resolve(name: string, type: number | 'any' = 'any', options: ResolveOptions = {}) {
    return this.world.until(this.resolver.resolve(name, type, options), 60_000)
  }
}
