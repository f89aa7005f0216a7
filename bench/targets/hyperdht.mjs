/** hyperdht's raw encrypted stream, over a test network of three nodes. */

import DHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import { serve } from '../lib/service.mjs'
import { startScript } from '../lib/children.mjs'

export const label = 'hyperdht'

if (process.argv[2] === 'network') {
  const network = await createTestnet(3, { host: '127.0.0.1', port: 0 })
  console.log(`READY ${network.bootstrap[0].port}`)
}
if (process.argv[2] === 'serve') {
  // A public address: with the default, punching between two nodes of one host loses packets.
  const bootstrap = [{ host: '127.0.0.1', port: Number(process.argv[3]) }]
  const node = new DHT({ bootstrap, firewalled: false })
  const keys = DHT.keyPair()
  await node.createServer(stream => serve(stream)).listen(keys)
  console.log(`READY ${JSON.stringify(keys.publicKey.toString('hex'))}`)
}

export async function start() {
  const network = await startScript('targets/hyperdht.mjs', ['network'])
  const agent = await startScript('targets/hyperdht.mjs', ['serve', String(network.info)])
  const key = Buffer.from(agent.info, 'hex')
  const bootstrap = [{ host: '127.0.0.1', port: network.info }]
  const connect = async () => {
    const node = new DHT({ bootstrap })
    const open = () =>
      new Promise((resolve, reject) => {
        const stream = node.connect(key)
        stream.once('open', () => resolve(stream))
        stream.once('error', reject)
      })
    return { open, close: () => node.destroy() }
  }
  const stop = () => {
    agent.kill()
    network.kill()
  }
  return { connect, agents: [agent.pid], stop }
}
