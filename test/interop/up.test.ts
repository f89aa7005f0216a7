/** box up over real processes: the API, the sample program of the docs, a device that comes and goes. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readMetrics } from '../metrics-text.ts'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, folder, missing, Program, ROOT, run, succeed } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 23_000) + 10
const HUB = `127.0.0.1:${PORT}`
const API = `http://127.0.0.1:${PORT + 1}`
/** Silence of three and a half beats, and some. */
const STALE_MS = 90_000

const owner = new Controller('owner')
let device: Agent
let up: Program
let token = ''

const headers = () => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' })

async function ask(path: string, body?: object): Promise<Record<string, unknown>> {
  const method = body ? 'POST' : 'GET'
  const answer = await fetch(API + path, {
    ...{ method, headers: headers() },
    ...(body && { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as Record<string, unknown>
}

const isStale = async () => (await ask('/v1/devices/kitchen')).stale

async function untilStaleIs(wanted: boolean): Promise<void> {
  await expect.poll(isStale, { timeout: STALE_MS, interval: 250 }).toBe(wanted)
}

beforeAll(async () => {
  const hub = new Agent('hub', ['--hub', '--listen', HUB])
  const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
  device = new Agent('device', ['--hub-url', hello])
  await device.linked()
  await owner.must('init', '--ego', 'home')
  await owner.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  up = new Program(owner.command('up', '--port', `${PORT + 1}`, '--json'))
  const [line] = await up.until(/^\{.*\}$/m)
  const said = JSON.parse(line)
  expect(said).toMatchObject({ api: API, devices: 1 })
  token = (await succeed(['cat', said.token])).trim()
})
afterAll(cleanUp)

describe('box up', () => {
  test('shows a device that is there, and notices that it goes and comes', {
    timeout: 300_000,
  }, async () => {
    await untilStaleIs(false)
    device.program.kill('SIGKILL')
    await device.program.ended()
    await untilStaleIs(true)
    device.restart()
    await device.linked()
    await untilStaleIs(false)
  })

  test('serves the sample program of the docs', async () => {
    const sample = [process.execPath, join(ROOT, 'docs', 'api-sample.mjs')]
    const env = { BOX_API: API, BOX_STATE: owner.state }
    expect(await succeed([...sample, '0'], { env })).toMatch(
      /^kitchen: \/.* is \d+ % full\n\S+\t\//m,
    )
    expect(await succeed([...sample, '101'], { env })).toBe('')
    const none = await run([...sample], { env: { ...env, BOX_STATE: '/nowhere' } })
    expect(none.code).not.toBe(0)
  })

  test('says what a bundle would change, which configurations there were, and what a name has', async () => {
    const bundle = folder('bundle')
    mkdirSync(join(bundle, 'files'))
    writeFileSync(join(bundle, 'files', 'motd'), 'hello\n')
    const path = '/etc/box-motd-of-a-test'
    writeFileSync(
      join(bundle, 'bundle.yaml'),
      `bundle: 1\nname: motd\nfiles:\n  ${path}: { from: files/motd }\n`,
    )
    const checked = await owner.box('bundle', 'check', bundle)
    expect(checked.err + checked.out).toContain('no mistakes')
    const plan = await ask('/v1/plan', { selector: '@all', bundle })
    expect(plan.devices).toMatchObject([
      {
        name: 'kitchen',
        error: null,
        changes: [{ path, what: 'new', lines: expect.arrayContaining(['+hello']) }],
      },
    ])
    const { records } = await ask('/v1/names/kitchen.home?type=TXT')
    expect(records).toMatchObject([{ type: 'TXT' }])
    const { generations } = await ask('/v1/devices/kitchen/generations')
    expect(generations).toMatchObject([{ number: 0, holds: true }])
    expect(await ask('/v1/devices/kitchen/drift')).toEqual({ drift: [] })
  })

  test.skipIf(missing(['promtool']))(
    'tells Prometheus of the fleet, and brings what Prometheus needs',
    async () => {
      await untilStaleIs(false)
      const text = await (await fetch(`${API}/metrics`, { headers: headers() })).text()
      expect(readMetrics(text).get('box_device_up')!.samples.get('{device="kitchen"}')).toBe(1)
      const checked = await run(['promtool', 'check', 'metrics'], { input: text })
      expect(checked).toEqual({ code: 0, out: '', err: '' })
      const rules = join(ROOT, 'deploy', 'prometheus', 'box-rules.yml')
      expect(await succeed(['promtool', 'check', 'rules', rules])).toContain('4 rules found')
      const config = join(ROOT, 'deploy', 'prometheus', 'prometheus.yml')
      await succeed(['promtool', 'check', 'config', '--syntax-only', config])
    },
  )

  test('leaves the API unharmed by what does not belong there', async () => {
    const evil = { ...headers(), origin: 'http://attacker.example' }
    const post = await fetch(`${API}/v1/exec`, { method: 'POST', headers: evil, body: '{}' })
    expect(post.status).toBe(403)
    const many = await Promise.all(
      Array.from({ length: 40 }, () => fetch(`${API}/v1/events`, { headers: headers() })),
    )
    expect(many.filter(({ status }) => status === 503).length).toBe(8)
    for (const { body } of many) await body?.cancel()
    await expect
      .poll(async () => (await fetch(`${API}/v1/events`, { headers: headers() })).status)
      .toBe(200)
  })

  test('lends its peer to other commands, which then need no hub of their own', async () => {
    const env = { BOX_LOG: 'info' }
    const shell = async () => {
      const said = await run(owner.command('ssh', 'kitchen', '--json', '--', 'echo here'), { env })
      expect(said.code, said.err).toBe(0)
      return { ...said, ...(JSON.parse(said.out) as { path: string[]; output: string }) }
    }
    const lent = await shell()
    expect(lent.output).toBe('here\n')
    expect(lent.err).toContain('uses the peer of box up')
    const { peer } = await ask('/v1/about')
    expect(lent.path[0]).toBe(peer)
    const all = await owner.must('exec', '--all', '--json', '--', 'seq 100000')
    expect(JSON.parse(all)).toMatchObject({ exit_code: 0, truncated: false })
    expect(await owner.must('name', 'lookup', 'kitchen.home', 'TXT')).not.toBe('')
    const second = await owner.box('up', '--port', `${PORT + 2}`)
    expect(second.code).toBe(78)
    expect(second.err).toContain('mesh.sock')
  })

  test('ends when it is told to, and keeps what it knew', async () => {
    up.kill('SIGTERM')
    expect((await up.ended()).code).toBe(0)
    expect((await owner.box('status', '--json')).code).toBe(0)
  })
})
