/**
 * Alerts and probes over real processes: a script on a device measures, a rule about it fires; the command and the room of its owner hear it once, over
 * a restart of box up too; somebody takes note; it is over; and a device that is gone is silent.
 */

import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readMetrics } from '../metrics-text.ts'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, folder, missing, Program, run } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 22_860) + 40
const HUB = `127.0.0.1:${PORT}`
const METRICS = `127.0.0.1:${PORT + 2}`
/** A look of the device, one of the controller, a minute of rest, on a busy machine. */
const SOON_MS = 240_000

afterAll(cleanUp)

const work = folder('alerts')
const heardFile = join(work, 'heard')
const rulesFile = join(work, 'alerts.json')
const probes = join(work, 'probes')
const chargeFile = join(work, 'charge')
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
  mkdirSync(probes, { mode: 0o755 })
  const probe = (name: string, text: string) => {
    writeFileSync(join(probes, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(probes, name), 0o755)
  }
  writeFileSync(chargeFile, '90')
  probe('ups.10s.sh', `echo "{ \\"charge\\": $(cat '${chargeFile}'), \\"state\\": \\"on line\\" }"`)
  probe('psyc', "printf '\\n=_queue_length\\t7\\n|\\n'")
  probe('hangs', 'sleep 1000 & sleep 1000')
  const hub = new Agent('hub', ['--hub', '--listen', HUB])
  const { hello } = await hub.status(({ hello: url }) => url.includes('tcp'))
  const device = new Agent(
    'device',
    ['--hub-url', hello],
    {},
    {
      settings: { alertsFile: rulesFile, probes, metrics: METRICS },
    },
  )
  await device.linked()
  await owner.must('init', '--ego', 'home')
  await owner.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  await owner.must('room', 'create', 'ops', '--on', 'kitchen')
  writeFileSync(
    join(owner.state, 'alerts.json'),
    JSON.stringify({
      rules: [{ name: 'silent', when: 'silent > 45 s', for: '0s' }],
      deliver: [{ command: [script] }, { room: 'ops' }],
    }),
  )
  expect(await owner.must('alerts', 'check')).toContain('no mistakes')
  expect(await owner.must('alerts')).toBe('')

  const first = await up()
  rules([{ name: 'ups', when: 'probe_ups_charge < 50', for: '0s', room: 'ops' }])
  await expect
    .poll(async () => await owner.must('status'), { timeout: SOON_MS, interval: 1_000 })
    .toMatch(
      /hangs: failed: took more than 10 s\npsyc: queue_length 7\nups: charge 90, state on line/,
    )
  expect(heard()).toEqual([])
  writeFileSync(chargeFile, '20')
  await expect.poll(() => heardOf('ups'), { timeout: SOON_MS, interval: 250 }).toEqual(['fires'])
  expect(heard()[0]).toMatchObject({ device: 'kitchen', origin: 'device', attempt: 1 })
  const [told] = (await owner.must('alerts', '--json')).split('\n')
  expect(JSON.parse(told!)).toMatchObject({ device: 'kitchen', rule: 'ups', state: 'firing' })
  expect(await owner.must('status')).toMatch(/ALERTS[\s\S]*kitchen.* ups /)
  expect(await owner.must('ls')).toContain(' ups ')

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
    .toMatch(/"rule":"ups"[^}]*"state":"firing"/)
  await owner.must('alerts', 'ack', 'kitchen', 'ups')
  expect(await owner.must('alerts')).toMatch(/kitchen +ups +known/)
  const metrics = await ask('/metrics')
  expect(readMetrics(metrics).get('box_alerts_firing')!.samples.get('{device="kitchen"}')).toBe(1)
  const ofAgent = await (await fetch(`http://${METRICS}/metrics`)).text()
  expect(readMetrics(ofAgent).get('box_alerts_firing')!.samples.get('{rule="ups"}')).toBe(1)
  if (missing(['promtool']) === null)
    for (const input of [metrics, ofAgent])
      expect(await run(['promtool', 'check', 'metrics'], { input })).toEqual({
        ...{ code: 0, out: '', err: '' },
      })

  const value = readMetrics(ofAgent).get('box_probe_value')!.samples
  expect(value.get('{probe="ups",key="charge"}')).toBe(20)
  writeFileSync(chargeFile, '90')
  await expect
    .poll(() => heardOf('ups'), { timeout: SOON_MS, interval: 250 })
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
  expect(
    said.filter(line => line.startsWith('kitchen: ALERT ups: probe_ups_charge 20')),
  ).toHaveLength(1)
  expect(said.filter(line => line.startsWith('kitchen: over: ups'))).toHaveLength(1)
  expect(said.filter(line => line.startsWith('home: ALERT kitchen: ups'))).toHaveLength(1)
  expect(said.filter(line => line.startsWith('home: over: kitchen: ups'))).toHaveLength(1)
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
  expect(heardOf('ups')).toEqual(['fires', 'over'])
  second.up.kill('SIGTERM')
  expect((await second.up.ended()).code).toBe(0)
})
