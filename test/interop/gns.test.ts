/** Our GNS against real daemons (0.19.3 and 0.20.0), over our own peer. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ZoneKey } from '../../src/base/ids.ts'
import { type Log, silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { ZoneSecret, type ZoneType } from '../../src/crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { Publisher } from '../../src/gns/publisher.ts'
import { type Expiry, RECORD_FLAG, RECORD_TYPE, type ZoneRecord } from '../../src/gns/record.ts'
import { delegationRecord } from '../../src/gns/record-data.ts'
import { parseRecordText, recordText, typeNumber } from '../../src/gns/record-text.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp } from './program.ts'

/** The daemon our peers dial, and the one two hops away that knows nothing of them. */
const [HUB, FAR] = [1, 2]
const KINDS: readonly ZoneType[] = ['EDKEY', 'PKEY']
/** Until what the daemon was last told is what it has published. */
const PUBLISHED = { timeout: 30_000, interval: 500 }
const HOUR: Expiry = { afterMs: 3_600_000 }
/** The daemons of the release under test. */
let lab: Lab

const record = (type: string, text: string, flags = 0): ZoneRecord => ({
  type: typeNumber(type),
  data: parseRecordText(typeNumber(type), text),
  flags,
  expiry: HOUR,
})

/** A machine of ours behind the hub: a peer that dials only, its zones, and a resolver. */
class Box {
  readonly database = new ZoneDatabase(memoryStore())
  readonly mesh: EmbeddedMesh
  readonly publisher: Publisher
  readonly resolver: Resolver

  private constructor(mesh: EmbeddedMesh, log: Log) {
    const [clock, random] = [systemClock, systemRandom]
    this.mesh = mesh
    this.publisher = new Publisher({ mesh, clock, random, log, database: this.database })
    this.resolver = new Resolver({ mesh, clock, zones: () => null, database: this.database })
  }

  static async start(hub: string): Promise<Box> {
    const [clock, random, log] = [systemClock, systemRandom, silentLog]
    const parts = { clock, random, log, network: tcpNetwork, store: memoryStore() }
    const box = new Box(await createEmbedded({ ...parts, hubs: [hub.trim()] }), log)
    await new Promise<void>(resolve => box.mesh.watch({ up: () => resolve(), down: () => {} }))
    return box
  }

  /** Publishes a new zone with these records by label. */
  publish(kind: ZoneType, sets: Readonly<Record<string, readonly ZoneRecord[]>>): ZoneKey {
    const secret = ZoneSecret.generate(kind, systemRandom)
    for (const [label, records] of Object.entries(sets))
      this.database.replace(secret.zone, label, records)
    this.publisher.publish(secret)
    return secret.zone
  }

  /** What a name has, as text by type. */
  async resolve(name: string, type: string | 'any' = 'any', fresh = false): Promise<string[]> {
    const wanted = type === 'any' ? type : typeNumber(type)
    const options = { timeoutMs: 20_000, fresh }
    const { records, zone } = await this.resolver.resolve(name, wanted, options)
    expect(this.database.has(zone)).toBe(false)
    return records.map(each => recordText(each.type, each.data))
  }

  async close(): Promise<void> {
    this.publisher.close()
    this.resolver.close()
    await this.mesh.close()
  }
}

/** An ego at the far daemon, with records its namestore publishes. */
const ego = async (name: string, kind: ZoneType): Promise<ZoneKey> =>
  zoneFromText(await lab.makeEgo(FAR, name, kind))

const add = (name: string, label: string, type: string, text: string, ...more: string[]) => {
  const words = ['-z', name, '-a', '-n', label, '-t', type, '-V', text, '-e', '1 h', '-p']
  return lab.tool(FAR, 'gnunet-namestore', ...words, ...more)
}

/** What the stock resolver at the far daemon says; it may not have the block at the first try. */
async function gnunetGns(name: string, type: string): Promise<string[]> {
  const words = ['-r', '-u', name, '-t', type, '-T', '4 s']
  for (let tries = 0; tries < 5; tries++) {
    const { out } = await lab.try(FAR, 'gnunet-gns', ...words)
    const lines = out.split('\n').filter(line => line !== '')
    if (lines.length > 0) return lines
  }
  return []
}

