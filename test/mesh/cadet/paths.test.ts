import { expect, test } from 'vitest'
import { peerId } from '../../../src/base/ids.ts'
import { Paths, pathKey } from '../../../src/mesh/cadet/paths.ts'

const hop = (n: number) => peerId(new Uint8Array(32).fill(n))

test('ways that were given make room for others only once they fail', () => {
  const paths = new Paths()
  for (let n = 0; n < 16; n++) expect(paths.add([hop(n)], 'given')).toBe(true)
  expect(paths.add([hop(99)], 'given')).toBe(false)
  paths.failed(paths.get(pathKey([hop(3)]))!, 0)
  expect(paths.add([hop(99)], 'given')).toBe(true)
  expect(paths.get(pathKey([hop(3)]))).toBeNull()
  expect(paths.all()).toHaveLength(16)
})
