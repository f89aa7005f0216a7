import { expect, test } from 'vitest'
import { checkMesh } from '../../agent/mesh-check.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'

function fresh() {
  const world = new World(3)
  const mesh = new FakeNet({ clock: world, random: world.random, latencyMs: 5 }).peer()
  return { world, mesh }
}

test('a mesh that carries a message to itself is well, any number of times', async () => {
  const { world, mesh } = fresh()
  for (let n = 0; n < 3; n++) await world.until(checkMesh(mesh, world.random), 1_000)
  mesh.stop()
  world.run(1_000) // What was under way arrives nowhere.
  expect(world.pending).toBe(0)
})

test('a mesh that has ended is not well', async () => {
  const { world, mesh } = fresh()
  await world.until(mesh.close(), 1_000)
  await expect(world.until(checkMesh(mesh, world.random), 1_000)).rejects.toMatchObject({
    code: 'ENGINE_CLOSED',
  })
})
