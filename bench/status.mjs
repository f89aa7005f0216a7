/**
 * The status of a fleet at one controller: from a change on a device to the event, and what that costs.
 *
 *     node status.mjs [--rounds 3] [--devices 200] [--rate 50] [--seconds 20] [box mosquitto gossipsub]
 *
 * `box` is so many agents in one process, behind hubs of fifty each, and what `box up` follows them with in another. Beside it as many
 * clients of Debian's mosquitto (QoS 1, no TLS, reads everything) with one subscriber, and as many nodes of js gossipsub (Noise) that dial one
 * subscriber. All carry one changed variable in each update. Processor time and memory are those of the controller or subscriber alone, the
 * time of the broker or the hubs stands beside it.
 */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fleet } from '../dist/controller/fleet.js'
import { folder, startProgram, startScript } from './lib/children.mjs'
import { startFleet } from './lib/fleet.mjs'
import { bounded, cpuOf, memoryOf, sleep } from './lib/measure.mjs'
import { freePort } from './lib/mqtt.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'
import { readReport } from './lib/updates.mjs'

const SUBJECTS = ['box', 'mosquitto', 'gossipsub']
const STEP_MS = 280_000
/** What a start leaves to be done: names are published, ways are found. */
const SETTLE_MS = 10_000
/** What is on its way when the last change was made. */
const AFTER_MS = 5_000

async function startBox(file) {
  const words = [rate, seconds].map(String)
  const script = 'targets/status-agents.mjs'
  const { state, agents: all, hubs } = await startFleet(devices, folder('devices'), { script, words })
  const [agents] = all
  const controller = await startScript('targets/status-controller.mjs', [state, file])
  return { agents, controller, between: hubs }
}

async function startMosquitto(file) {
  const port = String(await freePort())
  const path = join(folder('mosquitto'), 'conf')
  writeFileSync(path, `listener ${port} 127.0.0.1\nallow_anonymous true\n`)
  const broker = startProgram(['/usr/sbin/mosquitto', '-c', path])
  const controller = await startScript('targets/mqtt-status.mjs', ['controller', port, file])
  const agents = await startScript('targets/mqtt-status.mjs', ['devices', port, devices, rate, seconds].map(String))
  return { agents, controller, between: [broker.pid] }
}

async function startGossipsub(file) {
  const controller = await startScript('targets/gossip-status.mjs', ['controller', file])
  const words = ['devices', controller.info.address, devices, rate, seconds].map(String)
  return { agents: await startScript('targets/gossip-status.mjs', words), controller, between: [] }
}

const STARTS = { box: startBox, mosquitto: startMosquitto, gossipsub: startGossipsub }

async function measure(start) {
  const file = join(folder('report'), 'figures')
  const { agents, controller, between } = await start(file)
  const cpu = () => [cpuOf(controller.pid), between.reduce((sum, pid) => sum + cpuOf(pid), 0)]
  await sleep(SETTLE_MS)
  const before = cpu()
  agents.kill('SIGUSR2')
  await sleep(1_000 * seconds + AFTER_MS)
  const [own, theirs] = cpu().map((used, i) => used - before[i])
  const { resident } = memoryOf(controller.pid)
  controller.kill('SIGUSR2')
  while (!existsSync(file)) await sleep(50)
  await sleep(100)
  const { events, p50, p99 } = readReport(file)
  const share = (100 * events) / (rate * seconds)
  return { p50, p99, share, cpuMs: (1000 * own) / events, betweenMs: (1000 * theirs) / events, mib: resident }
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
const devices = option(words, 'devices', 200)
const rate = option(words, 'rate', 50)
const seconds = option(words, 'seconds', 20)
if (words[0] === '--one') {
  console.log(JSON.stringify(await bounded(measure(STARTS[words[1]]), STEP_MS, words[1])))
  process.exit(0)
}
const same = ['devices', devices, 'rate', rate, 'seconds', seconds].map((word, i) => (i % 2 ? String(word) : `--${word}`))
printTable(
  `status of ${devices}`,
  runRounds(import.meta.filename, words.length > 0 ? words : SUBJECTS, rounds, () => same),
  [
    ['p50', 'event ms p50', 1],
    ['p99', 'p99', 1],
    ['share', '% heard', 1],
    ['cpuMs', 'controller ms each', 2],
    ['betweenMs', 'broker or hubs ms each', 2],
    ['mib', 'controller MiB', 0],
  ],
  { box: ['mosquitto', 'gossipsub'] },
)
