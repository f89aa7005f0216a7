/** The second engine on real daemons, two neighbours and three in a line: the promises of a mesh, and its tools. */

import { afterAll, beforeAll, describe } from 'vitest'
import { closingCompliance, meshCompliance, type Pair } from '../compliance/mesh.ts'
import { attach, pause } from './daemon-mesh.ts'
import { Lab, withEachRelease } from './lab.ts'

const within = async <T>(promise: Promise<T>, ms: number): Promise<T> => {
  const late = new AbortController()
  const timeout = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms)
    late.signal.addEventListener('abort', () => clearTimeout(timer))
  })
  return await Promise.race([promise, timeout]).finally(() => late.abort())
}

async function pair(lab: Lab, far: number): Promise<Pair> {
  const [left, right] = await Promise.all([attach(lab, 1), attach(lab, far)])
  return {
    left,
    right,
    via: [],
    within,
    pass: pause,
    close: () => Promise.resolve(),
  }
}

withEachRelease('the engine', release => {
  const lab = new Lab(release)
  const { version } = release
  beforeAll(() => lab.up(3, 'line'))
  afterAll(() => lab.down())

  meshCompliance(`${version}, neighbours`, () => pair(lab, 2))
  meshCompliance(`${version}, two hops`, () => pair(lab, 3))
  describe('at the end', () => {
    closingCompliance(version, () => pair(lab, 2))
  })
})
