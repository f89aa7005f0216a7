/**
 * A day in a town where everything goes wrong now and then: whoever should be reachable is, every hour, and
 * what the programs keep does not grow with the hours. SEED=n replays a day, SEEDS=n lives n of them.
 * TOWN=full is a town of 5 hubs and 20 devices, which takes minutes; otherwise there are fewer.
 */

import { describe, expect, test } from 'vitest'
import { Day, HOUR } from './day.ts'
import { Town } from './town.ts'

const isFull = process.env.TOWN === 'full'
const COUNTS = isFull ? { hubs: 5, devices: 20 } : { hubs: 2, devices: 4 }
const HOURS = 24
/** At every so many hours all residents are reached, and what they keep is counted. */
const CHECK_HOURS = isFull ? 2 : 6
/** What is kept depends a little on what happened last. A leak of one entry an hour in each resident is more. */
const growthMax = (residents: number) => 6 * residents
/** A peer of which nothing is heard for two minutes is given up (LOST_MS), give or take a review. */
const SILENCE_MS = 130_000
/** The programs of machines that died are silent, but their last timers are in the queue for half a day. */
const LAST_TIMER_MS = 13 * HOUR

const first = Number(process.env.SEED ?? 1)
const seeds = Array.from({ length: Number(process.env.SEEDS ?? 1) }, (_, at) => first + at)

describe.for(seeds)('a day in the town, SEED=%s', seed => {
  test('everybody is reachable, nothing grows, nothing is left', { timeout: HOUR }, async () => {
    const town = new Town(seed)
    await town.settle(COUNTS)
    const day = new Day(town)
    const samples: Map<string, number>[] = []
    for (let hour = 1; hour <= HOURS; hour++) {
      await day.hour()
      if (hour % CHECK_HOURS > 0) continue
      const reached = await day.reachAll()
      expect(reached.filter(({ took }) => typeof took === 'string')).toEqual([])
      expect(await day.silentSessions(SILENCE_MS)).toEqual([])
      if (process.env.TELL) tell(hour, day, reached)
      if (hour % 6 === 0) samples.push(day.keeps())
    }
    const [, , evening, night] = samples
    expect([...day.troubles.values()].reduce((sum, count) => sum + count)).toBeGreaterThan(20)
    if (process.env.TELL)
      for (const name of night!.keys())
        console.log(name, ...samples.map(sample => sample.get(name) ?? 0))
    expect(grown(samples, growthMax(town.residents.length))).toEqual([])
    expect(evening!.size).toBeGreaterThan(50)
    await day.end()
    await town.world.pass(LAST_TIMER_MS)
    expect(town.world.pending).toBe(0)
  })
})

/** What there is more of at the end than there ever was at noon and before. */
function grown(samples: readonly Map<string, number>[], more: number): string[] {
  const last = samples.at(-1)!
  return [...last].flatMap(([name, count]) => {
    const before = samples.slice(0, 2).map(sample => sample.get(name) ?? 0)
    return count > 2 * Math.max(...before) + more ? [`${name}: ${before} became ${count}`] : []
  })
}

function tell(
  hour: number,
  { troubles }: Day,
  reached: readonly { took: number | string }[],
): void {
  const slowest = Math.max(...reached.map(({ took }) => Number(took)))
  console.log(hour, `${Math.round(slowest)} ms`, [...troubles].join(' '))
}
