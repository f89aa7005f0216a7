/** The times that an owner notices, from the engine down to TCP: after an idle hour, a restart, the death of a hub. */

import { describe, expect, test } from 'vitest'
import { framed, Inbox } from '../compliance/mesh.ts'
import { type Resident, Town } from './town.ts'

const LINE = { latencyMs: 10, jitterMs: 5 }

/** Two devices, each with links to both hubs. */
async function town(seed: number): Promise<{ town: Town; pair: [Resident, Resident] }> {
  const town = new Town(seed)
  await town.settle({ hubs: 2, devices: 2 }, LINE)
  await town.world.pass(5_000)
  return { town, pair: [town.devices[0]!, town.devices[1]!] }
}

test.for([
  [0, 1],
  [1, 0],
] as const)(
  'after an hour in which nothing was said, %i opens a channel to %i within a second',
  { timeout: 60_000 },
  async ([from, to]) => {
    const { town: place, pair } = await town(1 + from)
    await place.reach(pair[from], pair[to], 'name', 5_000)
    place.world.run(3_600_000)
    expect(await place.reach(pair[from], pair[to], 'pid', 5_000)).toBeLessThan(1_000)
    await place.close()
  },
)

describe.for(['clean', 'killed', 'no power'] as const)('after a restart (%s)', how => {
  test.for([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const)(
    'of %i, %i opens a channel to the other within five seconds',
    async ([who, opener]) => {
      const { town: place, pair } = await town(10 + 2 * who + opener)
      const [from, to] = [pair[opener], pair[1 - opener]!]
      await place.reach(from, to, 'name', 5_000)
      if (how === 'clean') await pair[who].stop()
      else pair[who].die(how)
      place.world.run(200)
      await pair[who].comeBack()
      expect(await place.reach(from, to, 'pid', 5_000)).toBeLessThan(5_000)
      await place.close()
    },
  )
})

test('when the hub that carries a channel dies, the channel goes on over the other within ten seconds', async () => {
  for (const how of ['killed', 'no power'] as const) {
    const { town: place, pair } = await town(20)
    const { world } = place
    const channel = await world.until(place.open(pair[0], pair[1], 'name'), 5_000)
    const inbox = new Inbox()
    channel.attach(inbox)
    const [, carrier] = channel.path()!
    const hub = place.hubs.find(({ mesh }) => Buffer.compare(mesh.self, carrier!) === 0)!
    hub.die(how)
    const since = world.now()
    channel.send(framed(Uint8Array.of(1)))
    await world.until(
      inbox.until(() => inbox.messages.length > 0 || inbox.reason !== null),
      10_000,
    )
    if (inbox.reason) await place.reach(pair[0], pair[1], 'pid', 10_000)
    expect(world.now() - since, how).toBeLessThan(10_000)
    await place.close()
  }
})
