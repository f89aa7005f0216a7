import { describe, expect, test } from 'vitest'
import { reportOf } from '../../../controller/status-report.ts'
import { FleetHistory, POINT_EVERY_MS, POINTS_MAX } from '../../../controller/up/fleet-history.ts'
import type { ShownDevice } from '../../../controller/up/fleet-watch.ts'
import { World } from '../../sim/world.ts'

const HOUR_MS = 3_600_000

function device(zone: string, load: number, received: number, stale = false): ShownDevice {
  const status = { ...reportOf(new Map()), load, interfaces: { eth0: { received, sent: 0 } } }
  const about = { name: zone, zone, tags: [], paired_at: '', alerts: [] }
  return { ...about, stale, age_ms: 0, error: null, status }
}

function begin(devices: () => readonly ShownDevice[]) {
  const world = new World(3)
  const history = new FleetHistory(world, devices)
  world.run(1)
  return { world, history }
}

describe('the history of a fleet', () => {
  test('has a point a minute, with what was received by the second', () => {
    let load = 0
    const { world, history } = begin(() => [device('a', ++load, load * 60_000)])
    world.run(2 * POINT_EVERY_MS)
    const { at, series } = history.of('a', null)
    expect(at.map(ms => ms - at[0]!)).toEqual([0, POINT_EVERY_MS, 2 * POINT_EVERY_MS])
    expect(series.load).toEqual([1, 2, 3])
    expect(series.received).toEqual([null, 1_000, 1_000])
    expect(series.heat).toEqual([null, null, null])
    world.run(999)
    const latest = history.of('a', device('a', 9, 181_000).status)
    expect(latest.at).toHaveLength(4)
    expect(latest.series.load).toEqual([1, 2, 3, 9])
    expect(latest.series.received).toEqual([null, 1_000, 1_000, 1_000])
    history.close()
    expect(world.pending).toBe(0)
  })

  test('has a gap while the device is away, and none of counters that begin anew', () => {
    let now = device('a', 1, 6_000)
    const { world, history } = begin(() => [now])
    now = device('a', 1, 7_000, true)
    world.run(POINT_EVERY_MS)
    now = device('a', 2, 9_000)
    world.run(POINT_EVERY_MS)
    now = device('a', 3, 10)
    world.run(POINT_EVERY_MS)
    expect(history.of('a', null).series.load).toEqual([1, null, 2, 3])
    expect(history.of('a', null).series.received).toEqual([null, null, null, null])
    history.close()
  })

  test('keeps hours and no more, of devices that are there and no others', () => {
    let fleet = Array.from({ length: 2_500 }, (_, i) => device(`${i}`, 1, 0))
    const { world, history } = begin(() => fleet)
    expect(history.of('1999', null).at).toHaveLength(1)
    expect(history.of('2000', null).at).toHaveLength(0)
    fleet = fleet.slice(0, 2)
    world.run(7 * HOUR_MS)
    const { at } = history.of('0', null)
    expect(at).toHaveLength(POINTS_MAX)
    expect(at.at(-1)! - at[0]!).toBe((POINTS_MAX - 1) * POINT_EVERY_MS)
    expect(history.of('5', null).at).toHaveLength(0)
    history.close()
  })
})
