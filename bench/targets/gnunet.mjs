/**
 * CADET channels of GNUnet's own daemons, driven over the local socket of the service; two peers, or three in
 * a line where the environment says HOPS=2. Needs Debian's gnunet; the peers are those of test/interop/lab.sh.
 */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { CadetClient } from '../lib/cadet-client.mjs'
import { startScript } from '../lib/children.mjs'
import { sleep } from '../lib/measure.mjs'
import { serve } from '../lib/service.mjs'

export const label = 'gnunet-service-cadet'
const LAB = join(import.meta.dirname, '..', '..', 'test', 'interop', 'lab.sh')
const MESSAGE_BYTES = 32_704

if (process.argv[2] === 'serve') {
  const client = await CadetClient.connect(process.argv[3])
  client.listen('bench', channel => serve(channel, Buffer.alloc(MESSAGE_BYTES, 0x5a)))
  await sleep(300)
  console.log('READY null')
}

export async function start() {
  const hops = Number(process.env.HOPS ?? 1)
  const env = { ...process.env, LAB_DIR: `/tmp/bl${process.pid}`, LAB_PORT: process.env.LAB_PORT ?? '29100', LAB_MIN: '1' }
  const lab = (...words) => execFileSync('bash', [LAB, ...words.map(String)], { env, encoding: 'utf8' }).trim()
  process.once('exit', () => lab('down'))
  lab('up', hops + 1, 'line')
  const socket = n => join(lab('dir', n), 'run', 'gnunet-service-cadet.sock')
  const agent = await startScript('targets/gnunet.mjs', ['serve', socket(hops + 1)])
  const target = lab('id', hops + 1)
  const connect = async () => {
    const client = await CadetClient.connect(socket(1))
    return { open: async () => client.open(target, 'bench'), close: () => client.close() }
  }
  return { connect, agents: [], stop: () => void agent.kill(), coldless: true }
}
