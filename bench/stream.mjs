/**
 * Streams beside each other in one run: cold session, new channel, 64-byte echo, throughput both ways.
 *
 *     node stream.mjs [--rounds 5] [--mib 128] [box box-hub gnunet gnunet-hub hyperdht ssh2]
 *
 * Prints a table of medians, and what ours are to the others'. Processor time is that of the client's process.
 */

import { bounded, cpuOf, median, now, quantile, sleep } from './lib/measure.mjs'
import { download, echo, firstByte, upload } from './lib/service.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'

const TARGETS = ['box', 'gnunet', 'hyperdht', 'ssh2', 'box-hub', 'gnunet-hub']
const AGAINST = { box: ['gnunet', 'hyperdht', 'ssh2'], 'box-hub': ['gnunet-hub'] }
const COLD_TRIES = 3
const CHANNEL_TRIES = 10
const ECHOES = 1_000
/** Until V8 has compiled what runs often; everybody gets as many. Most of a program's life comes after that. */
const WARM_UP = 4_000
/** What an echo takes before that, in a program that has just started. */
const FRESH = 300
const STEP_MS = 180_000
/** A transfer that takes longer has no figure; GNUnet's CADET may need seconds for a mebibyte. */
const TRANSFER_MS = 30_000
const GNUNET_MIB = 4
const COLUMNS = [
  ['coldMs', 'cold ms', 0],
  ['channelMs', 'new channel ms', 1, { box: '<= 3', 'box-hub': '<= 3' }],
  ['echoUs', 'echo p50 us', 0, { box: '<= 300', 'box-hub': '<= 600' }],
  ['firstEchoUs', 'the first 300, p50 us', 0],
  ['echo99Us', 'echo p99 us', 0],
  ['echoCpuUs', 'CPU us/echo', 0],
  ['downMibPerSecond', 'down MiB/s', 1, { box: '>= 35', 'box-hub': '>= 20' }],
  ['upMibPerSecond', 'up MiB/s', 1, { box: '>= 35', 'box-hub': '>= 20' }],
  ['downCpuPerGib', 'down CPU s/GiB', 1],
  ['upCpuPerGib', 'up CPU s/GiB', 1],
]

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
  result.firstEchoUs = median(await echo(await session.open(), FRESH, 64)) * 1_000
  await echo(await session.open(), WARM_UP, 64)
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
  let before = cpuOf(process.pid)
  const times = await echo(await session.open(), ECHOES, 64)
  result.echoCpuUs = ((cpuOf(process.pid) - before) * 1e6) / ECHOES
  result.echoUs = median(times) * 1_000
  result.echo99Us = quantile(times, 0.99) * 1_000
  for (const [way, move] of [
    ['down', download],
    ['up', upload],
  ]) {
    const stream = await session.open()
    before = cpuOf(process.pid)
    try {
      result[`${way}MibPerSecond`] = await bounded(move(stream, mib), TRANSFER_MS, way)
    } catch (error) {
      console.error(error.message)
      stream.destroy()
      continue
    }
    result[`${way}CpuPerGib`] = ((cpuOf(process.pid) - before) * 1_024) / mib
    stream.destroy()
  }
  warm.destroy()
  return result
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 5)
const mib = option(words, 'mib', 128)
if (words[0] === '--one') {
  console.log(JSON.stringify(await measure(words[1], mib)))
  process.exit(0)
}
const chosen = words.length > 0 ? words : TARGETS
const sizeOf = name => String(name.startsWith('gnunet') ? Math.min(mib, GNUNET_MIB) : mib)
const rows = runRounds(import.meta.filename, chosen, rounds, name => ['--mib', sizeOf(name)])
printTable('stream', rows, COLUMNS, AGAINST)
