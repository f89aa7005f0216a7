/** Our own programs as a person uses them: hubs, a device, a controller, each with a state directory of its own. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Fleet } from '../../dist/controller/fleet.js'
import { directoryState } from '../../dist/controller/state.js'
import { zoneFromText } from '../../dist/src/gns/name.js'
import { systemClock } from '../../dist/src/sys/clock.js'
import { folder, startProgram, startScript } from './children.mjs'
import { sleep } from './measure.mjs'

const run = promisify(execFile)
const DIST = join(import.meta.dirname, '..', '..', 'dist')
const AGENT = join(DIST, 'bin', 'box-agent.js')
const LOOK_EVERY_MS = 100
const START_MS = 60_000

/** A running `box-agent`; resolves to { pid, state, status } when it has `neighbours` of them. */
export async function startAgent(name, words, neighbours = 0) {
  const state = folder(name)
  const child = startProgram([process.execPath, AGENT, 'run', '--state', state, ...words])
  const ask = async (...order) =>
    JSON.parse((await run(process.execPath, [AGENT, ...order, '--state', state, '--json'])).stdout)
  for (const deadline = Date.now() + START_MS; ; await sleep(LOOK_EVERY_MS)) {
    const status = await ask('status').catch(() => null)
    const up = status?.neighbours.filter(neighbour => neighbour.state === 'up').length ?? -1
    if (up >= neighbours) return { pid: child.pid, status, ask }
    if (Date.now() > deadline) throw new Error(`${name} has ${up} neighbours`)
  }
}

export const startHub = (words = []) => startAgent('hub', ['--hub', '--listen', '127.0.0.1:0', ...words])

/** The command line of a `box`. */
export const boxCommand = (state, ...words) => [
  process.execPath,
  join(DIST, 'bin', 'box.js'),
  ...['--state', state, ...words],
]

export async function box(state, ...words) {
  const [program, ...args] = boxCommand(state, ...words)
  return (await run(program, args)).stdout
}

/** A hub takes 64 links from one host (src/mesh/transport/legacy/limits.ts): several share a larger fleet. */
const DEVICES_A_HUB = 50

/**
 * So many agents by the script, which gets the words behind the rest, all in one process or so many in each; their hubs, and the state of an
 * owner who knows no more of them than their keys; below `top` each has a directory by its name.
 */
export async function startFleet(count, top, { script = 'targets/agents.mjs', each = count, words = [] } = {}) {
  const hubs = [await startHub()]
  while (hubs.length * DEVICES_A_HUB < count) hubs.push(await startHub(['--hub-url', hubs[0].status.hello]))
  const hellos = hubs.map(({ status }) => status.hello)
  const state = join(folder('controller'), 'state')
  await box(state, 'init', '--ego', 'home')
  for (const hello of hellos) await box(state, 'hub', 'add', hello)
  const { id: zone } = JSON.parse(await box(state, 'id', '--json'))
  const start = first => startScript(script, [Math.min(each, count - first), hellos.join(' '), zone, top, first, ...words].map(String))
  const agents = await Promise.all(Array.from({ length: Math.ceil(count / each) }, (_, i) => start(i * each)))
  const devices = agents.flatMap(({ info }) => info)
  const fleet = new Fleet(directoryState(state, systemClock))
  for (const device of devices)
    await fleet.add({ name: device.name, zone: zoneFromText(device.zone), tags: [], pairedAt: 0, last: null })
  return { state, agents, devices, hubs: hubs.map(({ pid }) => pid) }
}
