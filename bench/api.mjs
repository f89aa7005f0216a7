/**
 * The local API of `box up` under load (autocannon), with many devices of which much changes meanwhile:
 *
 *     node api.mjs [--rounds 3] [--devices 500] [--changes 100] [--connections 10] [--seconds 10] [SUBJECT …]
 *
 * The service is what people run; only what devices say about themselves is made up (lib/crowd.mjs). As many
 * connections ask, each again as soon as it has its answer: more than the programs of one person do. `fleet 1/s` is
 * the fleet as it is polled, each connection once a second. Load, service and devices share the machine.
 */

import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'
import { folder, startScript } from './lib/children.mjs'
import { bounded, cpuOf, memoryOf } from './lib/measure.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'

const STEP_MS = 120_000
const DEVICE = '/v1/devices/d007'
const SUBJECTS = {
  fleet: { path: '/v1/devices' },
  'fleet 1/s': { path: '/v1/devices', perSecond: 1 },
  device: { path: DEVICE },
  history: { path: `${DEVICE}/history` },
  metrics: { path: '/metrics' },
  about: { path: '/v1/about' },
  page: { path: '/page.js' },
  'tags, POST': { path: `${DEVICE}/tags`, body: { add: ['lab'], remove: ['attic'] } },
}

async function measure(name, { devices, changes, connections, seconds }) {
  const { path, body, perSecond } = SUBJECTS[name]
  const up = await startScript('targets/up.mjs', [folder('up'), String(devices), String(changes)])
  const { api, token } = up.info
  const headers = { authorization: `Bearer ${readFileSync(token, 'utf8').trim()}` }
  const cpu = cpuOf(up.pid)
  const result = await autocannon({
    ...{ url: api + path, connections, duration: seconds, headers },
    ...(perSecond && { overallRate: perSecond * connections }),
    ...(body && { method: 'POST', body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } }),
  })
  const failed = result.non2xx + result.errors + result.timeouts
  if (failed > 0) throw new Error(`${failed} of ${result.requests.total} were not answered well`)
  const figures = {
    ...{ rate: result.requests.average, p50: result.latency.p50, p99: result.latency.p99, max: result.latency.max },
    cpuMs: (1_000 * (cpuOf(up.pid) - cpu)) / result.requests.total,
    resident: memoryOf(up.pid).resident,
  }
  up.kill('SIGTERM')
  await up.exited
  return figures
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
const amounts = {
  devices: option(words, 'devices', 500),
  changes: option(words, 'changes', 100),
  connections: option(words, 'connections', 10),
  seconds: option(words, 'seconds', 10),
}
if (words[0] === '--one') {
  console.log(JSON.stringify(await bounded(measure(words[1], amounts), STEP_MS, words[1])))
  process.exit(0)
}
const passedOn = Object.entries(amounts).flatMap(([name, value]) => [`--${name}`, String(value)])
const subjects = words.length > 0 ? words : Object.keys(SUBJECTS)
printTable(
  `API, ${amounts.connections} connections`,
  runRounds(import.meta.filename, subjects, rounds, () => passedOn),
  [
    ['rate', 'answers a second', 0],
    ['p50', 'p50 ms', 0],
    ['p99', 'p99 ms', 0],
    ['max', 'longest', 0],
    ['cpuMs', 'processor time each ms', 2],
    ['resident', 'memory MiB', 0],
  ],
)
