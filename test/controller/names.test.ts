import { afterEach, expect, test, vi } from 'vitest'
import { publishZone } from '../../controller/names.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { blockQuery } from '../../src/gns/block.ts'
import { Rig } from './rig.ts'

const HOUR_MS = 3_600_000
/** More than leave in the time that a command has. */
const MANY = 110

const rigs: Rig[] = []
afterEach(() => {
  for (const rig of rigs.splice(0)) rig.clean()
})

/** An owner of many devices, and how often each name was put; one more device on demand. */
async function ownerOf(count: number) {
  const rig = new Rig()
  rigs.push(rig)
  const { context } = await rig.controller()
  const add = async (name: string) => {
    const { zone } = ZoneSecret.generate('EDKEY', rig.world.random)
    await context.fleet.add({ name, zone, tags: [], pairedAt: 0, last: null })
    return name
  }
  const names: string[] = []
  for (let i = 0; i < count; i++) names.push(await add(`d${i}`))
  await context.mesh()
  await rig.world.pass(1_000)
  const puts = vi.spyOn(rig.net.dht, 'put')
  const timesPut = (name: string) => {
    const key = blockQuery(context.ego().secret.zone, name).join()
    return puts.mock.calls.filter(([block]) => block.key.join() === key).length
  }
  const publish = () => rig.world.until(publishZone(context), 60_000)
  return { rig, names, add, publish, timesPut, puts }
}

test('names for which there was no time go out with the next command, and those that are out do not again', async () => {
  const { names, publish, timesPut, puts } = await ownerOf(MANY)
  await publish()
  const first = names.filter(name => timesPut(name) === 1)
  expect(first.length).toBeGreaterThan(0)
  expect(first.length).toBeLessThan(MANY)
  await publish()
  expect(names.map(timesPut)).toEqual(names.map(() => 1))
  puts.mockClear()
  await publish()
  expect(puts).not.toHaveBeenCalled()
}, 60_000)

test('a new name goes out alone, and each is put again when a quarter of its life is over', async () => {
  const { rig, names, add, publish, timesPut } = await ownerOf(3)
  await publish()
  await rig.world.pass(4 * HOUR_MS)
  const late = await add('late')
  await publish()
  expect([...names, late].map(timesPut)).toEqual([1, 1, 1, 1])
  await rig.world.pass(3 * HOUR_MS)
  await publish()
  expect([...names, late].map(timesPut)).toEqual([2, 2, 2, 1])
  await rig.world.pass(4 * HOUR_MS)
  await publish()
  expect([...names, late].map(timesPut)).toEqual([2, 2, 2, 2])
}, 60_000)
