import { setMaxListeners } from 'node:events'
import { expect, test } from 'vitest'
import type { Context } from '../../../controller/context.ts'
import type { Device } from '../../../controller/fleet.ts'
import { makeSshKey } from '../../../controller/ssh-key.ts'
import { WarmShells } from '../../../controller/up/warm-shells.ts'
import { BoxError } from '../../../src/base/errors.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { World } from '../../sim/world.ts'
import { memoryState } from './memory-state.ts'

const DEVICES = 40

/** Asks for a connection to each of so many devices at once, from a mesh that does what it is told to; and who was asked for. */
async function askForAll(mesh: () => ReturnType<Context['mesh']>) {
  const world = new World(5)
  const shells = new WarmShells({ clock: world })
  const begun = new Set<number>()
  const { signal } = new AbortController()
  setMaxListeners(0, signal)
  const state = memoryState()
  await makeSshKey(state, world.random)
  const ego = () => ({ name: 'home', chain: [], secret: null })
  const all = Array.from({ length: DEVICES }, (_, i) => {
    const { zone } = ZoneSecret.generate('EDKEY', world.random)
    const device: Device = { name: `d${i}`, zone, tags: [], pairedAt: 0, last: null }
    const own = () => {
      begun.add(i)
      return mesh()
    }
    const context = { clock: world, signal, state, ego, mesh: own } as unknown as Context
    return shells.take(context, device, { timeoutMs: 30_000, user: null })
  })
  for (const one of all) one.catch(() => {})
  return { world, begun, all }
}

test('eight logins begin at once, and the next when there is nothing to do but wait', async () => {
  const { world, begun } = await askForAll(() => new Promise(() => {}))
  await world.pass(10)
  expect(begun.size).toBe(8)
  await world.pass(200)
  expect(begun.size).toBe(16)
  await world.pass(800)
  expect(begun.size).toBe(DEVICES)
})

test('one that fails lets the next begin at once', async () => {
  const { world, begun, all } = await askForAll(async () => {
    throw new BoxError('PEER_UNREACHABLE')
  })
  await world.pass(10)
  expect(begun.size).toBe(DEVICES)
  expect((await Promise.allSettled(all)).every(({ status }) => status === 'rejected')).toBe(true)
})
