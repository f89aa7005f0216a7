import { expect, test } from 'vitest'
import { Counters } from '../../src/base/counters.ts'

test('counters add up, and gauges are looked at when they are read', () => {
  const counters = new Counters()
  let size = 1
  counters.gauge('table.size', () => size)
  counters.add('core.replayed')
  counters.add('core.replayed')
  counters.add('cadet.relayed_bytes', 100)
  expect(counters.read()).toEqual({
    'core.replayed': 2,
    'cadet.relayed_bytes': 100,
    'table.size': 1,
  })
  size = 5
  expect(counters.read()['table.size']).toBe(5)
})
