/** `box upgrade` over a real hub, of a device that was installed as `box-agent install` does it. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { VERSION } from '../../src/base/version.ts'
import { Agent, Controller } from './fleet.ts'
import { InstalledDevice, STRANGER, Versions } from './installed-device.ts'
import { cleanUp, folder } from './program.ts'
import { Screen } from './screen.ts'

const HUB = `127.0.0.1:${Number(process.env.LAB_PORT ?? 18_000) + 60}`
/** A start, a link to the hub, and a search for the device, on a machine that does much else. */
const UPGRADE_MS = 240_000
/** Time for a version that nobody reaches (agent/trial.ts), and what comes before and after. */
const UNREACHED_MS = 420_000

let versions: Versions
let hello: string
let hub: Agent
let controller: Controller
let device: InstalledDevice

beforeAll(async () => {
  const top = folder('upgrade')
  versions = await Versions.build(top)
  hub = new Agent('hub', ['--hub', '--listen', HUB])
  hello = (await hub.status(({ hello }) => hello.includes('tcp'))).hello
  device = new InstalledDevice(top, versions.executable(VERSION), hello)
  controller = new Controller('controller')
  await controller.must('init', '--ego', 'home')
  await controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
}, UPGRADE_MS)
afterAll(cleanUp)

const release = (...of: Parameters<Versions['release']>) => versions.release(...of)
const executable = (...of: Parameters<Versions['executable']>) => versions.executable(...of)
const upgrade = (path: string, ...words: string[]) =>
  controller.boxWithin(UNREACHED_MS, 'upgrade', 'kitchen', '--release', path, ...words)

/** The version that answers over the mesh: that it is there already is told by its answer alone. */
async function answers(version: string): Promise<void> {
  const said = await upgrade(release(version))
  expect(said.out, said.err).toBe(`kitchen  had ${version} already\n`)
  expect(said.code).toBe(0)
}

