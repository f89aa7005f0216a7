import { expect, test } from 'vitest'
import { watchNetwork } from '../../agent/network-watch.ts'
import { World } from '../sim/world.ts'

function watched() {
  const world = new World(1)
  const state = { network: 'home', changes: 0 }
  const watching = watchNetwork(
    world,
    () => void state.changes++,
    () => state.network,
  )
  return { world, state, watching }
}

test('a machine that stays where it is has not moved', () => {
  const { world, state, watching } = watched()
  world.run(60_000)
  expect(state.changes).toBe(0)
  watching.close()
  expect(world.pending).toBe(0)
})

test('a machine in another network has moved, once', () => {
  const { world, state } = watched()
  state.network = 'cafe'
  world.run(3_000)
  expect(state.changes).toBe(1)
  world.run(60_000)
  expect(state.changes).toBe(1)
})

test('a network that comes up in steps is one change', () => {
  const { world, state } = watched()
  for (const step of ['', 'cafe', 'cafe with a route']) {
    state.network = step
    world.run(400)
  }
  world.run(10_000)
  expect(state.changes).toBe(1)
})

test('the real machine has a network that can be looked at', () => {
  const world = new World(1)
  let changes = 0
  const watching = watchNetwork(world, () => void changes++)
  world.run(10_000)
  watching.close()
  expect(changes).toBe(0)
})
