/** Devices or their controller on mosquitto: `mqtt-status.mjs devices PORT COUNT RATE SECONDS`, `… controller PORT FILE`. */

import { connectMqtt } from '../lib/mqtt.mjs'
import { changeOnSignal, Heard, moment } from '../lib/updates.mjs'

const [, , what, port, ...words] = process.argv
if (what === 'controller') {
  const heard = new Heard()
  heard.reportOnSignal(words[0])
  const client = await connectMqtt(port)
  client.on('message', (topic, data) => heard.hear(topic, data.toString().slice(0, -1).split('\t')[1]))
  await client.subscribeAsync('status/#', { qos: 1 })
} else {
  const clients = []
  for (let i = 0; i < Number(words[0]); i++) clients.push(await connectMqtt(port))
  changeOnSignal(clients.length, Number(words[1]), Number(words[2]), i =>
    clients[i].publish(`status/${i}`, `=_probe_bench_at\t${moment()}\n`, { qos: 1 }),
  )
}
console.log('READY {}')
