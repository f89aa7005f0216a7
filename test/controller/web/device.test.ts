import { describe, expect, test } from 'vitest'
import {
  alertsOf,
  clockText,
  type Device,
  fits,
  type Status,
  stateOf,
} from '../../../controller/web/device.ts'
import { age, bytes, count, percent } from '../../../controller/web/text.ts'

const STATUS: Status = {
  ...{ load: 0.5, processors: 2, memory: { total: 100, available: 50 } },
  disks: { '/': { total: 100, used: 10 } },
  ...{ temperatures: { cpu: 40 }, booted_at: null, addresses: ['192.0.2.7'], interfaces: {} },
  ...{
    agent_version: '0.1.0',
    system: 'Debian 12',
    configuration: null,
    probes: {},
    probe_failures: {},
    ...{ services: {}, services_fault: null, clock: null },
    other: {},
  },
}
const kitchen = (status: Partial<Status> | null, more: Partial<Device> = {}): Device => ({
  ...{ name: 'kitchen', zone: '000G', tags: ['routers'], paired_at: '', age_ms: 0, error: null },
  ...{ stale: false, status: status && { ...STATUS, ...status }, alerts: [], ...more },
})

describe('a device on the page', () => {
  test('is here, away, or not heard of yet', () => {
    expect(stateOf(kitchen({}))).toBe('here')
    expect(stateOf(kitchen({}, { stale: true }))).toBe('away')
    expect(stateOf(kitchen(null, { stale: true }))).toBe('unknown')
  })

  test('wants to be looked at where something is full, hot, put back or drifted', () => {
    expect(alertsOf(kitchen({}))).toEqual([])
    expect(alertsOf(kitchen(null))).toEqual([])
    const rule = { when: 'load > 5 for 1m', acknowledged: false }
    const alerts = [
      { ...rule, rule: 'busy', value: 'load 6' },
      { ...rule, rule: 'known', value: '', acknowledged: true },
    ]
    expect(alertsOf(kitchen(null, { alerts }))).toEqual(['busy: load 6'])
    expect(alertsOf(kitchen({ disks: { '/': { total: 100, used: 91 } } }))).toEqual([
      '/ is 91 % full',
    ])
    expect(alertsOf(kitchen({ disks: { '/': { total: 0, used: 0 } } }))).toEqual([])
    expect(alertsOf(kitchen({ temperatures: { cpu: 84.6 } }))).toEqual(['85 °C hot'])
    const configuration = {
      ...{ state: 'put_back', generation: 2, bundle: 'motd', version: 1 },
      ...{ unconfirmed: null, last: null, drift: 3 },
    }
    expect(alertsOf(kitchen({ configuration }))).toEqual([
      'the last push was put back',
      'drifted: 3',
    ])
  })

  test('says which services are not well, and when its clock is surely wrong', () => {
    const state = (word: string) => ({ state: word, since: null })
    const services = { ssh: state('running'), sysctl: state('done'), nginx: state('failed') }
    expect(alertsOf(kitchen({ services }))).toEqual(['nginx is failed'])
    const clock = (offset_ms: number, error_ms: number) => ({
      clock: { offset_ms, error_ms, compared_at: null },
    })
    expect(alertsOf(kitchen(clock(-90_000, 40_000)))).toEqual([])
    expect(alertsOf(kitchen(clock(-7_260_000, 40)))).toEqual([
      'the clock is 2 h 1 min behind, ± 40 ms',
    ])
    expect(clockText({ ...STATUS, ...clock(12, 40) })).toBe('right to 40 ms')
    expect(clockText(STATUS)).toBe('not compared yet')
  })

  test('is found by all words of a search', () => {
    const one = kitchen({})
    for (const search of ['', 'KIT', '@rout', 'debian 192.0', 'is:here kitchen'])
      expect(fits(one, search), search).toBe(true)
    for (const search of ['attic', '@lab', 'is:away', 'is:alert', 'kitchen @lab'])
      expect(fits(one, search), search).toBe(false)
  })

  test('has its numbers written for people', () => {
    expect([bytes(0), bytes(999), bytes(1_500), bytes(2 ** 30), bytes(2e14)]).toEqual([
      ...['0 B', '999 B', '1.5 kB', '1.1 GB', '200 TB'],
    ])
    expect([age(59_999), age(61_000), age(7_500_000), age(2e8)]).toEqual([
      ...['59 s', '1 min', '2 h 5 min', '2 d 7 h'],
    ])
    expect([percent(0.456), count(1, 'device'), count(2, 'device')]).toEqual([
      ...['46 %', '1 device', '2 devices'],
    ])
  })
})
