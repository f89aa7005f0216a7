/** Egos and records by way of real daemons: what we store, their tools show, and the other way round. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import {
  decodeStored,
  encodeStored,
  NamestoreKeeper,
  zoneKeyForDaemon,
} from '../../src/gns/namestore-keeper.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import { readTxt, txtRecord } from '../../src/gns/record-data.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import type { GnunetMesh } from '../../src/mesh/gnunet.ts'
import type { DaemonEgo } from '../../src/mesh/ipc/naming/identity.ts'
import type { LabelRecords } from '../../src/mesh/ipc/naming/namestore.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { attach, eventually } from './daemon-mesh.ts'
import { Controller } from './fleet.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp } from './program.ts'

const HOUR = { afterMs: 3_600_000 }
const [NEAR, FAR] = [1, 2]

withEachRelease('names and daemons', release => {
  const lab = new Lab(release)
  let near: GnunetMesh
  let far: GnunetMesh

  beforeAll(async () => {
    await lab.up(2, 'line')
    near = await attach(lab, NEAR)
    far = await attach(lab, FAR)
  })
  afterAll(async () => {
    await Promise.all([near?.close(), far?.close()])
    await cleanUp()
    await lab.down()
  })

  const store = (secret: ZoneSecret, label: string, text: string) => {
    const records = text === '' ? [] : [txtRecord(text, HOUR)]
    const bytes = encodeStored(records)
    return near.names.store(zoneKeyForDaemon(secret), { label, count: records.length, bytes })
  }
  const texts = ({ count, bytes }: LabelRecords) =>
    decodeStored(count, bytes).map(({ data }) => readTxt(data))

  test('an ego we make is one of gnunet-identity, and one of its is one of ours', async () => {
    const there: DaemonEgo[] = []
    const watching = near.names.watchEgos({
      there: ego => there.push(ego),
      gone: () => {},
      complete: () => {},
    })
    for (const type of ['EDKEY', 'PKEY'] as const) {
      const secret = ZoneSecret.generate(type, systemRandom)
      const name = `ours-${type.toLowerCase()}`
      await near.names.createEgo({ name, key: zoneKeyForDaemon(secret) })
      const said = await lab.tool(NEAR, 'gnunet-identity', '-d', '-e', name)
      expect(said).toContain(zoneToText(secret.zone))
      await eventually(() => there.find(ego => ego.name === name))
      await expect(
        near.names.createEgo({ name, key: zoneKeyForDaemon(secret) }),
      ).rejects.toMatchObject({ code: 'NAME_TAKEN' })
    }
    await lab.makeEgo(NEAR, 'theirs', 'PKEY')
    await eventually(() => there.find(({ name }) => name === 'theirs'))
    watching.close()
    const names = (await near.names.egos()).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['ours-edkey', 'ours-pkey', 'theirs']))
  })

  test('records we store are shown by gnunet-namestore and resolved by gnunet-gns', async () => {
    const secret = ZoneSecret.generate('EDKEY', systemRandom)
    const ego = { name: 'shown', key: zoneKeyForDaemon(secret) }
    await near.names.createEgo(ego)
    await store(secret, 'www', 'stored by us')
    const shown = await lab.tool(NEAR, 'gnunet-namestore', '-D', '-z', 'shown')
    expect(shown).toMatch(/^www\.shown:\n\s+TXT: stored by us/m)
    const name = `www.${zoneToText(secret.zone)}`
    for (const daemon of [NEAR, FAR])
      await eventually(async () => {
        const said = await lab.try(daemon, 'gnunet-gns', '-r', '-u', name, '-t', 'TXT', '-T', '3 s')
        return said.out.includes('stored by us')
      })
    expect(texts(await near.names.records(ego.key, 'www'))).toEqual(['stored by us'])
    await store(secret, 'www', '')
    expect((await near.names.records(ego.key, 'www')).count).toBe(0)
  })

  test('all labels of a zone are listed, and each change of one is told', async () => {
    const secret = ZoneSecret.generate('PKEY', systemRandom)
    const key = zoneKeyForDaemon(secret)
    const labels = Array.from({ length: 150 }, (_, n) => `n${n}`)
    for (const label of labels) await store(secret, label, `text of ${label}`)
    const all = await near.names.allRecords(key)
    expect(all.map(({ label }) => label).sort()).toEqual([...labels].sort())
    const told = new Map<string, readonly string[]>()
    let isComplete = false
    const watching = near.names.watchRecords(key, {
      changed: (_, records) => void told.set(records.label, texts(records)),
      complete: () => {
        isComplete = true
      },
    })
    await eventually(() => isComplete && told.size === labels.length)
    await store(secret, 'n7', 'changed')
    await eventually(() => told.get('n7')?.[0] === 'changed')
    watching.close()
  })

  test('a zone that the daemon keeps for us is verified here, and found by others', async () => {
    const secret = ZoneSecret.generate('EDKEY', systemRandom)
    const database = new ZoneDatabase(memoryStore())
    database.replace(secret.zone, '@', [txtRecord('kept alive', HOUR)])
    const parts = { namestore: near.names, mesh: near, clock: systemClock, log: silentLog }
    const keeper = new NamestoreKeeper({ ...parts, database })
    keeper.publish(secret)
    const until = await eventually(() => keeper.publishedUntil(secret.zone, '@'))
    expect(until).toBeGreaterThan(Date.now() + 1_800_000)
    const resolver = new Resolver({
      mesh: far,
      clock: systemClock,
      zones: () => null,
      database: new ZoneDatabase(memoryStore()),
    })
    const name = { labels: [], zone: secret.zone }
    const { records } = await resolver.resolve(name, RECORD_TYPE.TXT)
    expect(records.map(({ data }) => readTxt(data))).toEqual(['kept alive'])
    resolver.close()
    keeper.close()
  })

  test('the resolver of the daemon answers, and its configuration names zones', async () => {
    const secret = ZoneSecret.generate('EDKEY', systemRandom)
    await store(secret, 'here', 'asked of the daemon')
    const question = { zone: secret.zone, name: 'here', type: RECORD_TYPE.TXT }
    const answer = await near.names.ask(question, AbortSignal.timeout(10_000))
    const [found] = decodeStored(answer.count, answer.bytes)
    expect(readTxt(found!.data)).toBe('asked of the daemon')
    expect(zoneFromText(near.names.tlds.get('gnunet.org')!)).toHaveLength(36)
  })

  test('an ego of gnunet-identity is the owner, and its suffix a name', async () => {
    const zone = await lab.makeEgo(NEAR, 'alice', 'EDKEY')
    const owner = new Controller('owner')
    const engine = ['--mesh', 'gnunet', '--gnunet-conf', lab.conf(NEAR)]
    const made = await owner.must('init', ...engine, '--gnunet-ego', 'alice', '--json')
    expect(JSON.parse(made)).toEqual({ ego: 'alice', id: zone })
    await lab.makeEgo(NEAR, 'bob', 'EDKEY')
    const words = ['-z', 'bob', '-a', '-n', 'www', '-t', 'TXT', '-V', 'of bob', '-e', '1 h', '-p']
    await lab.tool(NEAR, 'gnunet-namestore', ...words)
    const looked = await owner.must('name', 'lookup', ...engine, 'www.bob', 'TXT')
    expect(looked).toBe('of bob\n')
    const own = ['-z', 'alice', '-a', '-n', 'here', '-t', 'TXT', '-V', 'own', '-e', '1 h', '-p']
    await lab.tool(NEAR, 'gnunet-namestore', ...own)
    expect(await owner.must('name', 'lookup', ...engine, 'here.alice', 'TXT')).toBe('own\n')
  })
})
