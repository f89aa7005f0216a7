/**
 * The GNUnet engine beside GNUnet's own C client, on the same two daemons: throughput of one channel, and the
 * round trip of 64 bytes. Needs Debian's gnunet and `npm run build`.
 *
 *     node gnunet-engine.mjs [--rounds 5] [--mib 32]
 *
 * Rounds alternate, so that all share the machine's moods. `engine` sends messages as they are, `stream` what
 * SSH uses (src/mesh/duplex.ts), `gnunet-cadet` is the tool, from a pipe into a pipe.
 */

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { asDuplex } from '../dist/src/mesh/duplex.js'
import { createGnunet } from '../dist/src/mesh/gnunet.js'
import { systemClock } from '../dist/src/sys/clock.js'
import { gnunetInstallation } from '../dist/src/sys/gnunet-installation.js'
import { systemRandom } from '../dist/src/sys/random.js'
import { dialUnix } from '../dist/src/sys/unix-socket.js'
import { startScript } from './lib/children.mjs'
import { bounded, cpuOf, median, now, quantile, round, sleep } from './lib/measure.mjs'

const LAB = join(import.meta.dirname, '..', 'test', 'interop', 'lab.sh')
/** As much as the tool puts into one message. */
const MESSAGE_BYTES = 60_000
const ECHO_BYTES = 64
const ECHOES = 300
const STEP_MS = 120_000
const MIB = 1024 * 1024
const TYPE = 0xbdf0

const portOf = name => new Uint8Array(createHash('sha512').update(name).digest())
const attach = file =>
  createGnunet({
    clock: systemClock,
    random: systemRandom,
    log: { note: () => {} },
    dial: dialUnix,
    installation: gnunetInstallation,
    file,
  })

function message(size) {
  const raw = new Uint8Array(4 + size)
  new DataView(raw.buffer).setUint16(0, raw.length)
  new DataView(raw.buffer).setUint16(2, TYPE)
  return raw
}

/** The far end: says how much has come when it is complete, echoes, counts a stream. */
async function serve(file) {
  const mesh = await attach(file)
  mesh.listen(portOf('sink'), channel => {
    let left = Infinity
    const taken = raw => {
      if (left === Infinity) left = new DataView(raw.buffer, raw.byteOffset).getUint32(4)
      else left -= raw.length - 4
      if (left <= 0) channel.send(message(1))
    }
    channel.attach({ message: taken, drained: () => {}, closed: () => {} })
  })
  mesh.listen(portOf('echo'), channel =>
    channel.attach({
      message: raw => void channel.send(raw.slice()),
      drained: () => {},
      closed: () => {},
    }),
  )
  mesh.listen(portOf('stream'), channel => {
    const stream = asDuplex(channel, systemClock)
    let bytes = 0
    stream.on('data', chunk => {
      bytes += chunk.length
    })
    stream.on('end', () => stream.end(String(bytes)))
    stream.on('error', () => {})
  })
  console.log('READY null')
}

const opened = async (mesh, peer, port) => {
  const channel = await mesh.connect(peer, portOf(port))
  let wake = () => {}
  const heard = { message: () => {}, drained: () => wake(), closed: reason => heard.lost?.(reason) }
  channel.attach({
    message: raw => heard.message(raw),
    drained: () => heard.drained(),
    closed: reason => heard.closed(reason),
  })
  const drained = () =>
    new Promise(resolve => {
      wake = resolve
    })
  return { channel, heard, drained }
}

async function engineBulk(mesh, peer, mib) {
  const { channel, heard, drained } = await opened(mesh, peer, 'sink')
  const done = new Promise((resolve, reject) => {
    heard.message = resolve
    heard.lost = reject
  })
  const head = message(4)
  new DataView(head.buffer).setUint32(4, mib * MIB)
  const begin = now()
  channel.send(head)
  for (let left = mib * MIB; left > 0; left -= MESSAGE_BYTES)
    if (!channel.send(message(Math.min(left, MESSAGE_BYTES)))) await drained()
  await done
  const seconds = (now() - begin) / 1_000
  channel.close()
  return mib / seconds
}

async function streamBulk(mesh, peer, mib) {
  const stream = asDuplex(await mesh.connect(peer, portOf('stream')), systemClock)
  const chunk = Buffer.alloc(64 * 1024)
  const begin = now()
  for (let left = mib * MIB; left > 0; left -= chunk.length)
    if (!stream.write(chunk.subarray(0, Math.min(left, chunk.length))))
      await new Promise(resolve => stream.once('drain', resolve))
  stream.end()
  let said = ''
  for await (const part of stream) said += part
  if (Number(said) !== mib * MIB) throw new Error(`${said} bytes came`)
  return mib / ((now() - begin) / 1_000)
}

async function engineEcho(mesh, peer) {
  const { channel, heard } = await opened(mesh, peer, 'echo')
  const times = []
  for (let n = 0; n <= ECHOES; n++) {
    const begin = now()
    const back = new Promise(resolve => {
      heard.message = resolve
    })
    channel.send(message(ECHO_BYTES))
    await back
    // The first has the way to find.
    if (n > 0) times.push(now() - begin)
  }
  channel.close()
  return times
}

