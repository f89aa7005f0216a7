import { afterEach, expect, test, vi } from 'vitest'
import { keepPublished, publishInPassing } from '../../controller/publication.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { blockQuery } from '../../src/gns/block.ts'
import { Rig } from './rig.ts'

const HOUR_MS = 3_600_000

const rigs: Rig[] = []
afterEach(() => {
  for (const rig of rigs.splice(0)) rig.clean()
})

/** An owner of many devices, and how often each name was put. */
async function ownerOf(count: number) {
  const rig = new Rig()
  rigs.push(rig)
  const { context } = await rig.controller()
  const names = Array.from({ length: count }, (_, i) => `d${i}`)
  for (const name of names) {
    const { zone } = ZoneSecret.generate('EDKEY', rig.world.random)
    await context.fleet.add({ name, zone, tags: [], pairedAt: 0, last: null })
  }
  await context.mesh()
  await rig.world.pass(1_000)
  const puts = vi.spyOn(rig.net.dht, 'put')
  const timesPut = (name: string) => {
    const key = blockQuery(context.ego().secret.zone, name).join()
    return puts.mock.calls.filter(([block]) => block.key.join() === key).length
  }
  return { rig, context, names, timesPut }
}

test('the names go out once, however many devices are reached at once', async () => {
  const { rig, context, names, timesPut } = await ownerOf(3)
  const reached = Array.from({ length: 5 }, () => ({
    ...context,
    signal: new AbortController().signal,
  }))
  await rig.world.until(Promise.all(reached.map(publishInPassing)), 60_000)
  expect(names.map(timesPut)).toEqual([1, 1, 1])
})

test('while box up stays all names of a large fleet go out, and again before they expire, whether a device is reached or not', async () => {
  const { rig, context, names, timesPut } = await ownerOf(110)
  const end = new AbortController()
  const kept = keepPublished(context, end.signal)
  await rig.world.pass(60_000)
  expect(names.map(timesPut)).toEqual(names.map(() => 1))
  await rig.world.pass(7 * HOUR_MS)
  expect(names.map(timesPut)).toEqual(names.map(() => 2))
  end.abort()
  await rig.world.until(kept, 1_000)
}, 60_000)
