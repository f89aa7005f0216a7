/** Devices or their controller on gossipsub: `gossip-status.mjs controller FILE`, `gossip-status.mjs devices ADDRESS COUNT RATE SECONDS`. */

import { multiaddr } from '@multiformats/multiaddr'
import { startNode } from '../lib/gossipsub.mjs'
import { changeOnSignal, Heard, moment } from '../lib/updates.mjs'

/** A heartbeat tells the publishers who listens. */
const SETTLE_MS = 5_000

const [, , what, ...words] = process.argv
if (what === 'controller') {
  const heard = new Heard()
  heard.reportOnSignal(words[0])
  const node = await startNode()
  node.services.ps.subscribe('status')
  node.services.ps.addEventListener('message', ({ detail }) => {
    const [device, text] = new TextDecoder().decode(detail.data).slice(0, -1).split('\t')
    heard.hear(device, text)
  })
  console.log(`READY ${JSON.stringify({ address: node.getMultiaddrs()[0].toString() })}`)
} else {
  const nodes = []
  for (let i = 0; i < Number(words[1]); i++) {
    const node = await startNode()
    await node.dial(multiaddr(words[0]))
    nodes.push(node)
  }
  await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
  changeOnSignal(nodes.length, Number(words[2]), Number(words[3]), i => {
    // Each is of one device: without the name two that are made in one microsecond were one.
    void nodes[i].services.ps.publish('status', new TextEncoder().encode(`${i}\t${moment()}\n`))
  })
  console.log('READY {}')
}