test('an upgrade is found over the mesh and kept, and so is the shell that is open; with --json for programs', {
  timeout: 2 * UPGRADE_MS,
}, async () => {
  const terminals = device.withTerminals()
  const box = controller.command('ssh', 'kitchen').join(' ')
  const screen = new Screen('upgraded', [80, 24], `${box}; echo "status $?"; exec sleep 600`)
  onTestFinished(() => {
    terminals.close()
    screen.close()
  })
  await screen.until(/[$#] ?$/m, 60_000)
  screen.type("clear; PS1='>> '; secret=4711; echo shell $$", 'Enter')
  const [, pid] = /^shell (\d+)$/m.exec((await screen.until(/^shell \d+$/m)).join('\n'))!
  const said = await upgrade(release('0.2.0'), '--json')
  expect(JSON.parse(said.out), said.err).toEqual({
    ...{ name: 'kitchen', result: 'upgraded', version: '0.2.0', before: VERSION, error: null },
  })
  expect(said.code).toBe(0)
  expect(device.current()).toBe('0.2.0')
  expect(device.has('trial')).toBe(false)
  await answers('0.2.0')
  const status = await controller.must('status', 'kitchen', '--json')
  expect(status).toContain('"agent_version":"0.2.0"')
  screen.type('clear; echo "again $$ $secret $BOX_DEVICE"', 'Enter')
  await screen.until(new RegExp(`^again ${pid} 4711 kitchen$`, 'm'), 90_000)
  screen.type('exit 7', 'Enter')
  await screen.until(/status 7/)
  const audit = await controller.must('audit', 'kitchen')
  expect(audit).toMatch(/shell +begun[\s\S]*shell +kept[\s\S]*shell +resumed[\s\S]*shell +exit 7/)
  expect(audit).toMatch(/begun +0\.2\.0[\s\S]*on trial +0\.2\.0[\s\S]*proven +0\.2\.0/)
})

test('a wrong signature and an older version are refused, and nothing is touched', {
  timeout: UPGRADE_MS,
}, async () => {
  const before = device.files()
  const stranger = await upgrade(release('0.9.0', executable('0.9.0'), STRANGER))
  expect(stranger.out).toBe(
    'kitchen  refused: The release is not taken. No pinned key has signed it.\n',
  )
  const older = await upgrade(release('0.1.9'))
  expect(older.out).toBe(
    'kitchen  refused: The release is not taken. 0.1.9 is older than 0.2.0: say --downgrade if you mean it.\n',
  )
  expect([stranger.code, older.code]).toEqual([77, 77])
  expect(device.files()).toEqual(before)
  expect(existsSync(join(device.state, 'release.part'))).toBe(false)
})

test('a version that crashes at its start gives way, and the device is back', {
  timeout: UPGRADE_MS,
}, async () => {
  const crash = `#!/bin/sh\ncase "$2" in --version) echo 0.3.0 ;; *) kill -SEGV $$ ;; esac\n`
  const said = await upgrade(release('0.3.0', crash))
  expect(said.out, said.err).toBe('kitchen  0.3.0 did not prove itself; 0.2.0 is back\n')
  expect(said.code).toBe(77)
  expect(device.current()).toBe('0.2.0')
  await answers('0.2.0')
})

/** By what is seen on the disk that a step has begun. */
const STEPS: Readonly<Record<string, () => boolean>> = {
  'while it is handed over': () => existsSync(join(device.state, 'release.part')),
  'while it is unpacked': () => device.files().some(name => name.startsWith('.incoming-')),
  'when the trial has begun': () => device.has('trial'),
  'when it is current': () => device.current() === '0.4.0',
  'when the new version runs': () => /^\S+ \S+ [1-9]/.test(trial()),
}
const trial = () => (device.has('trial') ? readFileSync(join(device.library, 'trial'), 'utf8') : '')

test.for(Object.keys(STEPS))(
  'killed %s, a whole version runs, and the upgrade can be finished',
  {
    timeout: 2 * UPGRADE_MS,
  },
  async step => {
    const path = release('0.4.0')
    const going = upgrade(path)
    const deadline = Date.now() + UPGRADE_MS
    while (!STEPS[step]!()) {
      if (Date.now() > deadline) {
        const { out, err } = await going
        const log = device.program.err.slice(-4_000)
        throw new Error(`not seen: ${step}; ${device.current()} "${trial()}" ${out} ${err}\n${log}`)
      }
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    process.kill(device.pid, 'SIGKILL')
    const said = await going
    console.log(`${step}: ${said.out.trim()}`)
    // Whatever it is, it is whole: it starts, and is found over the mesh.
    expect(['0.2.0', '0.4.0']).toContain(device.current())
    expect((await upgrade(path)).code).toBe(0)
    await answers('0.4.0')
    expect((await upgrade(release('0.2.0'), '--downgrade')).code).toBe(0)
    await answers('0.2.0')
    expect(device.files().filter(name => name.startsWith('.'))).toEqual([])
  },
)

test('a version that runs, but is not found by its owner, gives way', {
  timeout: UNREACHED_MS,
}, async () => {
  const deaf = executable('0.5.0', text => text.replaceAll('`secushare-box ${', '`elsewhere ${'))
  expect(deaf).toContain('`elsewhere ${')
  const said = await upgrade(release('0.5.0', deaf))
  expect(said.out, said.err).toBe('kitchen  0.5.0 did not prove itself; 0.2.0 is back\n')
  expect(said.code).toBe(77)
  await answers('0.2.0')
})

test('an agent that was not installed from the executable says how it is upgraded', {
  timeout: UPGRADE_MS,
}, async () => {
  const other = new Agent('sources', ['--hub-url', hello])
  await other.linked()
  await controller.must('pair', await other.pairingCode(), '--as', 'shed', '--json')
  const said = await controller.box('upgrade', 'shed', '--release', release('0.2.0'))
  expect(said.out).toBe(
    'shed  refused: The release is not taken. It runs from sources or from npm: upgrade these on the machine, or `box-agent install` the one executable.\n',
  )
  expect(said.code).toBe(77)
})
