/**
 * An agent that has nothing to do, with three neighbours: memory and processor time over a minute.
 *
 *     node idle.mjs [--rounds 5] [--seconds 60]
 *
 * Beside it, in the same minute: a hyperdht server on a test network of three nodes, and Node with nothing at all.
 * Anonymous memory is what no file stands behind, so what the kernel cannot take back (/proc/PID/smaps_rollup).
 */

import { startProgram, startScript } from './lib/children.mjs'
import { startAgent, startHub } from './lib/fleet.mjs'
import { cpuOf, memoryOf, sleep } from './lib/measure.mjs'
import { option, printTable } from './lib/table.mjs'

const NEIGHBOURS = 3
/** What belongs to the start is over by then. */
const SETTLE_MS = 20_000
const BARS = { agent: { resident: '<= 60', anonymous: '<= 20', cpu: '< 0.5' } }

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 5)
const seconds = option(words, 'seconds', 60)

const hubs = await Promise.all(Array.from({ length: NEIGHBOURS }, startHub))
const urls = hubs.flatMap(({ status }) => ['--hub-url', status.hello])
const agent = await startAgent('device', urls, NEIGHBOURS)
const network = await startScript('targets/hyperdht.mjs', ['network'])
const hyperdht = await startScript('targets/hyperdht.mjs', ['serve', String(network.info)])
const bare = startProgram([process.execPath, '-e', 'setInterval(() => {}, 1e9)'])
const pids = { agent: agent.pid, hub: hubs[0].pid, hyperdht: hyperdht.pid, 'node alone': bare.pid }
const rows = new Map(Object.keys(pids).map(name => [name, []]))
await sleep(SETTLE_MS)
for (let n = 0; n < rounds; n++) {
  const before = Object.values(pids).map(cpuOf)
  await sleep(seconds * 1_000)
  Object.entries(pids).forEach(([name, pid], at) => {
    const cpu = ((cpuOf(pid) - before[at]) / seconds) * 100
    rows.get(name).push({ ...memoryOf(pid), cpu })
  })
}
const column = (key, title, digits) => [key, title, digits, { agent: BARS.agent[key] }]
const columns = [
  column('resident', 'resident MiB', 1),
  column('anonymous', 'anonymous MiB', 1),
  column('cpu', 'CPU %', 2),
]
printTable('idle', rows, columns, { agent: ['hyperdht', 'node alone'] })
process.exit(0)
