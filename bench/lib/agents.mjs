/** The real agent, its engine and its applier, many times in one process: each with a peer, a key and a state directory of its own. */

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
import { sleep } from './measure.mjs'

export const SHARED = '/etc/bench'
const LOOK_EVERY_MS = 50

/** A disk on which what lies at or below `from` really lies at `to`. */
function mapped(from, to) {
  const map = arg =>
    typeof arg === 'string' && (arg === from || arg.startsWith(`${from}/`)) ? to + arg.slice(from.length) : arg
  return Object.fromEntries(Object.entries(realDisk).map(([name, run]) => [name, (...args) => run(...args.map(map))]))
}

async function start(name, hub, owner, top) {
  const directory = join(top, name)
  const etc = join(directory, 'etc')
  const state = join(directory, 'state')
  mkdirSync(state, { recursive: true })
  mkdirSync(etc)
  writeFileSync(join(etc, 'motd'), 'old\n')
  const store = memoryStore()
  new GrantBook(store).set(ownerGrant(owner, { holder: 'home', deviceName: name }, 0))
  const files = { alertsFile: join(state, 'alerts.json'), servicesFile: join(state, 'services.json') }
  // As in the fleet of OpenSSH (sshd-fleet.mjs): what an administrator's bash does at its start is no figure of ours.
  const config = readConfig(state, { name, hubs: [hub], roots: [SHARED], shell: '/bin/sh', ...files })
  const machine = { disk: mapped(SHARED, etc), directory: state, network: tcpNetwork }
  const parts = { config, store, clock, random, log: silentLog, audit: memoryEntries(), machine }
  const agent = await Agent.start(parts, startEngine)
  return { name, zone: zoneToText(agent.device.zone), agent }
}

/** Numbered from `first`. Until each has its link, and its names are out. */
export async function startAgents(count, hellos, owner, top, first = 0) {
  const hubs = hellos.split(' ')
  const agents = []
  for (let i = first; i < first + count; i++)
    agents.push(await start(`d${String(i).padStart(3, '0')}`, hubs[i % hubs.length], zoneFromText(owner), top))
  for (const { agent } of agents)
    while (agent.status().hubs === 0 || agent.status().published_until === null) await sleep(LOOK_EVERY_MS)
  return agents
}
