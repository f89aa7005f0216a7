/**
 * Ours: two embedded engines, or, where the environment says HOPS=2, a third between them to which both have
 * dialled. Each in a process of its own; what runs is dist/, so `npm run build` comes first.
 */

import { startScript } from '../lib/children.mjs'
import { serve } from '../lib/service.mjs'
import { memoryStore } from '../../dist/src/base/store.js'
import { silentLog } from '../../dist/src/base/log.js'
import { peerId, portId } from '../../dist/src/base/ids.js'
import { sha512 } from '../../dist/src/crypto/hash.js'
import { asDuplex } from '../../dist/src/mesh/duplex.js'
import { createEmbedded } from '../../dist/src/mesh/embedded.js'
import { systemClock } from '../../dist/src/sys/clock.js'
import { systemRandom } from '../../dist/src/sys/random.js'
import { tcpNetwork } from '../../dist/src/sys/tcp.js'

export const label = 'box, embedded engine'
const PORT = portId(sha512(new TextEncoder().encode('bench')))
const SOMEWHERE = [{ host: '127.0.0.1', port: 0 }]

const engine = options =>
  createEmbedded({
    ...{ clock: systemClock, random: systemRandom, network: tcpNetwork, log: silentLog },
    ...{ store: memoryStore(), ...options },
  })

/** When a link to another peer stands. */
const linked = mesh =>
  new Promise(resolve => void mesh.watch({ up: peer => resolve(peer), down: () => {} }))

/** `hub`: only relays. `serve [HUB]`: is the device, listening itself where there is no hub. */
const [, script, role, hub] = process.argv
if (script === import.meta.filename) {
  const mesh = await engine(hub ? { hubs: [hub] } : { listen: SOMEWHERE })
  if (role === 'serve') mesh.listen(PORT, channel => serve(asDuplex(channel, systemClock)))
  if (hub) await linked(mesh)
  console.log(`READY ${JSON.stringify({ peer: Buffer.from(mesh.self).toString('hex'), hello: mesh.hello() })}`)
}

export async function start() {
  const hub = process.env.HOPS === '2' ? await startScript('targets/box.mjs', ['hub']) : null
  const agent = await startScript('targets/box.mjs', ['serve', ...(hub ? [hub.info.hello] : [])])
  const idOf = child => peerId(new Uint8Array(Buffer.from(child.info.peer, 'hex')))
  const target = idOf(agent)
  const via = [hub ? [idOf(hub)] : []]
  const connect = async () => {
    const mesh = await engine({ hubs: [(hub ?? agent).info.hello] })
    const open = async () => asDuplex(await mesh.connect(target, PORT, { via }), systemClock)
    return { open, close: () => mesh.close() }
  }
  const stop = () => {
    agent.kill()
    hub?.kill()
  }
  return { connect, agents: [agent.pid], others: hub ? [hub.pid] : [], stop }
}
