/** How often the agent writes to its disk, which on a router is flash: counted over some hours. */

import { expect, test } from 'vitest'
import { Agent } from '../../agent/agent.ts'
import { silentLog } from '../../src/base/log.ts'
import type { Store } from '../../src/base/store.ts'
import { memoryEntries } from '../../src/box/audit.ts'
import { createEmbedded } from '../../src/mesh/embedded.ts'
import { World } from '../sim/world.ts'
import { CONFIG } from './home.ts'

const HOURS = 6
/**
 * Each replaces a file of at most some kilobytes: an erase block of 64 KiB or two. Flash of a router bears
 * 100,000 erasures of each of its blocks, and the file system spreads them over hundreds.
 */
const WRITES_A_DAY_MAX = 300

test('a device that is idle spares the flash', { timeout: 300_000 }, async () => {
  const world = new World(1)
  const hubMachine = world.host('198.51.100.1')
  const grow = (machine: typeof hubMachine, more: { listen?: boolean; hubs?: readonly string[] }) =>
    createEmbedded({
      clock: machine.clock,
      random: machine.random,
      network: machine.network(),
      store: machine.store,
      log: silentLog,
      listen: more.listen ? [{ host: machine.public, port: 2086 }] : [],
      hubs: more.hubs ?? [],
    })
  const hub = await grow(hubMachine, { listen: true })
  const machine = world.natted('203.0.113.1')
  const counts = new Map<string, number>()
  const store: Store = {
    ...machine.store,
    get: name => machine.store.get(name),
    names: () => machine.store.names(),
    delete: name => machine.store.delete(name),
    set: (name, value) => {
      const kind = name.split('.')[0]!
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
      machine.store.set(name, value)
    },
  }
  const hubs = [hub.hello()]
  const { clock, random } = machine
  const config = { ...CONFIG, hubs }
  const parts = { config, store, clock, random, log: silentLog, audit: memoryEntries() }
  const agent = await Agent.start(parts, ({ store }) =>
    createEmbedded({
      clock,
      random,
      network: machine.network(),
      store,
      log: silentLog,
      listen: [],
      hubs,
    }),
  )
  await world.pass(60_000)
  counts.clear() // The first start makes the keys.
  await world.pass(HOURS * 3_600_000)
  const total = ([...counts.values()].reduce((a, b) => a + b, 0) * 24) / HOURS
  console.log(`writes a day: ${total}`, Object.fromEntries(counts))
  expect(agent.status().neighbours.some(({ state }) => state === 'up')).toBe(true)
  await world.until(agent.close(), 10_000)
  await world.until(hub.close(), 10_000)
  expect(total).toBeLessThan(WRITES_A_DAY_MAX)
})
