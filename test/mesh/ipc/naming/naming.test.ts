import { expect, onTestFinished, test } from 'vitest'
import { Counters } from '../../../../src/base/counters.ts'
import { BoxError } from '../../../../src/base/errors.ts'
import { zoneKey } from '../../../../src/base/ids.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { DIALECTS, type Dialect } from '../../../../src/mesh/ipc/dialect.ts'
import { askGns, type GnsAnswer } from '../../../../src/mesh/ipc/naming/gns.ts'
import { type DaemonEgo, DaemonIdentity } from '../../../../src/mesh/ipc/naming/identity.ts'
import {
  GnsLookup,
  GnsResult,
  IdentityCreate,
  IdentityResult,
  IdentityStart,
  IdentityUpdate,
  NamestoreEnd,
  NamestoreIterate,
  NamestoreNext,
  NamestoreRecords,
  NamestoreStore,
  NamestoreStored,
  NamestoreStoreSingle,
} from '../../../../src/mesh/ipc/naming/messages.ts'
import { DaemonNamestore, type LabelRecords } from '../../../../src/mesh/ipc/naming/namestore.ts'
import { encodeTextNul } from '../../../../src/wire/text.ts'
import { World } from '../../../sim/world.ts'
import { FakeService } from '../fake-daemon.ts'

const KEY = new Uint8Array(36).fill(7)
const EMPTY = new Uint8Array(0)

const rig = (answer?: FakeService['answer']) => {
  const world = new World(1)
  const service = new FakeService(world, answer)
  const ports = {
    clock: world,
    log: silentLog,
    counters: new Counters(),
    dial: (_path: string, events: Parameters<FakeService['dial']>[0]) => service.dial(events),
  }
  onTestFinished(async () => {
    await world.pass(3_600_000)
    expect(world.pending).toBe(0)
  })
  return { world, service, ports }
}

const namestore = (dialect: Dialect, answer?: FakeService['answer']) => {
  const { world, service, ports } = rig(answer)
  const client = new DaemonNamestore('/namestore', ports, () => dialect)
  onTestFinished(() => client.close())
  return { world, service, client }
}

const update = (name: string, isEnd = 0) =>
  IdentityUpdate.encode({
    name: name ? encodeTextNul(name) : EMPTY,
    isEnd,
    key: isEnd ? EMPTY : KEY,
  })

test('lists the egos, and hangs up', async () => {
  const { world, service, ports } = rig((connection, type) => {
    if (type !== IdentityStart.type) return
    for (const raw of [update('alice'), update('bob'), update('', 1)]) connection.say(raw)
  })
  const identity = new DaemonIdentity('/identity', ports)
  let told: readonly DaemonEgo[] | BoxError = []
  identity.list(egos => {
    told = egos
  })
  await world.pass(10)
  expect(told).toEqual([
    { name: 'alice', key: KEY },
    { name: 'bob', key: KEY },
  ])
  expect(service.connections.size).toBe(0)
  identity.close()
})

test('watches egos come and go', async () => {
  const { world, service, ports } = rig()
  const identity = new DaemonIdentity('/identity', ports)
  const story: string[] = []
  identity.watch({
    there: ({ name }) => story.push(name),
    gone: () => story.push('gone'),
    complete: () => story.push('complete'),
  })
  await world.pass(10)
  for (const raw of [update('alice'), update('', 1), update('')]) service.say(raw)
  await world.pass(10)
  expect(story).toEqual(['alice', 'complete', 'gone'])
  identity.close()
})

test('a name that is taken, and a service that is not there, are told as such', async () => {
  const { world, service, ports } = rig((connection, type) => {
    if (type === IdentityCreate.type) connection.say(IdentityResult.encode({ code: 5_000 }))
  })
  const identity = new DaemonIdentity('/identity', ports)
  const codes: (string | undefined)[] = []
  const create = () => identity.create({ name: 'alice', key: KEY }, why => codes.push(why?.code))
  create()
  await world.pass(10)
  service.door = 'ENOENT'
  service.hangUp()
  create()
  await world.pass(10_000)
  expect(codes).toEqual(['NAME_TAKEN', 'GNUNET_ABSENT'])
  identity.close()
})

test.for([
  [DIALECTS.A, NamestoreStore],
  [DIALECTS.CD, NamestoreStoreSingle],
] as const)('stores as $0.releases wants it', async ([dialect, message]) => {
  const { world, service, client } = namestore(dialect, connection =>
    connection.say(NamestoreStored.encode({ request: 1, code: 0 })),
  )
  let result: unknown = 'nothing'
  client.store(KEY, { label: 'www', count: 1, bytes: Uint8Array.of(1, 2, 3) }, done => {
    result = done
  })
  await world.pass(10)
  expect(result).toBeNull()
  expect(service.of(message as typeof NamestoreStore)).toMatchObject([
    {
      key: KEY,
      sets: [{ label: encodeTextNul('www'), recordCount: 1, records: Uint8Array.of(1, 2, 3) }],
    },
  ])
})

test('asks for the labels of a zone bit by bit', async () => {
  let left = 200
  const { world, service, client } = namestore(DIALECTS.A, (connection, type, raw) => {
    const [request, limit] =
      type === NamestoreIterate.type
        ? [NamestoreIterate.decode(raw).request, 1]
        : [NamestoreNext.decode(raw).request, Number(NamestoreNext.decode(raw).limit)]
    for (let n = 0; n < limit && left > 0; n++) {
      const label = encodeTextNul(`n${left--}`)
      const records = { recordCount: 0, records: EMPTY }
      connection.say(NamestoreRecords.encode({ request, expiry: 0n, key: KEY, label, ...records }))
    }
    if (left === 0) connection.say(NamestoreEnd.encode({ request }))
  })
  let labels: readonly LabelRecords[] | BoxError = []
  client.iterate(KEY, all => {
    labels = all
  })
  await world.pass(100)
  expect(labels).toHaveLength(200)
  expect(service.of(NamestoreNext)).toHaveLength(4)
})

test('a service that does not answer fails the question, and is hung up on', async () => {
  const { world, service, client } = namestore(DIALECTS.A)
  let result: unknown = null
  client.lookup(KEY, 'www', done => {
    result = done
  })
  await world.pass(10)
  const [before] = service.connections
  await world.pass(10_000)
  expect(result).toBeInstanceOf(BoxError)
  expect(result).toMatchObject({ code: 'GNUNET_SILENT' })
  expect(service.connections.has(before!)).toBe(false)
})

test('asks GNS on a connection of its own, which ends with the answer', async () => {
  const { world, service, ports } = rig((connection, type) => {
    if (type !== GnsLookup.type) return
    connection.say(GnsResult.encode({ request: 1, recordCount: 1, records: Uint8Array.of(9) }))
  })
  let answer: GnsAnswer | BoxError | null = null
  askGns('/gns', ports, { zone: zoneKey(KEY), name: '@', type: 0 }, told => {
    answer = told
  })
  await world.pass(10)
  expect(answer).toEqual({ count: 1, bytes: Uint8Array.of(9) })
  expect(service.of(GnsLookup)).toMatchObject([{ zone: KEY, name: '@', recordType: 0 }])
  expect(service.connections.size).toBe(0)
})
