/**
 * Ours: two embedded engines, or, where the environment says HOPS=2, a third between them to which both have
 * dialled. Each in a process of its own; what runs is dist/, so `npm run build` comes first.
 */

import { startScript } from '../lib/children.mjs'
import { firstByte, serve } from '../lib/service.mjs'
import { memoryStore } from '../../dist/src/base/store.js'
import { silentLog } from '../../dist/src/base/log.js'
import { peerId, portId } from '../../dist/src/base/ids.js'
import { sha512 } from '../../dist/src/crypto/hash.js'
import { asDuplex } from '../../dist/src/mesh/duplex.js'
import { createEmbedded } from '../../dist/src/mesh/embedded.js'
import { fileStore } from '../../dist/src/sys/file-store.js'
import { systemClock } from '../../dist/src/sys/clock.js'
import { systemRandom } from '../../dist/src/sys/random.js'
import { tcpNetwork } from '../../dist/src/sys/tcp.js'

export const label = 'box, embedded engine'
const PORT = portId(sha512(new TextEncoder().encode('bench')))
const idFrom = text => peerId(new Uint8Array(Buffer.from(text, 'hex')))
const SOMEWHERE = [{ host: '127.0.0.1', port: 0 }]

export const engine = options =>
  createEmbedded({
    ...{ clock: systemClock, random: systemRandom, network: tcpNetwork, log: silentLog },
    ...{ store: memoryStore(), ...options },
  })

/** When a link to another peer stands. */
const linked = mesh =>
  new Promise(resolve => void mesh.watch({ up: peer => resolve(peer), down: () => {} }))

/**
 * `hub`: only relays. `serve [HUB [STATE]]`: is the device, listening itself where there is no hub.
 * `call HUB STATE PEER HUB_PEER`: opens a channel to the device, says so after its first byte, and keeps it.
 */
const [, script, role, hub, state, ...peers] = process.argv
if (script === import.meta.filename) {
  const store = state ? fileStore(state) : memoryStore()
  const mesh = await engine({ store, ...(hub ? { hubs: [hub] } : { listen: SOMEWHERE }) })
  if (role === 'serve') mesh.listen(PORT, channel => serve(asDuplex(channel, systemClock)))
  if (role === 'call') await firstByte(await openTo(mesh, ...peers.map(idFrom)))
  else if (hub) await linked(mesh)
  process.on('SIGTERM', () => void mesh.close().then(() => setTimeout(() => process.exit(0), 50)))
  console.log(`READY ${JSON.stringify({ peer: Buffer.from(mesh.self).toString('hex'), hello: mesh.hello() })}`)
}

/** A stream to the device, through the hub where there is one. */
export async function openTo(mesh, peer, hub) {
  const stream = asDuplex(await mesh.connect(peer, PORT, { via: [hub ? [hub] : []] }), systemClock)
  return stream.on('error', () => {})
}

export async function start() {
  const hub = process.env.HOPS === '2' ? await startScript('targets/box.mjs', ['hub']) : null
  const agent = await startScript('targets/box.mjs', ['serve', ...(hub ? [hub.info.hello] : [])])
  const target = idFrom(agent.info.peer)
  const relay = hub && idFrom(hub.info.peer)
  const connect = async () => {
    const mesh = await engine({ hubs: [(hub ?? agent).info.hello] })
    return { open: () => openTo(mesh, target, relay), close: () => mesh.close() }
  }
  const stop = () => {
    agent.kill()
    hub?.kill()
  }
  return { connect, agents: [agent.pid], others: hub ? [hub.pid] : [], stop }
}
