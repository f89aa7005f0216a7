/** The keys of ours by which people may know us, and for how long. */

import { expect, test } from 'vitest'
import { FORMER_MS, makeEgo, readEgo, rotateEgo } from '../../../controller/ego.ts'
import { keysKnown } from '../../../controller/talk/tie.ts'
import { CHAIN_MAX, readSuccessionChain } from '../../../src/box/succession.ts'
import { systemRandom as random } from '../../../src/sys/random.ts'
import { memoryState } from '../up/memory-state.ts'

const DAY_MS = 86_400_000

async function rotated(times: number) {
  const state = memoryState()
  const zones = [(await makeEgo(state, 'home', random)).secret.zone]
  for (let i = 1; i <= times; i++) zones.push((await rotateEgo(state, random, i)).secret.zone)
  return { ego: readEgo(state), zones }
}

test('are that of today alone where there was no other', async () => {
  const { ego, zones } = await rotated(0)
  expect(keysKnown(ego, null, 1).map(({ own }) => own.zone)).toEqual(zones)
})

test('are those from before as well, each with what leads on from it, the latest first', async () => {
  const { ego, zones } = await rotated(3)
  const known = keysKnown(ego, null, 10)
  expect(known.map(({ own }) => own.zone)).toEqual([3, 2, 1, 0].map(at => zones[at]))
  for (const { own, chain } of known.slice(1)) {
    const links = readSuccessionChain(chain, ego.secret.zone)
    expect(links[0]!.before).toEqual(own.zone)
  }
  expect(known[0]!.chain).toHaveLength(0)
})

test('are none older than the one that they are sure to know', async () => {
  const { ego, zones } = await rotated(3)
  const knownTo = (at: number) => keysKnown(ego, zones[at]!, 10).map(({ own }) => own.zone)
  expect(knownTo(3)).toEqual([zones[3]])
  expect(knownTo(2)).toEqual([zones[3], zones[2]])
  expect(knownTo(0)).toHaveLength(4)
})

test('are given up after 90 days, and no more than can be told of at once are kept', async () => {
  const { ego, zones } = await rotated(CHAIN_MAX + 2)
  expect(keysKnown(ego, null, 10)).toHaveLength(CHAIN_MAX + 1)
  // The last but one was given up a millisecond before the last.
  const late = FORMER_MS + CHAIN_MAX + 1
  expect(keysKnown(ego, null, late).map(({ own }) => own.zone)).toEqual(
    zones.slice(-2).toReversed(),
  )
  expect(keysKnown(ego, null, FORMER_MS + DAY_MS)).toHaveLength(1)
})
