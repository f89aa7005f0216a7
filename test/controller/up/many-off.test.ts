import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { type Context, createContext } from '../../../controller/context.ts'
import { Output } from '../../../controller/output.ts'
import { FleetWatch } from '../../../controller/up/fleet-watch.ts'
import { silentLog } from '../../../src/base/log.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { World } from '../../sim/world.ts'
import { memoryState } from './memory-state.ts'

const DEVICES = 200
const HOUR_MS = 3_600_000

/** Devices that are off, paired one hour after the other, and which of them were looked for until now. */
async function fleet() {
  const world = new World(3)
  const end = new AbortController()
  const nowhere = { isTerminal: false, write: () => {} }
  const streams = { input: new PassThrough(), output: new PassThrough(), errors: new PassThrough() }
  const context: Context = createContext({
    ...{ clock: world, random: world.random, log: silentLog, state: memoryState() },
    stdio: { ...streams, isTerminal: false },
    engine: { mesh: 'embedded', gnunetConf: null },
    output: new Output({ json: true, out: nowhere, err: nowhere, clock: world }),
    ...{ box: ['box'], commands: [], signal: end.signal },
    startMesh: async () => {
      throw new Error('nobody is asked anything')
    },
  })
  for (let i = 0; i < DEVICES; i++) {
    const { zone } = ZoneSecret.generate('EDKEY', world.random)
    const pairedAt = world.now() - (DEVICES - i) * HOUR_MS
    await context.fleet.add({ name: `d${i}`, zone, tags: [], pairedAt, last: null })
  }
  const soughtAt = new Map<string, number>()
  const beganAt = world.elapsed()
  const watch = new FleetWatch(context, null, async ({ signal }, { name }) => {
    soughtAt.set(name, world.elapsed() - beganAt)
    await new Promise<void>(resolve => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  })
  const stop = async () => {
    await watch.close()
    end.abort()
  }
  return { world, soughtAt, stop }
}

test('the last of two hundred that are off is looked for within thirteen seconds, the latest that was heard of first', async () => {
  const { world, soughtAt, stop } = await fleet()
  await world.pass(10)
  expect([...soughtAt.keys()].slice(0, 3)).toEqual(['d199', 'd198', 'd197'])
  expect(soughtAt.size).toBe(16)
  await world.pass(13_000)
  expect(soughtAt.size).toBe(DEVICES)
  expect([...soughtAt.keys()].at(-1)).toBe('d0')
  await stop()
})
