/**
 * Streams beside each other in one run: cold session, new channel, 64-byte echo, throughput.
 *
 *     node stream.mjs [--rounds 5] [--mib 128] [box box-hub gnunet gnunet-hub hyperdht ssh2]
 *
 * Prints a table of medians; every round runs every target once, so that all share the machine's moods.
 */

import { spawnSync } from 'node:child_process'
import { bounded, cpuOf, median, now, quantile, round, sleep } from './lib/measure.mjs'
import { download, echo, firstByte } from './lib/service.mjs'

const TARGETS = ['box', 'box-hub', 'gnunet', 'gnunet-hub', 'hyperdht', 'ssh2']
const COLD_TRIES = 5
const CHANNEL_TRIES = 20
const ECHOES = 1_000
const STEP_MS = 120_000

async function measure(name, mib) {
  if (name.endsWith('-hub')) process.env.HOPS = '2'
  const module = await import(`./targets/${name.replace(/-hub$/, '')}.mjs`)
  const target = await bounded(module.start(), STEP_MS, 'start')
  try {
    return await bounded(figures(target, mib), STEP_MS, name)
  } finally {
    await target.stop()
  }
}

async function figures(target, mib) {
  const result = {}
  if (!target.coldless) {
    const times = []
    for (let n = 0; n < COLD_TRIES; n++) {
      const begin = now()
      const session = await target.connect()
      const stream = await session.open()
      await firstByte(stream)
      times.push(now() - begin)
      stream.destroy()
      await session.close()
    }
    result.coldMs = median(times)
  }
  const session = await target.connect()
  const warm = await session.open()
  await firstByte(warm)
  const channels = []
  for (let n = 0; n < CHANNEL_TRIES; n++) {
    const begin = now()
    const stream = await session.open()
    await firstByte(stream)
    channels.push(now() - begin)
    stream.destroy()
    await sleep(5)
  }
  result.channelMs = median(channels)
  await echo(await session.open(), 300, 64)
  const times = await echo(await session.open(), ECHOES, 64)
  result.echoUs = median(times) * 1_000
  result.echo99Us = quantile(times, 0.99) * 1_000
  const before = cpuOf(process.pid)
  result.mibPerSecond = await download(await session.open(), mib)
  result.clientCpuPerGib = ((cpuOf(process.pid) - before) * 1_024) / mib
  warm.destroy()
  return result
}

const words = process.argv.slice(2)
const option = (name, fallback) => {
  const at = words.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(words.splice(at, 2)[1])
}
const rounds = option('rounds', 5)
const mib = option('mib', 128)

if (words[0] === '--one') {
  console.log(JSON.stringify(await measure(words[1], mib)))
  process.exit(0)
}

const chosen = words.length > 0 ? words : TARGETS
const rows = new Map(chosen.map(name => [name, []]))
for (let n = 0; n < rounds; n++)
  for (const name of chosen) {
    const size = name.startsWith('gnunet') ? Math.min(mib, 16) : mib
    const args = ['--no-deprecation', import.meta.filename, '--mib', String(size), '--one', name]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 300_000 })
    if (status === 0) rows.get(name).push(JSON.parse(stdout.trim().split('\n').at(-1)))
    else console.error(`${name}: ${stderr.trim().split('\n').slice(-3).join(' ')}`)
  }
const columns = [
  ['coldMs', 'cold ms', 0],
  ['channelMs', 'new channel ms', 1],
  ['echoUs', 'echo p50 us', 0],
  ['echo99Us', 'echo p99 us', 0],
  ['mibPerSecond', 'MiB/s', 1],
  ['clientCpuPerGib', 'client CPU s/GiB', 1],
]
console.log(`| target | runs | ${columns.map(column => column[1]).join(' | ')} |`)
console.log(`|---|${'---:|'.repeat(columns.length + 1)}`)
for (const [name, results] of rows) {
  const cells = columns.map(([key, , digits]) => {
    const values = results.map(result => result[key]).filter(value => typeof value === 'number')
    return values.length > 0 ? round(median(values), digits) : '-'
  })
  console.log(`| ${name} | ${results.length} | ${cells.join(' | ')} |`)
}
