/**
 * Alerts over real processes: a device behind a hub fires, the command and the room of its owner hear it once, over
 * a restart of box up too; somebody takes note; it is over; and a device that is gone is silent.
 */

import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readMetrics } from '../metrics-text.ts'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, folder, missing, Program, run } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 42_860) + 40
const HUB = `127.0.0.1:${PORT}`
const METRICS = `127.0.0.1:${PORT + 2}`
/** A look of the device, one of the controller, a minute of rest, on a busy machine. */
const SOON_MS = 150_000

afterAll(cleanUp)

const work = folder('alerts')
const heardFile = join(work, 'heard')
const rulesFile = join(work, 'alerts.json')
const owner = new Controller('owner')

interface Heard {
  readonly event: string
  readonly device: string
  readonly rule: string
  readonly origin: string
  readonly value: string
  readonly attempt: number
}
/** What the command was told. */
const heard = (): Heard[] =>
  existsSync(heardFile)
    ? readFileSync(heardFile, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map(line => JSON.parse(line) as Heard)
    : []
const heardOf = (name: string) => heard().flatMap(({ event, rule }) => (rule === name ? event : []))

function rules(value: object): void {
  writeFileSync(`${rulesFile}.new`, JSON.stringify(value))
  renameSync(`${rulesFile}.new`, rulesFile)
}

async function up(): Promise<{ up: Program; api: string; token: string }> {
  const program = new Program(owner.command('up', '--port', `${PORT + 1}`, '--json'))
  const [line] = await program.until(/^\{.*\}$/m)
  const { api, token } = JSON.parse(line) as { api: string; token: string }
  return { up: program, api, token: readFileSync(token, 'utf8').trim() }
}

test('an alert is heard once where it is to be, and so is its end', {
  timeout: 900_000,
}, async () => {
  const script = join(work, 'told')
  // A slow one, so that several at once would be seen.
  writeFileSync(
    script,
    `#!/bin/sh\n[ "$BOX_ALERT_DEVICE" = kitchen ] || exit 1\nsleep 1\ncat >>'${heardFile}'\n`,
  )
  chmodSync(script, 0o755)
  const hub = new Agent('hub', ['--hub', '--listen', HUB])
  const { hello } = await hub.status(({ hello: url }) => url.includes('tcp'))
  const device = new Agent(
    'device',
    ['--hub-url', hello],
    {},
    {
      settings: { alertsFile: rulesFile, metrics: METRICS },
    },
  )
  await device.linked()
  await owner.must('init', '--ego', 'home')
  await owner.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  await owner.must('room', 'create', 'ops', '--on', 'kitchen')
  writeFileSync(
    join(owner.state, 'alerts.json'),
    JSON.stringify({
      rules: [{ name: 'silent', when: 'silent > 5 s', for: '0s' }],
      deliver: [{ command: [script] }, { room: 'ops' }],
    }),
  )
  expect(await owner.must('alerts', 'check')).toContain('no mistakes')
  expect(await owner.must('alerts')).toBe('')

  const first = await up()
  rules([{ name: 'old', when: 'uptime > 1 s', for: '0s', room: 'ops' }])
  await expect.poll(() => heardOf('old'), { timeout: SOON_MS, interval: 250 }).toEqual(['fires'])
  expect(heard()[0]).toMatchObject({ device: 'kitchen', origin: 'device', attempt: 1 })
  const [told] = (await owner.must('alerts', '--json')).split('\n')
  expect(JSON.parse(told!)).toMatchObject({ device: 'kitchen', rule: 'old', state: 'firing' })
  expect(await owner.must('status')).toMatch(/ALERTS[\s\S]*kitchen.* old /)
  expect(await owner.must('ls')).toContain(' old ')

  // Killed and begun anew, it tells nobody again.
  first.up.kill('SIGKILL')
  await first.up.ended()
  const second = await up()
  const ask = async (path: string) => {
    const headers = { authorization: `Bearer ${second.token}` }
    return await (await fetch(second.api + path, { headers })).text()
  }
  await expect
    .poll(async () => await ask('/v1/alerts'), { timeout: SOON_MS, interval: 500 })
    .toMatch(/"rule":"old"[^}]*"state":"firing"/)
  await owner.must('alerts', 'ack', 'kitchen', 'old')
  expect(await owner.must('alerts')).toMatch(/kitchen +old +known/)
  const metrics = await ask('/metrics')
  expect(readMetrics(metrics).get('box_alerts_firing')!.samples.get('{device="kitchen"}')).toBe(1)
  const ofAgent = await (await fetch(`http://${METRICS}/metrics`)).text()
  expect(readMetrics(ofAgent).get('box_alerts_firing')!.samples.get('{rule="old"}')).toBe(1)
  if (missing(['promtool']) === null)
    for (const input of [metrics, ofAgent])
      expect(await run(['promtool', 'check', 'metrics'], { input })).toEqual({
        ...{ code: 0, out: '', err: '' },
      })

  rules([])
  await expect
    .poll(() => heardOf('old'), { timeout: SOON_MS, interval: 250 })
    .toEqual(['fires', 'over'])
  const lines = async () =>
    (await owner.must('room', 'history', 'ops', '--json'))
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as { what: string; author?: string; text?: string })
      .filter(({ what }) => what === 'message')
      .map(({ author, text }) => `${author}: ${text}`)
  await expect
    .poll(async () => (await lines()).length, { timeout: SOON_MS, interval: 1_000 })
    .toBe(4)
  const said = await lines()
  expect(said.filter(line => line.startsWith('kitchen: ALERT old: uptime'))).toHaveLength(1)
  expect(said.filter(line => line.startsWith('kitchen: over: old'))).toHaveLength(1)
  expect(said.filter(line => line.startsWith('home: ALERT kitchen: old'))).toHaveLength(1)
  expect(said.filter(line => line.startsWith('home: over: kitchen: old'))).toHaveLength(1)
  const audit = await owner.must('audit', 'kitchen', '--json')
  expect(audit.match(/"what":"alert"[^}]*"result":"(fires|over)"/g)).toHaveLength(2)

  // Silence: the device is gone, and comes back.
  device.program.kill('SIGKILL')
  await device.program.ended()
  await expect.poll(() => heardOf('silent'), { timeout: SOON_MS, interval: 250 }).toEqual(['fires'])
  device.restart()
  await device.linked()
  await expect
    .poll(() => heardOf('silent'), { timeout: SOON_MS, interval: 250 })
    .toEqual(['fires', 'over'])
  expect(heardOf('old')).toEqual(['fires', 'over'])
  second.up.kill('SIGTERM')
  expect((await second.up.ended()).code).toBe(0)
})
