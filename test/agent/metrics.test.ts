import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NOT_EVENTS } from '../../agent/metrics.ts'
import { formatMetrics } from '../../src/wire/prometheus.ts'
import { readMetrics } from '../metrics-text.ts'
import { Home } from './home.ts'

let home: Home

beforeEach(async () => {
  home = new Home()
  await home.start()
})

afterEach(() => home.stop())

const read = () => readMetrics(formatMetrics(home.agent.metrics()))
const value = (name: string, labels = '{}') => read().get(name)?.samples.get(labels)

describe('the metrics of an agent', () => {
  test('follow what it does', async () => {
    expect(value('box_owners')).toBe(0)
    expect(value('box_pairing_open')).toBe(0)
    const code = home.openWindow()
    expect(value('box_pairing_open')).toBe(1)
    await home.pair(code)
    expect(value('box_owners')).toBe(1)
    expect(value('box_ssh_connections')).toBe(0)
    const client = await home.login()
    expect(value('box_ssh_connections')).toBe(1)
    client.end()
  })

  test('tell of process and machine in base units', () => {
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    const started = value('process_start_time_seconds')!
    expect(Math.abs(Date.now() / 1_000 - started)).toBeLessThan(60)
    expect(value('box_machine_memory_size_bytes')).toBeGreaterThan(2 ** 24)
    expect(value('box_machine_boot_time_seconds')).toBeLessThan(started)
  })

  test('end in the unit that Prometheus wants: counters in _total, and nothing else', () => {
    for (const [name, { type, samples }] of read()) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      expect(samples.size, name).toBeGreaterThan(0)
    }
  })

  test('count nothing as an event that is a size', () => {
    const mesh = join(import.meta.dirname, '..', '..', 'src', 'mesh')
    const gauges = readdirSync(mesh, { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .flatMap(name => [
        ...readFileSync(join(mesh, name), 'utf8').matchAll(/\.gauge\(\s*'([^']+)'/g),
      ])
      .map(([, name]) => name!)
    expect(gauges.length).toBeGreaterThan(5)
    const named = Object.entries(NOT_EVENTS).filter(([, [, type]]) => type === 'gauge')
    expect(named.map(([name]) => name).sort()).toEqual(gauges.sort())
  })
})
