import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NOT_EVENTS } from '../../../agent/metrics.ts'
import { fleetMetrics } from '../../../controller/up/fleet-metrics.ts'
import type { ShownDevice } from '../../../controller/up/fleet-watch.ts'
import { formatMetrics } from '../../../src/wire/prometheus.ts'
import { readMetrics } from '../../metrics-text.ts'

const NOW = 1_800_000_000_000

const device = (name: string, more: Partial<ShownDevice> = {}): ShownDevice => ({
  ...{ name, zone: '000G', tags: [], paired_at: '2026-01-01T00:00:00.000Z' },
  ...{ stale: false, age_ms: 0, error: null, alerts: [] },
  status: {
    ...{ load: 1.5, processors: 2, memory: { total: 1_000, available: 250 } },
    disks: {
      '/': { total: 100, used: 20 },
      '/mnt': { total: 50, used: 45 },
      '/no': { total: 0, used: 0 },
    },
    temperatures: { cpu: 48, gpu: 51.5 },
    booted_at: '2026-01-01T00:00:00.000Z',
    addresses: [],
    configuration: null,
    interfaces: { eth0: { received: 1, sent: 2 }, eth1: { received: 3, sent: 4 } },
    ...{ agent_version: '0.1.0', system: 'Debian "12"', probes: {}, probe_failures: {}, other: {} },
    ...{ services_fault: null, clock: { offset_ms: -2_500, error_ms: 40, compared_at: null } },
    services: {
      nginx: { state: 'failed', since: null },
      ssh: { state: 'running', since: null },
    },
  },
  ...more,
})
const read = (devices: readonly ShownDevice[]) =>
  readMetrics(formatMetrics(fleetMetrics(devices, NOW)))

describe('the metrics of a fleet', () => {
  test('have one series of each name for a device, whatever it has', () => {
    const metrics = read([device('attic'), device('kitchen', { stale: true, age_ms: 60_000 })])
    expect(metrics.get('box_fleet_devices')!.samples.get('{}')).toBe(2)
    const value = (name: string, of: string) => metrics.get(name)!.samples.get(`{device="${of}"}`)
    expect(value('box_device_up', 'attic')).toBe(1)
    expect(value('box_device_up', 'kitchen')).toBe(0)
    expect(value('box_device_seen_timestamp_seconds', 'kitchen')).toBe(NOW / 1_000 - 60)
    expect(value('box_device_disk_used_ratio', 'attic')).toBe(0.9)
    expect(value('box_device_temperature_celsius', 'attic')).toBe(51.5)
    expect(value('box_device_services', 'attic')).toBe(2)
    expect(value('box_device_services_down', 'attic')).toBe(1)
    expect(value('box_device_clock_offset_seconds', 'attic')).toBe(-2.5)
    expect(value('box_device_clock_offset_error_seconds', 'attic')).toBe(0.04)
    for (const [name, { samples }] of metrics)
      if (name.startsWith('box_device_')) expect(samples.size, name).toBe(2)
  })

  test('leave out what is not known of one that was never heard of', () => {
    const metrics = read([device('attic', { stale: true, age_ms: null, status: null })])
    expect([...metrics.keys()]).toEqual([
      'box_fleet_devices',
      'box_fleet_devices_untold',
      'box_device_up',
      'box_alerts_firing',
    ])
  })

  test('have an end, however many devices there are and however much they say', () => {
    const many = Array.from({ length: 2_500 }, (_, at) => device(`d${at}`))
    const system = 'x'.repeat(100_000)
    const loud = device('loud', { status: { ...many[0]!.status!, system } })
    const metrics = read([loud, ...many])
    expect(metrics.get('box_fleet_devices_untold')!.samples.get('{}')).toBe(501)
    expect(metrics.get('box_device_up')!.samples.size).toBe(2_000)
    expect([...metrics.get('box_device_info')!.samples.keys()][0]!.length).toBeLessThan(200)
  })

  test('are all that the dashboard and the alerts ask for', () => {
    const deploy = join(import.meta.dirname, '..', '..', '..', 'deploy')
    const agent = readFileSync(join(deploy, '..', 'agent', 'metrics.ts'), 'utf8')
    const known = [
      ...fleetMetrics([], NOW).map(({ name }) => name),
      ...Object.values(NOT_EVENTS).map(([name]) => name),
      ...[...agent.matchAll(/'(box_\w+)'/g)].map(([, name]) => name),
    ]
    for (const file of ['grafana/secushare-box.json', 'prometheus/box-rules.yml']) {
      const asked = readFileSync(join(deploy, file), 'utf8').match(/\bbox_\w+/g)!
      expect(asked.length).toBeGreaterThan(4)
      for (const name of asked) expect(known).toContain(name)
    }
  })
})
