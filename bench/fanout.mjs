/**
 * An update of 256 bytes to twenty members of a room, all in one process:
 *
 *     node fanout.mjs [--rounds 3] [--members 20] [--messages 200] [box box-tree mosquitto gossipsub]
 *
 * `box` is a room whose host hands on to all itself, `box-tree` one whose members hand on, four each, over direct links; both
 * encrypt for the group, sign, and go through all of the engine (CADET's ratchet, CORE) on loopback TCP. `mosquitto` is Debian's
 * broker without TLS, which reads everything and is a process of its own; `gossipsub` js libp2p with Noise, each dialling the publisher and another.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, startProgram } from './lib/children.mjs'
import { measureFanout } from './lib/fanout.mjs'
import { bounded } from './lib/measure.mjs'
import { connectMqtt, freePort } from './lib/mqtt.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'

const SUBJECTS = ['box', 'box-tree', 'mosquitto', 'gossipsub']
const STEP_MS = 280_000

async function measureRoom(count, options) {
  const { startRoom } = await import('./lib/room.mjs')
  const { host, members } = await startRoom(count, options)
  const say = async data => void host.announce({ method: '_message', data })
  return await measureFanout(
    say,
    members.map(({ heard }) => hear => (heard.said = ({ data }) => hear(data))),
    messages,
  )
}

async function measureMosquitto(count) {
  const port = await freePort()
  const path = join(folder('mosquitto'), 'conf')
  writeFileSync(path, `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n`)
  startProgram(['/usr/sbin/mosquitto', '-c', path])
  const publisher = await connectMqtt(port)
  const listeners = []
  for (let i = 0; i < count; i++) {
    const client = await connectMqtt(port)
    await client.subscribeAsync('room', { qos: 1 })
    listeners.push(hear => client.on('message', (_topic, data) => hear(data)))
  }
  return await measureFanout(data => publisher.publishAsync('room', Buffer.from(data), { qos: 1 }), listeners, messages)
}

async function measureGossipsub(count) {
  const { startNode } = await import('./lib/gossipsub.mjs')
  const nodes = []
  for (let i = 0; i <= count; i++) {
    const node = await startNode()
    node.services.ps.subscribe('room')
    nodes.push(node)
    if (i > 0) await node.dial(nodes[0].getMultiaddrs()[0])
    if (i > 1) await node.dial(nodes[1 + ((i * 7) % (i - 1))].getMultiaddrs()[0])
  }
  // Its mesh is made once a second.
  await new Promise(resolve => setTimeout(resolve, 5_000))
  const listeners = nodes
    .slice(1)
    .map(node => hear => node.services.ps.addEventListener('message', ({ detail }) => hear(detail.data)))
  return await measureFanout(data => nodes[0].services.ps.publish('room', data), listeners, messages)
}

const MEASURES = {
  box: count => measureRoom(count, { fanout: count, areLeaves: true }),
  'box-tree': count => measureRoom(count, { fanout: 4, areLeaves: false }),
  mosquitto: measureMosquitto,
  gossipsub: measureGossipsub,
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
const members = option(words, 'members', 20)
const messages = option(words, 'messages', 200)
if (words[0] === '--one') {
  console.log(JSON.stringify(await bounded(MEASURES[words[1]](members), STEP_MS, words[1])))
  process.exit(0)
}
printTable(
  `256 bytes to ${members}`,
  runRounds(import.meta.filename, words.length > 0 ? words : SUBJECTS, rounds, () => ['--members', String(members), '--messages', String(messages)]),
  [
    ['lastP50', 'last one ms p50', 1, { box: '<= 10' }],
    ['lastP99', 'p99', 1],
    ['perSecond', 'deliveries/s', 0, { box: '>= 5000' }],
    ['cpuUs', 'processor us each', 0],
  ],
  { box: ['gossipsub', 'mosquitto'], 'box-tree': ['gossipsub'] },
)
