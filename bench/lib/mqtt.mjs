/** Clients of mosquitto. */

import { createServer } from 'node:net'
import mqtt from 'mqtt'
import { sleep } from './measure.mjs'

const TRY_AGAIN_MS = 100
const TRIES = 100

export const freePort = () =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** Also while the broker is still starting. */
export async function connectMqtt(port) {
  for (let i = 1; ; i++)
    try {
      return await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 }, false)
    } catch (error) {
      if (i === TRIES) throw error
      await sleep(TRY_AGAIN_MS)
    }
}
