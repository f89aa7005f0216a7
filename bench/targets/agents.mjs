/**
 * Many devices in one process: the real agent, its engine and its applier, each with a peer, a key and a state
 * directory of its own. `agents.mjs COUNT 'HUB …' OWNER FOLDER`: paired with the owner of this zone; each sees as
 * /etc/bench a directory of its own below the folder. The guard beside each agent is left out: a process each.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent } from '../../dist/agent/agent.js'
import { readConfig } from '../../dist/agent/config.js'
import { startEngine } from '../../dist/agent/engine.js'
import { silentLog } from '../../dist/src/base/log.js'
import { memoryStore } from '../../dist/src/base/store.js'
import { memoryEntries } from '../../dist/src/box/audit.js'
import { GrantBook, ownerGrant } from '../../dist/src/box/grant.js'
import { zoneFromText, zoneToText } from '../../dist/src/gns/name.js'
import { systemClock as clock } from '../../dist/src/sys/clock.js'
import { realDisk } from '../../dist/src/sys/disk.js'
import { systemRandom as random } from '../../dist/src/sys/random.js'
import { tcpNetwork } from '../../dist/src/sys/tcp.js'

const SHARED = '/etc/bench'

/** A disk on which what lies at or below `from` really lies at `to`. */
function mapped(from, to) {
  const map = arg =>
    typeof arg === 'string' && (arg === from || arg.startsWith(`${from}/`)) ? to + arg.slice(from.length) : arg
  return Object.fromEntries(Object.entries(realDisk).map(([name, run]) => [name, (...args) => run(...args.map(map))]))
}

async function start(name, hub, owner, top) {
  const directory = join(top, name)
  const etc = join(directory, 'etc')
  mkdirSync(join(directory, 'state'), { recursive: true })
  mkdirSync(etc)
  writeFileSync(join(etc, 'motd'), 'old\n')
  const store = memoryStore()
  new GrantBook(store).set(ownerGrant(owner, { holder: 'home', deviceName: name }, 0))
  const config = readConfig(join(directory, 'state'), { name, mesh: 'embedded', hubs: [hub], roots: [SHARED] })
  const machine = { disk: mapped(SHARED, etc), directory: join(directory, 'state'), network: tcpNetwork }
  const parts = { config, store, clock, random, log: silentLog, audit: memoryEntries(), machine }
  const agent = await Agent.start(parts, startEngine)
  return { name, zone: zoneToText(agent.device.zone), agent }
}

const [, , count, hellos, owner, top] = process.argv
const hubs = hellos.split(' ')
const agents = []
for (let i = 0; i < Number(count); i++)
  agents.push(await start(`d${String(i).padStart(3, '0')}`, hubs[i % hubs.length], zoneFromText(owner), top))
// Each has its link, and its names are out.
for (const { agent } of agents)
  while (agent.status().hubs === 0 || agent.status().published_until === null)
    await new Promise(resolve => setTimeout(resolve, 50))
console.log(`READY ${JSON.stringify(agents.map(({ name, zone }) => ({ name, zone })))}`)
