import { expect, test } from 'vitest'
import { type Turn, Turns } from '../../../controller/up/turns.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { World } from '../../sim/world.ts'

/** Turns for two at once, and who has begun with which. */
function twoAtOnce(lateMs = 0) {
  const world = new World(1)
  const clock: Clock = {
    now: () => world.now(),
    elapsed: () => world.elapsed(),
    after: (ms, run) => world.after(ms + lateMs, run),
  }
  const turns = new Turns({ clock, limit: 2, idleMs: 300, longestMs: 1_000 })
  const begun = new Map<string, Turn>()
  const end = new AbortController()
  const want = (name: string, signal = end.signal) =>
    void turns.take(signal).then(turn => begun.set(name, turn))
  return { world, begun, want, end }
}

test('so many begin, and the next in order when one is through', async () => {
  const { world, begun, want } = twoAtOnce()
  for (const name of ['a', 'b', 'c', 'd']) want(name)
  await world.pass(10)
  expect([...begun.keys()]).toEqual(['a', 'b'])
  begun.get('b')!.end()
  begun.get('b')!.end()
  await world.pass(10)
  expect([...begun.keys()]).toEqual(['a', 'b', 'c'])
})

test('who takes too long makes room, and nothing is left when all are through', async () => {
  const { world, begun, want } = twoAtOnce()
  for (const name of ['a', 'b', 'c']) want(name)
  await world.pass(290)
  expect(begun.size).toBe(2)
  await world.pass(20)
  expect([...begun.keys()]).toEqual(['a', 'b', 'c'])
  for (const turn of begun.values()) turn.end()
  expect(world.pending).toBe(0)
})

test('who takes long while there is much to do keeps the turn for longer, and not for ever', async () => {
  const { world, begun, want } = twoAtOnce(50)
  for (const name of ['a', 'b', 'c']) want(name)
  await world.pass(990)
  expect(begun.size).toBe(2)
  await world.pass(200)
  expect([...begun.keys()]).toEqual(['a', 'b', 'c'])
  for (const turn of begun.values()) turn.end()
  expect(world.pending).toBe(0)
})

test('who does not want to any more takes nobody’s turn', async () => {
  const { world, begun, want, end } = twoAtOnce()
  const other = new AbortController()
  for (const name of ['a', 'b']) want(name)
  want('gone', other.signal)
  want('c')
  other.abort()
  await world.pass(10)
  begun.get('gone')!.end()
  begun.get('a')!.end()
  await world.pass(10)
  expect([...begun.keys()]).toEqual(['a', 'b', 'gone', 'c'])
  end.abort()
})