withEachRelease('across two real daemons', release => {
  let near: Box
  let other: Box

  beforeAll(async () => {
    lab = new Lab(release, { seed: 'gns' })
    await lab.up(2, 'line')
    const hello = await lab.hello(HUB)
    near = await Box.start(hello)
    other = await Box.start(hello)
  })

  afterAll(async () => {
    try {
      await Promise.all([near?.close(), other?.close()])
    } finally {
      await cleanUp()
      await lab?.down()
    }
  })

  test.for(KINDS)('names in a %s zone of gnunet-namestore are resolved by us', async kind => {
    const name = `theirs-${kind.toLowerCase()}`
    const zone = await ego(name, kind)
    await add(name, 'www', 'TXT', 'hello from the namestore')
    await add(name, 'many', 'A', '192.0.2.7')
    await add(name, 'many', 'AAAA', '2001:db8::7')
    await add(name, 'many', 'MX', '10 mail.+')
    await add(name, 'many', 'BOX', '6 22 33 1 2 22 host.example')
    const text = zoneToText(zone)
    expect(await near.resolve(`www.${text}`, 'TXT')).toEqual(['hello from the namestore'])
    // Every record added made a block of its own; what is asked for may still be the one before the last.
    await expect
      .poll(async () => new Set(await near.resolve(`many.${text}`, 'any', true)), PUBLISHED)
      .toEqual(
        new Set(['192.0.2.7', '2001:db8::7', `10 mail.${text}`, '6 22 33 1 2 22 host.example']),
      )
    expect(await near.resolve(`_22._tcp.many.${text}`, 'SRV')).toEqual(['1 2 22 host.example'])
  })

  test.for(KINDS)('names in a %s zone of ours are resolved by gnunet-gns', async kind => {
    const zone = near.publish(kind, {
      www: [record('TXT', 'hello from us')],
      many: [record('A', '192.0.2.8'), record('AAAA', '2001:db8::8'), record('MX', '5 mail.+')],
      '@': [record('TXT', 'apex'), record('NICK', 'ours')],
      private: [record('TXT', 'secret', RECORD_FLAG.private)],
      alias: [record('REDIRECT', 'www.+')],
      service: [record('BOX', '6 22 SRV 1 2 22 host.example')],
    })
    const text = zoneToText(zone)
    expect(await gnunetGns(`www.${text}`, 'TXT')).toEqual(['hello from us'])
    expect(await gnunetGns(text, 'TXT')).toEqual(['apex'])
    expect(await gnunetGns(`many.${text}`, 'A')).toEqual(['192.0.2.8'])
    expect(await gnunetGns(`many.${text}`, 'AAAA')).toEqual(['2001:db8::8'])
    expect(await gnunetGns(`alias.${text}`, 'TXT')).toEqual(['hello from us'])
    expect(await gnunetGns(`_22._tcp.service.${text}`, 'SRV')).toEqual(['1 2 22 host.example'])
    expect(await other.resolve(`alias.${text}`, 'TXT')).toEqual(['hello from us'])
    const hidden = other.resolver.resolve(`private.${text}`, 'any', { timeoutMs: 1_500 })
    await expect(hidden).rejects.toMatchObject({ code: 'PEER_TIMEOUT' })
  })

  test.for(KINDS.flatMap(above => KINDS.map(below => [above, below] as const)))(
    'an ego of type %s delegates to a zone of ours of type %s',
    async ([above, below]) => {
      const name = `owner-${above}-${below}`.toLowerCase()
      const device = near.publish(below, {
        '@': [record('TXT', `the device of ${name}`)],
        status: [record('TXT', 'fine')],
      })
      const zone = await ego(name, above)
      await add(name, 'kitchen', below, zoneToText(device))
      // Not `kitchen.${name}`: one label under an ego is never looked for in the DHT (gns_tld_api.c).
      const apex = `kitchen.${zoneToText(zone)}`
      expect(await gnunetGns(apex, 'TXT')).toEqual([`the device of ${name}`])
      expect(await gnunetGns(`status.kitchen.${name}`, 'TXT')).toEqual(['fine'])
      const found = await other.resolver.resolve(`kitchen.${zoneToText(zone)}`, RECORD_TYPE.TXT, {
        timeoutMs: 20_000,
      })
      expect(found.records.map(each => recordText(each.type, each.data))).toEqual([
        `the device of ${name}`,
      ])
      expect(found.chain.map(step => step.zone)).toEqual([zone, device])
    },
  )

  test('a zone of ours delegates to an ego, for gnunet-gns and for us', async () => {
    const theirs = await ego('friend', 'EDKEY')
    await add('friend', 'www', 'TXT', 'a friend')
    const ours = near.publish('EDKEY', { friend: [delegationRecord(theirs, HOUR)] })
    const name = `www.friend.${zoneToText(ours)}`
    expect(await gnunetGns(name, 'TXT')).toEqual(['a friend'])
    expect(await other.resolve(name, 'TXT')).toEqual(['a friend'])
  })

  test('a record that is changed is found anew at once by whoever insists', async () => {
    const secret = ZoneSecret.generate('EDKEY', systemRandom)
    near.database.replace(secret.zone, 'www', [record('TXT', 'before')])
    near.publisher.publish(secret)
    const name = `www.${zoneToText(secret.zone)}`
    expect(await other.resolve(name, 'TXT')).toEqual(['before'])
    near.database.replace(secret.zone, 'www', [record('TXT', 'after')])
    near.publisher.changed(secret.zone, 'www')
    await expect
      .poll(async () => {
        const { records } = await other.resolver.resolve(name, RECORD_TYPE.TXT, { fresh: true })
        return records.map(each => recordText(each.type, each.data))
      })
      .toEqual(['after'])
  })

  test('no block that a daemon gave us was refused', () => {
    expect(near.resolver.counters.read()).toEqual({})
    expect(other.resolver.counters.read()).toEqual({})
  })
})
