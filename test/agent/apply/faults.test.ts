/** Everything killed at each step, and the disk full at each write: wholly the old or wholly the new, and it says which. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/sys/clock.ts'
import { World } from '../../sim/world.ts'
import { compile, start } from '../../sys/program.ts'
import { scratchDirectory } from '../../sys/scratch.ts'
import { changedRelease, OLD_FILES, Place, push, watchedDisk } from './place.ts'

/** Deaths are tried at some of the changes to the disk; at all of them, one by one, with FAULTS=all. */
const isAll = process.env.FAULTS === 'all'
const STRIDE = isAll
  ? { each: 1, first: 1, second: 1, process: 1 }
  : { each: 3, first: 13, second: 9, process: 6 }
/** All of them take their time on a small machine. */
const TIMEOUT_MS = (isAll ? 60 : 4) * 60_000

const places: Place[] = []
let old: Record<string, string>
let changed: Record<string, string>

function fresh(clock = new World(1) as ConstructorParameters<typeof Place>[0]): Place {
  const place = new Place(clock)
  places.push(place)
  place.put(OLD_FILES)
  return place
}

const relative = (place: Place) =>
  Object.fromEntries(
    Object.entries(place.tree()).map(([path, what]) => [path.slice(place.root.length), what]),
  )

beforeEach(async () => {
  const place = fresh()
  old = relative(place)
  const applier = place.applier()
  const applied = await push(applier, changedRelease(place))
  if (applied.is !== 'awaiting') throw new Error(JSON.stringify(applied))
  applier.confirm(applied.id)
  changed = relative(place)
  expect(changed).not.toEqual(old)
})
afterEach(() => {
  for (const place of places.splice(0)) place.clean()
})

/** What holds on the disk, by its files; fails where that is a mixture, or something else is said. */
async function whatHolds(place: Place, after: string): Promise<'old' | 'new'> {
  const applier = place.applier()
  await applier.recover()
  // In the same boot a change that waits goes on waiting: its time is over now.
  if (applier.open) await applier.refuse('The test is over.')
  applier.close()
  const now = relative(place)
  const { last, generations } = applier.state.history()
  if (last?.is === 'confirmed') {
    expect(now, after).toEqual(changed)
    expect(generations.at(-1)!.number, after).toBe(1)
    return 'new'
  }
  expect(now, after).toEqual(old)
  expect(generations.at(-1)!.number, after).toBe(0)
  return 'old'
}

/** How many changes to the disk a push makes from its beginning to its confirmation. */
async function countChanges(): Promise<number> {
  let count = 0
  const place = fresh()
  const applier = place.applier({ disk: watchedDisk(() => void count++) })
  await applier.recover()
  const applied = await push(applier, changedRelease(place))
  if (applied.is === 'awaiting') applier.confirm(applied.id)
  return count
}

class Death extends Error {}

/** A disk that does not do change number `n`, and nothing after it: as if the process had been killed then. */
function dyingDisk(n: number) {
  let count = 0
  const said = { change: '' }
  const disk = watchedDisk((change, path) => {
    if (++count < n) return
    said.change ||= `${change} ${path}`
    throw new Death(said.change)
  })
  return { disk, said }
}

