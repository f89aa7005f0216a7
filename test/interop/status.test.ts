/**
 * Status over real processes: a hub, a device that only dials out, controllers that come later. The whole
 * state with one request, then changes; grants checked; a device that is away is shown as stale.
 */

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readMetrics } from '../metrics-text.ts'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, folder, Program } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 22_860)
const HUB = `127.0.0.1:${PORT}`
const METRICS = `127.0.0.1:${PORT + 1}`
const SINCE = '2026-11-26T10:00:00.000Z'
/** What systemd 252 says of a unit, whose state is in a file. */
const SYSTEMCTL = `#!/bin/sh
[ "$TZ" = UTC ] && [ "$1" = show ] || exit 1
state=$(cat "$(dirname "$0")/state" 2>/dev/null || echo active)
printf 'LoadState=loaded\\nActiveState=%s\\nSubState=running\\nStateChangeTimestamp=Thu 2026-11-26 10:00:00 UTC\\n' "$state"
`
/** Silence of three and a half beats, and some. */
const STALE_MS = 90_000

interface Line {
  readonly name: string
  readonly stale: boolean
  readonly age_ms: number | null
  readonly error: { readonly code: string } | null
  readonly status: {
    readonly load: number
    readonly memory: { readonly total: number }
    readonly agent_version: string
    readonly system: string
    readonly booted_at: string
    readonly services: Readonly<Record<string, { readonly state: string; readonly since: string }>>
    readonly clock: { readonly offset_ms: number; readonly error_ms: number } | null
  } | null
}

const lines = (text: string): Line[] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Line)

describe('box status', () => {
  afterAll(cleanUp)

  test('shows what the device says, to those who may see it, and what is old as old', {
    timeout: 300_000,
  }, async () => {
    const hub = new Agent('hub', ['--hub', '--listen', HUB])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    // Where systemd runs, its own answers would be other ones on each machine.
    const stub = folder('systemctl')
    writeFileSync(join(stub, 'systemctl'), SYSTEMCTL)
    chmodSync(join(stub, 'systemctl'), 0o755)
    const names = join(stub, 'services.json')
    const device = new Agent(
      'device',
      ['--hub-url', hello],
      { env: { PATH: `${stub}:${process.env.PATH}` } },
      { settings: { services: ['nginx'], servicesFile: names, metrics: METRICS } },
    )
    await device.linked()
    const owner = new Controller('owner')
    await owner.must('init', '--ego', 'home')
    await owner.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')

    // Once: everything with one request.
    const [once] = lines(await owner.must('status', '--json'))
    expect(once).toMatchObject({ name: 'kitchen', stale: false, error: null })
    expect(once!.status!.memory.total).toBeGreaterThan(2 ** 20)
    expect(once!.status!.system).not.toBe('')
    expect(Date.parse(once!.status!.booted_at)).toBeLessThan(Date.now())
    expect(await owner.must('status')).toMatch(
      /^NAME +LOAD[^\n]*\nkitchen .* now\nnginx: running for .*\nclock: /,
    )

    // Services that the owner has named, one of them from afar; the clock, which is the same one.
    expect(once!.status!.services.nginx).toMatchObject({ state: 'running', since: SINCE })
    expect(once!.status!.clock!.error_ms).toBeLessThan(15_000)
    expect(Math.abs(once!.status!.clock!.offset_ms)).toBeLessThanOrEqual(
      once!.status!.clock!.error_ms,
    )
    writeFileSync(names, '["process:no-such-thing"]')
    writeFileSync(join(stub, 'state'), 'failed')
    await expect
      .poll(() => owner.must('status', 'kitchen'), { timeout: 60_000, interval: 1_000 })
      .toMatch(/nginx: failed for .*\nprocess:no-such-thing: stopped.*\nclock: right, as far/)
    expect(await owner.must('status')).toMatch(/SERVICES.*\nkitchen .* 2 do not run /)
    const told = readMetrics(await (await fetch(`http://${METRICS}/metrics`)).text())
    const state = told.get('box_service_state')!.samples
    expect(state.get('{service="nginx",state="failed"}')).toBe(1)
    expect(state.get('{service="nginx",state="running"}')).toBe(0)
    expect(told.get('box_clock_offset_seconds')!.samples.size).toBe(1)

    // On the whole terminal, which is given back.
    const top = new Screen(
      'top',
      [100, 12],
      `${owner.command('top').join(' ')}; echo "left $?"; cat`,
    )
    await top.until(/^1 devices, 1 there .*\nNAME .*\nkitchen +\d/)
    top.type('n')
    await top.until(/by name/)
    top.type('q')
    await top.until(/^left 0/)
    top.close()
    const { code, err } = await owner.box('top')
    expect([code, err]).toEqual([64, expect.stringContaining('--watch')])

    // From now on: a restart of the agent is noticed, and the new place found.
    const watch = new Program(owner.command('status', 'kitchen', '--watch', '--json'))
    await watch.until(/"stale":false/)
    device.program.kill('SIGKILL')
    await device.program.ended()
    await watch.until(/"stale":true/, STALE_MS)
    const away = await owner.box('status', '--json', '--timeout', '5')
    expect(away.code).toBe(75)
    const [old] = lines(away.out)
    expect(old).toMatchObject({ stale: true })
    expect(old!.age_ms).toBeGreaterThan(0)
    expect(old!.status!.memory.total).toBe(once!.status!.memory.total)
    device.restart()
    await device.linked()
    await watch.until(/"stale":true[\s\S]*"stale":false/, STALE_MS)
    watch.kill('SIGINT')
    await watch.ended()

    // A stranger with the device in its fleet is not let in: its grant is gone with the pairing.
    await owner.must('status', '--json')
    const grants = device.ask('reset', '--yes')
    await grants.catch(() => {})
    const refused = await owner.box('status', '--json', '--timeout', '8')
    expect(refused.code).not.toBe(0)
    expect(lines(refused.out)[0]).toMatchObject({ stale: true })
  })
})
