/**
 * The agent as a process, killed without a word at any moment: it starts again as the same device and peer.
 * Real time is what this is about: the moments are random, and no wait is for anything to be ready.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { afterAll, expect, test } from 'vitest'
import { seededRandom } from '../sim/random.ts'
import { start } from '../sys/program.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** KILLS=n kills n times, as a night job does. */
const KILLS = Number(process.env.KILLS ?? 6)
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)

// Beside the packages, which are not made part of it.
const place = mkdtempSync(join(ROOT, 'node_modules', '.kill-'))
afterAll(() => rmSync(place, { recursive: true }))

function program(): string {
  const outfile = join(place, 'agent.mjs')
  buildSync({
    entryPoints: [join(ROOT, 'agent', 'main.ts')],
    ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile },
  })
  return outfile
}

interface Running {
  readonly pid: string
  readonly device_zone: string
}

test('killed at any moment, it starts again with the same identity', {
  timeout: 600_000,
}, async () => {
  const random = seededRandom(SEED)
  const file = program()
  const state = join(place, 'state')
  const run = () =>
    start(
      file,
      'run',
      '--state',
      state,
      '--json',
      '--log',
      'error',
      '--hub',
      '--listen',
      '127.0.0.1:0',
    )
  const seen = new Set<string>()
  let startMs = 500
  for (let kill = 0; kill < KILLS; kill++) {
    const agent = run()
    const since = performance.now()
    // Every third is let come up first, and tells who it is; the others die somewhere on the way.
    if (kill % 3 === 0) {
      await agent.next()
      startMs = performance.now() - since
      expect(agent.lines, `SEED=${SEED}`).toHaveLength(1)
      const { pid, device_zone } = JSON.parse(agent.lines[0]!) as Running
      seen.add(`${pid} ${device_zone}`)
    }
    await new Promise(resolve => setTimeout(resolve, random.below(Math.ceil(startMs))))
    await agent.kill()
  }
  const last = run()
  await last.next()
  const { pid, device_zone } = JSON.parse(last.lines[0]!) as Running
  await last.kill()
  expect([...seen], `SEED=${SEED}`).toEqual([`${pid} ${device_zone}`])
})
