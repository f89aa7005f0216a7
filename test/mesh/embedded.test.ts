import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { hashCode, type PeerId } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { BLOCK } from '../../src/mesh/dht/blocks.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import { DHT_OPTION } from '../../src/mesh/mesh.ts'
import { closingCompliance, Inbox, meshCompliance, type Pair, portOf } from '../compliance/mesh.ts'
import type { Machine } from '../sim/machine.ts'
import { World } from '../sim/world.ts'

const PORT = 2086

const grow = (machine: Machine, more: { listen?: boolean; hubs?: readonly string[] }) =>
  createEmbedded({
    clock: machine.clock,
    random: machine.random,
    network: machine.network(),
    store: machine.store,
    log: silentLog,
    listen: more.listen ? [{ host: machine.public, port: PORT }] : [],
    hubs: more.hubs ?? [],
  })

/** Waits until each of the peers has so many neighbours. */
async function linked(world: World, meshes: readonly EmbeddedMesh[]): Promise<void> {
  const up = (mesh: EmbeddedMesh) => mesh.status().neighbours.some(({ state }) => state === 'up')
  for (let i = 0; i < 100 && !meshes.every(up); i++) await world.pass(100)
  expect(meshes.every(up), 'the peers find each other').toBe(true)
}

function pair(
  world: World,
  left: EmbeddedMesh,
  right: EmbeddedMesh,
  via: readonly PeerId[],
  others: readonly EmbeddedMesh[],
): Pair {
  return {
    left,
    right,
    via,
    within: (promise, ms) => world.until(promise, ms),
    pass: ms => world.pass(ms),
    close: async () => {
      await Promise.all(others.map(mesh => mesh.close()))
    },
  }
}

async function direct(): Promise<Pair> {
  const world = new World(1)
  const right = await grow(world.host('198.51.100.1'), { listen: true })
  const left = await grow(world.natted('203.0.113.1'), { hubs: [right.hello()] })
  await linked(world, [left, right])
  return pair(world, left, right, [], [])
}

async function throughHub(): Promise<Pair> {
  const world = new World(2)
  const hub = await grow(world.host('198.51.100.1'), { listen: true })
  const left = await grow(world.natted('203.0.113.1'), { hubs: [hub.hello()] })
  const right = await grow(world.natted('203.0.113.2'), { hubs: [hub.hello()] })
  await linked(world, [left, right])
  return pair(world, left, right, [hub.self], [hub])
}

async function throughLossyHub(): Promise<Pair> {
  const world = new World(3)
  const line = { loss: 0.02, jitterMs: 30 }
  const hub = await grow(world.host('198.51.100.1', line), { listen: true })
  const left = await grow(world.natted('203.0.113.1', undefined, line), { hubs: [hub.hello()] })
  const right = await grow(world.natted('203.0.113.2', undefined, line), { hubs: [hub.hello()] })
  await linked(world, [left, right])
  return pair(world, left, right, [hub.self], [hub])
}

meshCompliance('the embedded engine, neighbours', direct)
meshCompliance('the embedded engine, through a hub', throughHub)
meshCompliance('the embedded engine, through a hub on bad lines', throughLossyHub)
describe('at the end', () => {
  closingCompliance('the embedded engine, neighbours', direct)
  closingCompliance('the embedded engine, through a hub', throughHub)
})

test('keeps its peer key in the store', async () => {
  const world = new World(4)
  const machine = world.host('198.51.100.1')
  const first = await grow(machine, {})
  await first.close()
  const second = await grow(machine, {})
  expect(second.self).toEqual(first.self)
  await second.close()
})

test('an idle hub signs and tells its HELLO once an hour, not with every tick of the clock', async () => {
  const world = new World(7)
  const hub = await grow(world.host('198.51.100.1'), { listen: true })
  const leaf = await grow(world.natted('203.0.113.1'), { hubs: [hub.hello()] })
  await linked(world, [hub, leaf])
  world.run(3_600_000)
  expect(leaf.status().counters['dht.received.DHT_P2P_HELLO']).toBeLessThanOrEqual(3)
  await Promise.all([leaf.close(), hub.close()])
})

test('a disk that is full stops nobody who runs already', async () => {
  const world = new World(8)
  const hub = await grow(world.host('198.51.100.1'), { listen: true })
  const machine = world.natted('203.0.113.1')
  const leaf = await grow(machine, { hubs: [hub.hello()] })
  const other = await grow(world.natted('203.0.113.2'), { hubs: [hub.hello()] })
  await linked(world, [hub, leaf, other])
  machine.store.set = () => {
    throw new BoxError('STATE_UNWRITABLE', 'The disk is full.')
  }
  // The addresses of peers are saved after half an hour, the clock of invitations after one.
  world.run(2 * 3_600_000)
  const pairs: [EmbeddedMesh, EmbeddedMesh][] = [
    [leaf, other],
    [other, leaf],
  ]
  for (const [from, to] of pairs) {
    to.listen(portOf('sturdy'), channel => channel.attach(new Inbox()))
    const opening = from.connect(to.self, portOf('sturdy'), { via: [[hub.self]] })
    expect((await world.until(opening, 5_000)).peer).toEqual(to.self)
  }
  await Promise.all([leaf.close(), other.close(), hub.close()])
})

test('leaves no timer behind when it is closed', async () => {
  const world = new World(5)
  const hub = await grow(world.host('198.51.100.1'), { listen: true })
  const leaf = await grow(world.natted('203.0.113.1'), { hubs: [hub.hello()] })
  await linked(world, [hub, leaf])
  await leaf.close()
  await hub.close()
  await world.pass(3_600_000)
  expect(world.pending).toBe(0)
})

test('a block put in the same turn as the close has left', async () => {
  const world = new World(6)
  const hub = await grow(world.host('198.51.100.1'), { listen: true })
  const leaf = await grow(world.natted('203.0.113.1'), { hubs: [hub.hello()] })
  await linked(world, [hub, leaf])
  await world.pass(5_000)
  const data = new TextEncoder().encode('last words')
  const block = { type: BLOCK.test, key: hashCode(sha512(data)), data }
  const expiresAt = world.host('198.51.100.2').clock.now() + 3_600_000
  leaf.dht.put({ ...block, expiresAt, replication: 1, options: DHT_OPTION.everywhere })
  await leaf.close()
  await world.pass(5_000)
  const found: Uint8Array[] = []
  const query = { type: block.type, key: block.key, replication: 1, options: 0 }
  hub.dht.get(query, result => found.push(result.data))
  await world.pass(1_000)
  await hub.close()
  expect(found).toEqual([data])
})
