import { expect, test } from 'vitest'
import { Typing } from '../../agent/typing.ts'
import { World } from '../sim/world.ts'

test('it begins with a key and ends some seconds after the last one', () => {
  const world = new World(1)
  const typing = new Typing(world)
  const told: boolean[] = []
  typing.join(isOn => told.push(isOn))
  expect(typing.isOn).toBe(false)
  for (let key = 0; key < 10; key++) {
    typing.typed()
    world.run(2_900)
    expect(typing.isOn).toBe(true)
  }
  world.run(200)
  expect(typing.isOn).toBe(false)
  expect(told).toEqual([true, false])
})

test('who joins later is told at once, and who leaves is not any more', () => {
  const world = new World(1)
  const typing = new Typing(world)
  typing.typed()
  const told: boolean[] = []
  const leave = typing.join(isOn => told.push(isOn))
  expect(told).toEqual([true])
  leave()
  world.run(5_000)
  expect(told).toEqual([true])
  expect(world.pending).toBe(0)
})

test('it ends with its connection, without a word', () => {
  const world = new World(1)
  const typing = new Typing(world)
  const told: boolean[] = []
  typing.join(isOn => told.push(isOn))
  typing.typed()
  typing.close()
  world.run(5_000)
  expect([told, typing.isOn, world.pending]).toEqual([[true], false, 0])
})
