/**
 * Configuration for a device that is off, over real processes: its hub keeps it as a relay, and hands it over when
 * the device is back and no controller runs. Then the same with a change that cuts the device off.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, filesIn, folder } from './program.ts'

const HUB = `127.0.0.1:${Number(process.env.LAB_PORT ?? 24_000) + 80}`
/** A device asks its relay ten seconds after its start, and confirms what it was given before this is over. */
const HANDED_MS = 90_000
const CONFIRM_SECONDS = 20

describe('a relay', { timeout: 300_000 }, () => {
  let relay: Agent
  let device: Agent
  let owner: Controller
  let root: string
  let bundle: string

  beforeAll(async () => {
    relay = new Agent('relay', ['--hub', '--listen', HUB], {}, { settings: { relay: true } })
    const { hello, device_zone: zone } = await relay.status(({ hello }) => hello.includes('tcp'))
    root = folder('root')
    bundle = folder('bundle')
    const settings = { roots: [root], relays: [zone] }
    device = new Agent('device', ['--hub-url', hello], {}, { settings })
    await device.linked()
    owner = new Controller('owner')
    await owner.must('init', '--ego', 'home')
    await owner.must('pair', await device.pairingCode(), '--as', 'kitchen')
    await owner.must('pair', await relay.pairingCode(), '--as', 'attic')
    await owner.must('tag', 'attic', '+relay')
  })
  afterAll(cleanUp)

  const down = async () => {
    device.program.kill('SIGTERM')
    await device.program.ended()
  }
  const up = async () => {
    device.restart()
    await device.linked()
  }
  const push = async (content: string, rest = '') => {
    const files = `files: { ${root}/motd: { from: motd } }\n`
    const head = `bundle: 1\nname: motd\nconfirm: ${CONFIRM_SECONDS}\nroots: [${root}]\n`
    writeFileSync(join(bundle, 'bundle.yaml'), `${head}${files}${rest}`)
    writeFileSync(join(bundle, 'motd'), content)
    return await owner.box('push', 'kitchen', bundle, '--timeout', '4')
  }
  const motd = () =>
    existsSync(join(root, 'motd')) ? readFileSync(join(root, 'motd'), 'utf8') : null

  test('hands over what a device missed, and cannot read it', async () => {
    await down()
    const pushed = await push('from the relay\n')
    expect(pushed.code, pushed.err).toBe(75)
    expect(pushed.out).toContain('attic')
    const kept = filesIn(relay.state)
    expect(kept.some(content => content.includes('from the relay'))).toBe(false)
    expect(kept.length).toBeGreaterThan(0)
    await up()
    await expect.poll(motd, { timeout: HANDED_MS, interval: 500 }).toBe('from the relay\n')
    const generations = () => owner.must('generations', 'kitchen')
    await expect.poll(generations, { timeout: HANDED_MS, interval: 1_000 }).toMatch(/^\* {2}1 {2}/m)
    expect(await owner.must('audit', 'kitchen')).toMatch(/push .*confirmed/)
  })

  test('does not make a device keep a change that cuts it off', async () => {
    await down()
    // What the change does: the hub is not to be reached any more, until it is taken back.
    const stop = `apply: ['kill -STOP ${relay.program.child.pid}']\nundo: ['kill -CONT ${relay.program.child.pid}']\n`
    expect((await push('cut off\n', stop)).code).toBe(75)
    await up()
    const said = () => device.program.err + device.program.out
    await expect.poll(said, { timeout: HANDED_MS, interval: 500 }).toMatch(/put.?back/i)
    expect(motd()).toBe('from the relay\n')
    await device.linked()
    expect(await owner.must('generations', 'kitchen')).toMatch(/^\* {2}1 {2}/m)
  })
})
