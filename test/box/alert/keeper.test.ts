/** Alerts over time: how long it takes, what survives, and that what flaps is told of seldom. */

import { expect, test } from 'vitest'
import { type AlertChange, AlertKeeper } from '../../../src/box/alert/keeper.ts'
import { alertVariables, readAlerts } from '../../../src/box/alert/report.ts'
import { readRules } from '../../../src/box/alert/rule.ts'
import { World } from '../../sim/world.ts'

const MINUTE = 60_000
const LOOK = 10_000
const [rule] = readRules([{ name: 'hot', when: 'temperature > 80', for: '5m' }])
const is = (holds: boolean | null) => ({ holds, value: holds ? 'temperature 90' : '' })

/** Looks every ten seconds for a while; what happened. */
async function pass(
  world: World,
  keeper: AlertKeeper,
  ms: number,
  holds: boolean | null | (() => boolean | null),
  options: Parameters<AlertKeeper['look']>[2] = {},
): Promise<AlertChange['is'][]> {
  const happened: AlertChange['is'][] = []
  for (let at = 0; at < ms; at += LOOK) {
    const change = keeper.look(rule!, is(typeof holds === 'function' ? holds() : holds), options)
    if (change) happened.push(change.is)
    await world.pass(LOOK)
  }
  return happened
}

const setUp = (kept: ConstructorParameters<typeof AlertKeeper>[0]['kept'] = []) => {
  const world = new World(1)
  return { world, keeper: new AlertKeeper({ clock: world, kept }) }
}

test('fires once it has held for as long as the rule says, and is over after as long', async () => {
  const { world, keeper } = setUp()
  expect(await pass(world, keeper, 4 * MINUTE, true)).toEqual([])
  expect(keeper.holdsFor('hot')).toBe(4 * MINUTE)
  expect(await pass(world, keeper, LOOK, false)).toEqual([])
  expect(await pass(world, keeper, 5 * MINUTE, true)).toEqual([])
  const at = world.now()
  expect(await pass(world, keeper, 30 * MINUTE, true)).toEqual(['fires'])
  expect(keeper.records()).toMatchObject([
    {
      rule: 'hot',
      when: 'temperature > 80 for 5m',
      value: 'temperature 90',
      since: at,
      until: null,
    },
  ])
  expect(await pass(world, keeper, 4 * MINUTE, false)).toEqual([])
  expect(await pass(world, keeper, LOOK, true)).toEqual([])
  expect(await pass(world, keeper, 5 * MINUTE, false)).toEqual([])
  expect(await pass(world, keeper, LOOK, false)).toEqual(['over'])
  expect(keeper.records()).toMatchObject([{ rule: 'hot', until: world.now() - LOOK }])
})

test('what becomes unknown stays as it is for a while, and where the device is away for as long as that', async () => {
  const { world, keeper } = setUp()
  await pass(world, keeper, 6 * MINUTE, true)
  expect(await pass(world, keeper, 14 * MINUTE, null)).toEqual([])
  await pass(world, keeper, LOOK, true)
  expect(await pass(world, keeper, 600 * MINUTE, null, { isAway: true })).toEqual([])
  expect(await pass(world, keeper, 30 * MINUTE, null)).toEqual(['over'])
})

test('with a condition of its own it is over when that holds', async () => {
  const { world, keeper } = setUp()
  await pass(world, keeper, 6 * MINUTE, true)
  expect(await pass(world, keeper, 30 * MINUTE, false, { rests: is(false) })).toEqual([])
  expect(await pass(world, keeper, 6 * MINUTE, false, { rests: is(true) })).toEqual(['over'])
})

test('what comes and goes all day is told of a few times an hour at most', async () => {
  const { world } = setUp()
  const [quick] = readRules([{ name: 'hot', when: 'temperature > 80', for: '0s' }])
  const keeper = new AlertKeeper({ clock: world, kept: [] })
  let changes = 0
  for (let at = 0; at < 24 * 60 * MINUTE; at += LOOK) {
    if (keeper.look(quick!, is((at / MINUTE) % 4 < 2))) changes++
    await world.pass(LOOK)
  }
  expect(changes).toBeGreaterThan(2)
  expect(changes).toBeLessThan(24 * 4)
})

test('what fired before a restart goes on, is not new, and can be over', async () => {
  const first = setUp()
  await pass(first.world, first.keeper, 6 * MINUTE, true)
  const kept = first.keeper.records()
  const { world, keeper } = setUp(kept)
  expect(keeper.records()).toEqual(kept)
  expect(await pass(world, keeper, 10 * MINUTE, true)).toEqual([])
  expect(await pass(world, keeper, 6 * MINUTE, false)).toEqual(['over'])
})

test('without its rule an alert is over, and what was over a day ago is forgotten', async () => {
  const { world, keeper } = setUp()
  await pass(world, keeper, 6 * MINUTE, true)
  expect(keeper.forget(name => name !== 'hot')).toMatchObject([{ is: 'over' }])
  expect(keeper.forget(() => false)).toEqual([])
  expect(keeper.tidy()).toBe(false)
  await world.pass(25 * 60 * MINUTE)
  expect(keeper.tidy()).toBe(true)
  expect(keeper.records()).toEqual([])
})

test('as variables of a status they come back as they were, to the second', () => {
  const records = [
    {
      rule: 'disk',
      when: 'disk_used_ratio > 90 % for 5m',
      value: '{/} 93 % |x',
      since: 1_800_000_000_000,
    },
    { rule: 'hot', when: '', value: 'temperature 90 (a b)', since: 1_700_000_001_000 },
  ].map((record, at) => ({ ...record, until: at === 0 ? null : record.since + 9_000 }))
  const report = { records, rules: ['disk', 'hot'], fault: null }
  const back = readAlerts(alertVariables(report))
  const offset = (ms: number) => Math.floor(ms / 1_000)
  expect({
    ...back,
    records: back.records.map(one => ({ ...one, since: offset(one.since) })),
  }).toEqual({
    ...report,
    records: records.map(one => ({ ...one, since: offset(one.since) })),
  })
  expect(readAlerts(new Map())).toEqual({ records: [], rules: [], fault: null })
})

test.for([
  [{}, 'There is no list of rules.'],
  [[7], 'Rule 1 is no { … }.'],
  [[{ name: 'A b' }], 'Rule 1 has no name'],
  [[{ name: 'a' }], '"when" of the rule "a" is missing.'],
  [[{ name: 'a', when: 7 }], '"when" of the rule "a" is no text.'],
  [[{ name: 'a', when: 'load >' }], '"when" of the rule "a": Column 7'],
  [[{ name: 'a', when: 'load > 1', until: 'load ~ 1' }], '"until" of the rule "a": Column 6'],
  [[{ name: 'a', when: 'load > 1', for: 'ever' }], '"for" of the rule "a" is no time'],
  [[{ name: 'a', when: 'load > 1', for: '8d' }], '"for" of the rule "a" is no time'],
  [
    [{ name: 'a', when: 'load > 1', fro: '8m' }],
    '"fro" of the rule "a" is nothing that a rule has',
  ],
  [
    [
      { name: 'a', when: 'load > 1' },
      { name: 'a', when: 'load > 2' },
    ],
    'Two rules are called "a".',
  ],
  [Array(33).fill({ name: 'a', when: 'load > 1' }), 'more than 32 rules'],
] as const)('rules like %j are refused', ([value, complaint]) => {
  expect(() => readRules(value)).toThrow(complaint)
})
