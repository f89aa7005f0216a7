import { expect, onTestFinished, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { deriveLabelKey, ZoneSecret } from '../../src/crypto/zone-key.ts'
import { BLOCK_TYPE, makeBlock } from '../../src/gns/block.ts'
import {
  decodeStored,
  encodeStored,
  type Namestore,
  NamestoreKeeper,
  zoneKeyForDaemon,
} from '../../src/gns/namestore-keeper.ts'
import { fixRecord, RECORD_FLAG, type ZoneRecord } from '../../src/gns/record.ts'
import { readTxt, txtRecord } from '../../src/gns/record-data.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { toMicros, toMs } from '../../src/wire/time.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'

const HOUR = { afterMs: 3_600_000 }

interface Stored {
  readonly key: Uint8Array
  readonly label: string
  readonly texts: readonly string[]
}

/** A keeper, the NAMESTORE it is to fill, and the DHT in which it looks. */
function rig() {
  const world = new World(1)
  const mesh = new FakeNet({ clock: world }).peer()
  const secret = ZoneSecret.generate('EDKEY', world.random)
  const database = new ZoneDatabase(memoryStore())
  const stored: Stored[] = []
  let failures = 0
  const namestore: Namestore = {
    store: async (key, { label, count, bytes }) => {
      if (failures-- > 0) throw new BoxError('GNUNET_ABSENT')
      stored.push({
        key,
        label,
        texts: decodeStored(count, bytes).map(({ data }) => readTxt(data)),
      })
    },
  }
  const keeper = new NamestoreKeeper({ namestore, mesh, clock: world, log: silentLog, database })
  onTestFinished(async () => {
    keeper.close()
    await mesh.close()
    await world.pass(7_200_000)
    expect(world.pending).toBe(0)
  })
  const fail = (times: number) => {
    failures = times
  }
  /** What a zonemaster would put, or somebody else in its place. */
  const put = (signer: ZoneSecret, records: readonly ZoneRecord[]) => {
    const now = world.now()
    const expiry = toMicros(now + 3_600_000)
    const label = deriveLabelKey(secret.zone, 'www')
    const open = records.map(record => fixRecord(record, now))
    const data = makeBlock(signer, 'www', open, expiry, label)
    const key = label.query
    mesh.dht.put({
      type: BLOCK_TYPE,
      key,
      data,
      expiresAt: toMs(expiry),
      replication: 1,
      options: 1,
    })
  }
  return { world, secret, database, stored, keeper, fail, put }
}

test('records come back from the daemon as they went, durations as durations', () => {
  const records: readonly ZoneRecord[] = [
    txtRecord('for an hour', HOUR),
    { ...txtRecord('until then', { atMs: 1_900_000_000_000 }), flags: RECORD_FLAG.private },
    txtRecord('for ever', { atMs: Infinity }),
  ]
  const bytes = encodeStored(records)
  expect(decodeStored(records.length, bytes)).toEqual(
    records.map(record => ({ ...record, data: expect.any(Uint8Array) })),
  )
  expect(new DataView(bytes.buffer).getBigUint64(0)).toBe(3_600_000_000n)
  expect(new DataView(bytes.buffer).getUint16(10) & 0x4000).toBe(0x4000)
})

test('stores what the zone has, what changes, and that something is gone', async () => {
  const { world, secret, database, stored, keeper } = rig()
  database.replace(secret.zone, 'www', [txtRecord('one', HOUR)])
  database.replace(secret.zone, '@', [txtRecord('apex', HOUR)])
  keeper.publish(secret)
  await world.pass(10)
  expect(stored.map(({ label }) => label).sort()).toEqual(['@', 'www'])
  expect(stored[0]!.key).toEqual(zoneKeyForDaemon(secret))
  database.replace(secret.zone, 'www', [txtRecord('two', HOUR)])
  keeper.changed(secret.zone, 'www')
  await world.pass(10)
  expect(stored.at(-1)).toMatchObject({ label: 'www', texts: ['two'] })
  database.replace(secret.zone, 'www', [])
  keeper.changed(secret.zone, 'www')
  await world.pass(10)
  expect(stored.at(-1)).toMatchObject({ label: 'www', texts: [] })
})

test('tries again while the daemon is away, and says everything anew from time to time', async () => {
  const { world, secret, database, stored, keeper, fail } = rig()
  fail(3)
  database.replace(secret.zone, 'www', [txtRecord('one', HOUR)])
  keeper.publish(secret)
  await world.pass(10)
  expect(stored).toEqual([])
  await world.pass(10_000)
  expect(stored).toHaveLength(1)
  await world.pass(1_800_000)
  expect(stored).toHaveLength(2)
})

test('believes that a name is published only when its block is there, and signed', async () => {
  const { world, secret, database, keeper, put } = rig()
  const records = [txtRecord('one', HOUR)]
  database.replace(secret.zone, 'www', records)
  keeper.publish(secret)
  await world.pass(1_000)
  expect(keeper.publishedUntil(secret.zone, 'www')).toBeNull()
  put(ZoneSecret.generate('EDKEY', world.random), records)
  await world.pass(1_000)
  expect(keeper.publishedUntil(secret.zone, 'www')).toBeNull()
  put(secret, records)
  await world.pass(1_000)
  expect(keeper.publishedUntil(secret.zone, 'www')).toBeGreaterThan(world.now() + 3_500_000)
})
