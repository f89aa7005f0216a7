import { expect, test } from 'vitest'
import { Whereabouts } from '../../agent/whereabouts.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { Publisher } from '../../src/gns/publisher.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'
import { keysOf } from './only-key.ts'

test('a disk that is full does not end the agent, and what changed meanwhile is published later', () => {
  const world = new World(1)
  const net = new FakeNet({ clock: world, random: world.random, latencyMs: 5 })
  const [mesh, one, two] = [net.peer(), net.peer(), net.peer()]
  const store = memoryStore()
  const full = { is: false }
  const database = new ZoneDatabase({
    ...store,
    set: (name, value) => {
      if (full.is) throw new BoxError('STATE_UNWRITABLE', 'The disk is full.')
      store.set(name, value)
    },
  })
  const device = keysOf(ZoneSecret.generate('EDKEY', world.random), { clock: world })
  const publisher = new Publisher({
    ...{ mesh, clock: world, random: world.random, log: silentLog, database },
  })
  const whereabouts = new Whereabouts({
    ...{ mesh, device, database, publisher, clock: world },
    hostKey: new Uint8Array(32),
    hubs: [one.hello(), two.hello()],
  })
  const first = () => whereabouts.record().hubs[0]!.pid
  expect(first()).toEqual(one.self)
  full.is = true
  mesh.introduce(two.hello())
  world.run(5_000)
  expect(whereabouts.hubsUp).toBe(1)
  expect(first()).toEqual(one.self)
  full.is = false
  world.run(31 * 60_000)
  expect(first()).toEqual(two.self)
  whereabouts.close()
  publisher.close()
})
