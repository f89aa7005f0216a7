/** Metrics of a real agent, as Prometheus' own tool reads them. */

import { afterAll, describe, expect, test } from 'vitest'
import { readMetrics } from '../metrics-text.ts'
import { Agent } from './fleet.ts'
import { cleanUp, missing, run } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 23_000)
const HUB = `127.0.0.1:${PORT}`
const METRICS = `127.0.0.1:${PORT + 1}`

describe.skipIf(missing(['promtool']))('the metrics of an agent', () => {
  afterAll(cleanUp)

  test('are clean to promtool, and show a device coming', async () => {
    const hub = new Agent('hub', ['--hub', '--listen', HUB, '--metrics', METRICS])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    const read = async () => await (await fetch(`http://${METRICS}/metrics`)).text()
    const before = readMetrics(await read())
    expect(before.get('box_hub_mode')!.samples.get('{}')).toBe(1)
    expect(before.get('box_neighbours')!.samples.get('{state="up"}')).toBe(0)

    const device = new Agent('device', ['--hub-url', hello])
    await device.linked()
    const text = await read()
    const after = readMetrics(text)
    expect(after.get('box_neighbours')!.samples.get('{state="up"}')).toBe(1)
    expect(after.get('box_mesh_events_total')!.samples.size).toBeGreaterThan(0)
    expect(await run(['promtool', 'check', 'metrics'], { input: text })).toEqual({
      code: 0,
      out: '',
      err: '',
    })
  })

  test('are refused at an address that others can reach, and where somebody listens', async () => {
    const open = new Agent('open', ['--metrics', `0.0.0.0:${PORT + 2}`])
    const refused = await open.program.ended()
    expect(refused.code).toBe(64)
    expect(refused.err).toContain('--metrics can be read by other machines')
    const one = new Agent('one', ['--metrics', `127.0.0.1:${PORT + 3}`])
    await one.program.until(/running as peer/)
    const two = new Agent('two', ['--metrics', `127.0.0.1:${PORT + 3}`])
    const taken = await two.program.ended()
    expect(taken.code).toBe(78)
    expect(taken.err).toContain('EADDRINUSE')
  })
})
