/**
 * One short command on a fleet, all that it prints collected, over connections that are there already.
 *
 *     node exec.mjs [--rounds 3] [box-50 ssh2-50 ansible-50 pssh-50 box-200]
 *
 * `box` is so many agents (targets/agents.mjs), five in a process, behind hubs of fifty each, and a running `box up`: asked over its API by a
 * process that is there, as a page or a program does, and by a whole `box exec` from its start. `ssh2` is a process with an open
 * session to each of so many addresses of one OpenSSH server, `ansible` its `raw` over the connections it keeps, the second
 * time, and `pssh` parallel-ssh, which keeps none. Those need root, `openssh-server`, `ansible-core`, `pssh`.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, startProgram } from './lib/children.mjs'
import { run, sharedMemoryOf } from './lib/family.mjs'
import { box, boxCommand, startFleet } from './lib/fleet.mjs'
import { bounded, cpuOf, median, now, sleep } from './lib/measure.mjs'
import { startSshdFleet } from './lib/sshd-fleet.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'

const SUBJECTS = ['box-50', 'ssh2-50', 'ansible-50', 'pssh-50', 'box-200']
const COMMAND = 'echo here'
const STEP_MS = 900_000
/** What of a fleet is known after its first time is not known before. */
const WARM = 2
const TIMES = 5
const LOOK_EVERY_MS = 200
/** By then devices are through with what they do once after their start, and no two figures have that in them. */
const SETTLED_MS = 20_000
/** Starting a program copies what the kernel knows of the memory of who starts it: fifty devices in one process would pay for each other. */
const DEVICES_A_PROCESS = 5

/** Milliseconds of each, after some that do not count. */
async function times(once, warm = WARM, count = TIMES) {
  for (let i = 0; i < warm; i++) await once()
  const took = []
  for (let i = 0; i < count; i++) {
    const begin = now()
    await once()
    took.push(now() - begin)
  }
  return took
}

async function measureBox(count) {
  const { state, devices, agents } = await startFleet(count, folder('devices'), { each: DEVICES_A_PROCESS })
  const devicesCpu = () => agents.reduce((sum, { pid }) => sum + cpuOf(pid), 0)
  const up = startProgram(boxCommand(state, 'up', '--port', '0'))
  const address = await untilRead(join(state, 'api-address'))
  const authorization = `Bearer ${await untilRead(join(state, 'api-token'))}`
  const ask = (path, body) =>
    fetch(address + path, {
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    })
  // Warm is a `box up` that has met every device.
  for (;;) {
    const { devices: seen } = await (await ask('/v1/devices')).json()
    if (seen.filter(({ stale }) => !stale).length === count) break
    await sleep(LOOK_EVERY_MS)
  }
  await sleep(SETTLED_MS)
  const overApi = async () => {
    const said = await (await ask('/v1/exec', { selector: '@all', command: COMMAND })).text()
    mustBe(said.trim().split('\n').map(JSON.parse).filter(({ exit_code: code }) => code === 0).length, count)
  }
  const begin = now()
  await overApi()
  const firstMs = now() - begin
  const [cpu, deviceCpu] = [cpuOf(up.pid), devicesCpu()]
  const api = await times(overApi)
  const perTime = seconds => (1_000 * seconds) / (TIMES + WARM)
  const cpuMs = perTime(cpuOf(up.pid) - cpu)
  const deviceCpuMs = perTime(devicesCpu() - deviceCpu)
  const mib = sharedMemoryOf([up.pid])
  const whole = await times(async () => mustBe(lines(await box(state, 'exec', '--all', '--json', '--', COMMAND)), count), 1, 3)
  return { firstMs, ms: median(api), eachMs: median(api) / devices.length, wholeMs: median(whole), cpuMs, deviceCpuMs, mib }
}

async function measureSsh2(count) {
  const { default: ssh2 } = await import('ssh2')
  const { addresses, port, account, key } = await startSshdFleet(folder('sshd'), count)
  const privateKey = readFileSync(key)
  const begin = now()
  const clients = await Promise.all(
    addresses.map(
      host =>
        new Promise((resolve, reject) => {
          const client = new ssh2.Client()
          client.once('ready', () => resolve(client)).once('error', reject)
          client.connect({ host, port, username: account, privateKey, readyTimeout: 60_000 })
        }),
    ),
  )
  const firstMs = now() - begin
  const once = client =>
    new Promise((resolve, reject) =>
      client.exec(COMMAND, (error, channel) => {
        if (error) return reject(error)
        let said = ''
        channel.on('data', data => (said += data)).once('close', () => resolve(said))
      }),
    )
  const cpu = process.cpuUsage()
  const took = await times(async () => mustBe((await Promise.all(clients.map(once))).join('').trim().split('\n').length, count))
  const used = process.cpuUsage(cpu)
  const cpuMs = (used.user + used.system) / 1_000 / (TIMES + WARM)
  return { firstMs, ms: median(took), eachMs: median(took) / count, cpuMs, mib: sharedMemoryOf([process.pid]) }
}

async function measureAnsible(count) {
  const home = folder('ansible')
  const { ansible, env } = await startSshdFleet(home, count)
  const once = () => run([...ansible, '-f', String(count), '-m', 'raw', '-a', COMMAND], env, join(home, 'cp'))
  const first = await once()
  const again = await once()
  mustBe(again.said.match(/^here/gm)?.length, count)
  return { firstMs: 1_000 * first.seconds, wholeMs: 1_000 * again.seconds, mib: again.mib }
}

async function measurePssh(count) {
  const home = folder('pssh')
  const { addresses, port, account, key } = await startSshdFleet(home, count)
  const hosts = join(home, 'list')
  writeFileSync(hosts, addresses.map(host => `${account}@${host}:${port}\n`).join(''))
  const trust = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${home}/known`, `IdentityFile=${key}`, 'LogLevel=ERROR']
  const words = ['-h', hosts, '-p', String(count), '-i', ...trust.flatMap(word => ['-O', word]), COMMAND]
  const once = () => run(['parallel-ssh', ...words], {}, home)
  const first = await once()
  const again = await once()
  mustBe(again.said.match(/^here/gm)?.length, count)
  return { firstMs: 1_000 * first.seconds, wholeMs: 1_000 * again.seconds, mib: again.mib }
}

const lines = text => text.trim().split('\n').length

function mustBe(found, wanted) {
  if (found !== wanted) throw new Error(`${found} of ${wanted} answered`)
}

async function untilRead(path) {
  for (;;)
    try {
      return readFileSync(path, 'utf8').trim()
    } catch {
      await sleep(LOOK_EVERY_MS) // It is still starting.
    }
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
if (words[0] === '--one') {
  const [what, count] = words[1].split('-')
  const measure = { box: measureBox, ssh2: measureSsh2, ansible: measureAnsible, pssh: measurePssh }[what]
  console.log(JSON.stringify(await bounded(measure(Number(count)), STEP_MS, words[1])))
  process.exit(0)
}
printTable(
  'a command on a fleet',
  runRounds(import.meta.filename, words.length > 0 ? words : SUBJECTS, rounds),
  [
    ['firstMs', 'first time ms', 0],
    ['ms', 'warm, in a process that is there ms', 0, { 'box-50': '<= 300' }],
    ['eachMs', 'ms a device', 1],
    ['wholeMs', 'warm, whole program ms', 0],
    ['cpuMs', 'processor time of the asking side ms', 0],
    ['deviceCpuMs', 'of the devices ms', 0],
    ['mib', 'memory MiB', 0],
  ],
  { 'box-50': ['ssh2-50', 'ansible-50', 'pssh-50'] },
)