const tool = (conf, ...words) =>
  spawn('gnunet-cadet', ['-c', conf, ...words], { stdio: ['pipe', 'pipe', 'ignore'] })

async function toolBulk(confs, peer, mib) {
  const listener = tool(confs[1], '-o', 'bulk')
  await sleep(300)
  const sender = tool(confs[0], peer, 'bulk')
  sender.stdin.on('error', () => {})
  let left = mib * MIB
  let first = 0
  const done = new Promise(resolve =>
    listener.stdout.on('data', data => {
      first ||= now()
      left -= data.length
      if (left <= 0) resolve()
    }),
  )
  const chunk = Buffer.alloc(64 * 1024)
  // One byte brings the channel about; the rest is timed from its arrival on.
  sender.stdin.write(Buffer.alloc(1))
  while (first === 0) await sleep(1)
  for (let sent = 0; sent < mib * MIB; sent += chunk.length)
    if (!sender.stdin.write(chunk)) await new Promise(resolve => sender.stdin.once('drain', resolve))
  await done
  const seconds = (now() - first) / 1_000
  sender.kill()
  listener.kill()
  return mib / seconds
}

async function toolEcho(confs, peer) {
  const listener = tool(confs[1], '-o', 'line', '-e')
  await sleep(300)
  const sender = tool(confs[0], peer, 'line')
  const line = Buffer.alloc(ECHO_BYTES, 0x61)
  line[ECHO_BYTES - 1] = 0x0a
  const times = []
  for (let n = 0; n <= ECHOES; n++) {
    const begin = now()
    const back = new Promise(resolve => {
      let wanted = line.length
      const take = data => {
        wanted -= data.length
        if (wanted > 0) return
        sender.stdout.off('data', take)
        resolve()
      }
      sender.stdout.on('data', take)
    })
    sender.stdin.write(line)
    await back
    if (n > 0) times.push(now() - begin)
  }
  sender.kill()
  listener.kill()
  return times
}

const words = process.argv.slice(2)
if (words[0] === 'serve') await serve(words[1])
else {
  const option = (name, fallback) => {
    const at = words.indexOf(`--${name}`)
    return at < 0 ? fallback : Number(words[at + 1])
  }
  const [rounds, mib] = [option('rounds', 5), option('mib', 32)]
  const env = { LAB_DIR: `/tmp/bg${process.pid}`, LAB_PORT: '29300', ...process.env, LAB_MIN: '1' }
  const lab = (...all) => execFileSync('bash', [LAB, ...all], { env, encoding: 'utf8' }).trim()
  lab('up', '2', 'line')
  try {
    const confs = [lab('conf', '1'), lab('conf', '2')]
    const name = lab('id', '2')
    const far = await startScript('gnunet-engine.mjs', ['serve', confs[1]])
    const [near, other] = [await attach(confs[0]), await attach(confs[1])]
    const peer = other.self
    await other.close()
    const bulk = { engine: [], stream: [], 'gnunet-cadet': [] }
    const echo = { engine: [], 'gnunet-cadet': [] }
    let cpu = 0
    for (let n = 0; n < rounds; n++) {
      const before = cpuOf(process.pid)
      bulk.engine.push(await bounded(engineBulk(near, peer, mib), STEP_MS, 'engine'))
      cpu += cpuOf(process.pid) - before
      bulk['gnunet-cadet'].push(await bounded(toolBulk(confs, name, mib), STEP_MS, 'gnunet-cadet'))
      bulk.stream.push(await bounded(streamBulk(near, peer, mib), STEP_MS, 'stream'))
      echo.engine.push(...(await bounded(engineEcho(near, peer), STEP_MS, 'echo')))
      echo['gnunet-cadet'].push(...(await bounded(toolEcho(confs, name), STEP_MS, 'tool echo')))
    }
    await near.close()
    far.kill()
    console.log('| client | MiB/s (median of rounds, least - most) | echo p50 ms | echo p99 ms |')
    console.log('|---|---:|---:|---:|')
    for (const [client, values] of Object.entries(bulk)) {
      const times = echo[client] ?? []
      const range = `${round(Math.min(...values))} - ${round(Math.max(...values))}`
      console.log(
        `| ${client} | ${round(median(values))} (${range}) | ${round(median(times), 2) ?? '-'} | ${round(quantile(times, 0.99), 2) ?? '-'} |`,
      )
    }
    const of = client => median(bulk[client])
    console.log(`throughput, engine / gnunet-cadet: ${round(of('engine') / of('gnunet-cadet'), 2)}`)
    console.log(`throughput, stream / gnunet-cadet: ${round(of('stream') / of('gnunet-cadet'), 2)}`)
    const echoOf = client => median(echo[client])
    console.log(`round trip, gnunet-cadet / engine: ${round(echoOf('gnunet-cadet') / echoOf('engine'), 2)}`)
    console.log(`CPU of the sending engine: ${round((cpu * 1_024) / (mib * rounds), 2)} s/GiB`)
  } finally {
    lab('down')
  }
  process.exit(0)
}
