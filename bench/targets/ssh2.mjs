/** Plain ssh2 over TCP, no-delay on both ends: what a user of Node would take. */

import ssh2 from 'ssh2'
import { serve } from '../lib/service.mjs'
import { startScript } from '../lib/children.mjs'

export const label = 'ssh2 over TCP'
const { Client, Server, utils } = ssh2

if (process.argv[2] === 'serve') {
  const server = new Server({ hostKeys: [utils.generateKeyPairSync('ed25519').private] }, client => {
    client.setNoDelay(true)
    client.on('error', () => {})
    client.on('authentication', context => context.accept())
    client.on('session', accept => accept().on('exec', accepted => serve(accepted())))
  })
  server.listen(0, '127.0.0.1', () => console.log(`READY ${server.address().port}`))
}

export async function start() {
  const agent = await startScript('targets/ssh2.mjs', ['serve'])
  const privateKey = utils.generateKeyPairSync('ed25519').private
  const connect = () =>
    new Promise((resolve, reject) => {
      const client = new Client()
      client.on('error', reject)
      client.once('ready', () => {
        client.setNoDelay(true)
        const open = () =>
          new Promise((opened, failed) =>
            client.exec('bench', (error, stream) => (error ? failed(error) : opened(stream))),
          )
        resolve({ open, close: () => client.end() })
      })
      client.connect({ host: '127.0.0.1', port: agent.info, username: 'bench', privateKey })
    })
  return { connect, agents: [agent.pid], stop: () => agent.kill() }
}