describe('a push that is killed', () => {
  test('at any change to the disk leaves the old or the new', { timeout: TIMEOUT_MS }, async () => {
    const count = await countChanges()
    expect(count).toBeGreaterThan(40)
    const held: string[] = []
    for (let n = 1; n <= count; n += STRIDE.each) {
      const place = fresh()
      const { disk, said } = dyingDisk(n)
      await pushUntilDeath(place, disk)
      held.push(await whatHolds(place, `killed at ${n}: ${said.change}`))
    }
    // The old up to a moment, the new from then on.
    expect(held.lastIndexOf('old')).toBeLessThan(held.indexOf('new'))
    console.log(
      `killed at ${held.length} of ${count} changes: ${held.filter(is => is === 'old').length} old`,
    )
  })

  test('and killed again while it is put back leaves the old or the new', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const count = await countChanges()
    let pairs = 0
    for (let n = 1; n <= count; n += STRIDE.first)
      for (let m = 1; ; m += STRIDE.second) {
        const place = fresh()
        await pushUntilDeath(place, dyingDisk(n).disk)
        const { disk, said } = dyingDisk(m)
        try {
          const applier = place.applier({ disk })
          await applier.recover()
          if (applier.open) await applier.refuse('The test is over.')
        } catch (error) {
          if (!(error instanceof Death)) throw error
        }
        await whatHolds(place, `killed at ${n}, then at ${m}: ${said.change}`)
        place.clean()
        pairs++
        if (!said.change) break
      }
    console.log(`${pairs} pairs of deaths`)
  })

  test('as a real process leaves the old or the new', { timeout: TIMEOUT_MS }, async () => {
    const program = compile('../agent/apply/killed-program.ts', scratchDirectory())
    const held: string[] = []
    for (let n = 1; ; n += STRIDE.process) {
      const place = fresh(systemClock)
      const child = start(program, place.top, String(n))
      await child.ended()
      held.push(await whatHolds(place, `killed at ${n}`))
      if (child.lines.some(line => line.startsWith('done'))) break
    }
    expect(held.at(-1)).toBe('new')
    expect(held.lastIndexOf('old')).toBeLessThan(held.indexOf('new'))
    expect(held.length).toBeGreaterThan(10)
    console.log(
      `${held.length - 1} processes killed: ${held.filter(is => is === 'old').length} old`,
    )
  })
})

async function pushUntilDeath(place: Place, disk: ReturnType<typeof watchedDisk>): Promise<void> {
  try {
    const applier = place.applier({ disk })
    await applier.recover()
    const applied = await push(applier, changedRelease(place))
    if (applied.is === 'awaiting') applier.confirm(applied.id)
  } catch (error) {
    if (!(error instanceof Death)) throw error
  }
}

const NEEDS_ROOM = ['write', 'makeDirectory', 'link']

function full(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device'), {
    ...{ code: 'ENOSPC', syscall: 'write' },
  })
}

describe('a push on a full disk', () => {
  test.for([
    ['for one write', false],
    ['from one write on', true],
  ] as const)(
    'that is full %s leaves the old or the new',
    { timeout: TIMEOUT_MS },
    async ([, stays]) => {
      const said = new Set<string>()
      for (let n = 1; ; n++) {
        const place = fresh()
        let count = 0
        let hit = ''
        const disk = watchedDisk((change, path) => {
          if (!NEEDS_ROOM.includes(change)) return
          count++
          if (stays ? count < n : count !== n) return
          hit ||= `${change} ${path}`
          throw full()
        })
        said.add(await pushOnFullDisk(place, disk))
        const after = `full at ${n}: ${hit}`
        if (!hit) break
        // Before there is room again, and before any restart, the files are one or the other.
        const now = relative(place)
        const isOne = [old, changed].some(tree => JSON.stringify(tree) === JSON.stringify(now))
        expect(isOne, `${after}: ${JSON.stringify(now)}`).toBe(true)
        await whatHolds(place, after)
      }
      expect([...said].toSorted()).toEqual(['confirmed', 'no start', 'put back', 'refused'])
    },
  )
})

/** How the push ended as its owner sees it. */
async function pushOnFullDisk(place: Place, disk: ReturnType<typeof watchedDisk>): Promise<string> {
  let applier: ReturnType<Place['applier']>
  try {
    applier = place.applier({ disk })
  } catch {
    return 'no start'
  }
  try {
    await applier.recover()
    const applied = await push(applier, changedRelease(place))
    if (applied.is !== 'awaiting') return applied.is
    return applier.confirm(applied.id).is
  } catch (error) {
    expect(String(error)).toMatch(/the disk is full/)
    if (applier.open?.step === 'awaiting') await applier.refuse('It could not be confirmed.')
    return 'refused'
  } finally {
    applier.close()
  }
}
