/** What goes wrong between two machines, as a person meets it: one sentence, an exit code, nothing changed. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatPairingCode, parsePairingCode } from '../../src/box/pairing-code.ts'
import { Agent, Controller } from './fleet.ts'
import { LAB_PORT } from './lab.ts'
import { BOX_AGENT, cleanUp, folder, type Outcome, run } from './program.ts'

const HUB = `127.0.0.1:${LAB_PORT + 95}`
const [UNREACHABLE, REFUSED, SETUP] = [75, 77, 78]
/** The shortest window that can be asked for, in minutes; and well after its end. */
const SHORT = '0.02'
const SHORT_OVER_MS = 1_500

/** One sentence of the program's, and nothing else. */
function isOneSentence({ out, err }: Outcome, program = 'box'): void {
  expect(out).toBe('')
  expect(err).toMatch(new RegExp(`^${program}: [^\\n]+\\.\\n$`))
}

/** What is in a state directory, but for what a running program writes by itself. */
const stateOf = ({ state }: { readonly state: string }): Record<string, string> =>
  Object.fromEntries(
    readdirSync(state, { withFileTypes: true })
      .filter(entry => entry.isFile() && /key|owners|grants|ego|fleet|hosts|hubs/.test(entry.name))
      .map(({ name }) => [name, readFileSync(join(state, name), 'base64')]),
  )

describe('what goes wrong', () => {
  let hub: Agent
  let device: Agent
  let owner: Controller
  let stranger: Controller

  beforeAll(async () => {
    hub = new Agent('hub', ['--hub', '--listen', HUB])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new Agent('device', ['--hub-url', hello])
    await device.linked()
    owner = new Controller('owner')
    stranger = new Controller('stranger')
    await owner.must('init')
    await stranger.must('init', '--ego', 'stranger')
  })
  afterAll(cleanUp)

  test('a wrong secret pairs nobody, and the right code is void after it', async () => {
    const before = [stateOf(device), stateOf(stranger)]
    const code = await device.pairingCode()
    const { secret, ...rest } = parsePairingCode(code)
    const wrong = formatPairingCode({ ...rest, secret: secret.map(byte => byte ^ 1) })
    const said = await stranger.box('pair', wrong, '--as', 'kitchen')
    expect(said.code).toBe(REFUSED)
    isOneSentence(said)
    expect([stateOf(device), stateOf(stranger)]).toEqual(before)
    expect((await device.status()).owners).toEqual([])
  })

  test('a code is good for one pairing', async () => {
    const code = await device.pairingCode()
    await owner.must('pair', code, '--as', 'kitchen')
    const before = [stateOf(device), stateOf(stranger)]
    const said = await stranger.box('pair', code, '--as', 'kitchen')
    expect(said.code).toBe(REFUSED)
    isOneSentence(said)
    expect([stateOf(device), stateOf(stranger)]).toEqual(before)
    expect((await device.status()).owners).toHaveLength(1)
  })

  test('a code is good for its time only', async () => {
    const asked = await device.ask('pair', '--json', '--no-wait', '--minutes', SHORT)
    const { code } = JSON.parse(asked.out) as { code: string }
    await new Promise(resolve => setTimeout(resolve, SHORT_OVER_MS))
    const said = await stranger.box('pair', code, '--as', 'kitchen')
    expect(said.code).toBe(REFUSED)
    isOneSentence(said)
    expect((await device.status()).owners).toHaveLength(1)
  })

  test('a stranger who has the name and the zone gets nothing', async () => {
    const list = readFileSync(join(owner.state, 'fleet'), 'utf8')
    writeFileSync(join(stranger.state, 'fleet'), list, { mode: 0o600 })
    const said = await stranger.box('exec', 'kitchen', '--', 'true')
    expect(said.code).toBe(REFUSED)
    expect(said.err).toMatch(/The device does not grant this to your key\.\n$/)
  })

  test('an agent whose directory another one uses does not start', async () => {
    const before = stateOf(device)
    const second = await run([process.execPath, BOX_AGENT, 'run', '--state', device.state])
    expect(second.code).toBe(SETUP)
    isOneSentence(second, 'box-agent')
    expect(stateOf(device)).toEqual(before)
  })

  test('a hub whose port is taken does not start', async () => {
    const words = ['run', '--state', folder('second'), '--hub', '--listen', HUB]
    const said = await run([process.execPath, BOX_AGENT, ...words])
    expect(said.code).toBe(SETUP)
    expect(said.err.trim().split('\n').at(-1)).toMatch(/^box-agent: The address cannot be/)
    expect(said.err).toContain(HUB)
  })

  test('an agent killed at any moment starts as the same device, with its owner', async () => {
    const before = stateOf(device)
    for (const ms of [50, 150, 300, 600, 1_200]) {
      device.program.kill('SIGKILL')
      await device.program.ended()
      device.restart()
      await new Promise(resolve => setTimeout(resolve, ms))
    }
    await device.linked()
    expect(stateOf(device)).toEqual(before)
    await owner.must('exec', 'kitchen', '--', 'true')
  })

  test('a device that is off is said to be unreachable, in the time that was given', async () => {
    device.program.kill()
    await device.program.ended()
    const before = stateOf(owner)
    for (const words of [
      ['ssh', 'kitchen', '--timeout', '3', '--', 'true'],
      ['proxy', 'kitchen', '--timeout', '3'],
    ]) {
      const begun = Date.now()
      const said = await owner.box(...words)
      expect(said.code, words[0]).toBe(UNREACHABLE)
      isOneSentence(said)
      expect(Date.now() - begun).toBeLessThan(10_000)
    }
    const many = await owner.box('exec', '--all', '--timeout', '3', '--', 'true')
    expect(many.code).toBe(UNREACHABLE)
    expect(many.err).toMatch(/^kitchen: [^\n]+\n$/)
    expect(stateOf(owner)).toEqual(before)
  })

  test('without any hub, that is what is said', async () => {
    hub.program.kill()
    await hub.program.ended()
    const said = await owner.box('ssh', 'kitchen', '--timeout', '3', '--', 'true')
    expect(said.code).toBe(UNREACHABLE)
    isOneSentence(said)
    expect(said.err).toContain('None of the hubs can be reached.')
  })
})
