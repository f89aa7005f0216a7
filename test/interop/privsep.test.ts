/**
 * The device in two processes: the mesh side as a user without rights, and beside it, as root, what has the key
 * of the device, its owners and their shells. The mesh side is killed, spied on from and lied to.
 */

import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { BOX_AGENT, cleanUp, folder, missing, Program, run, succeed } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 700
/** Users that nobody is: the mesh's, and another. */
const MESH = 61_234
const OTHER = 61_235
const BACK_MS = 60_000
const skipped = missing(['tmux', 'setpriv'], { root: true }) !== null

const as = (uid: number, ...command: readonly string[]): string[] => [
  ...['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs'],
  ...['--bounding-set=-all', ...command],
]

describe.skipIf(skipped)('a device in two processes', { timeout: 200_000 }, () => {
  const screens: Screen[] = []
  let mesh: Program
  let hub: Agent
  let device: Agent
  let controller: Controller
  let runtime: string
  let meshState: string
  let socket: string
  let files: string
  let bin: string

  const startMesh = () => {
    const words = ['mesh', '--state', meshState, '--socket', socket]
    mesh = new Program(as(MESH, process.execPath, BOX_AGENT, ...words))
    return mesh.until(/lends peer \w+/)
  }
  const killMesh = async () => {
    // setpriv has become the program.
    mesh.kill('SIGKILL')
    await mesh.ended()
  }

  beforeAll(async () => {
    meshState = folder('mesh')
    runtime = folder('run')
    files = folder('files')
    for (const path of [meshState, runtime]) chownSync(path, MESH, MESH)
    socket = join(runtime, 'mesh.sock')
    bin = join(files, 'bin')
    mkdirSync(bin)
    // Who asks the service manager, and what.
    const systemctl = `#!/bin/sh\necho "$(id -u): $*" >> ${files}/asked\ncase "$*" in *is-failed*) exit 3;; esac\n`
    writeFileSync(join(bin, 'systemctl'), systemctl)
    chmodSync(join(bin, 'systemctl'), 0o755)
    hub = new Agent('hub', ['--hub', '--listen', `127.0.0.1:${PORT}`])
    const { hello } = await hub.status(({ hello: url }) => url.includes('tcp'))
    await startMesh()
    device = new Agent(
      'device',
      ['--mesh-socket', socket, '--hub-url', hello],
      { env: { PATH: `${bin}:${process.env.PATH}` } },
      { settings: { roots: [join(files, 'etc')] } },
    )
    await device.linked()
    controller = new Controller('controller')
    await controller.must('init', '--ego', 'home')
    await controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  })
  afterAll(async () => {
    for (const screen of screens) screen.close()
    await cleanUp()
  })

  const open = (name: string, ...words: string[]) => {
    const box = controller.command('ssh', ...words).join(' ')
    const screen = new Screen(name, [80, 24], `${box}; echo "status $?"; exec sleep 600`)
    screens.push(screen)
    return screen
  }

  test('runs commands as root, copies files, has a terminal of the right size', async () => {
    expect(await controller.must('exec', 'kitchen', '--', 'id', '-u')).toMatch(/\b0$/m)
    const [here, there, back] = ['here', 'there', 'back'].map(name => join(files, name))
    writeFileSync(here!, Buffer.alloc(3_000_000, 'box'))
    await controller.must('cp', here!, `kitchen:${there}`)
    await controller.must('cp', `kitchen:${there}`, back!)
    expect(readFileSync(back!).equals(readFileSync(here!))).toBe(true)
    const screen = open('sized', 'kitchen')
    await screen.until(/[$#] ?$/m)
    screen.type('clear; stty size; tty; exit 5', 'Enter')
    const lines = await screen.until(/status 5/)
    expect(lines.join('\n')).toMatch(/^24 80\n\/dev\/pts\/\d+/m)
  })

  test('takes configuration, and root reloads the service that the bundle names', async () => {
    const etc = join(files, 'etc')
    const bundle = join(files, 'bundle')
    for (const path of [etc, bundle]) mkdirSync(path)
    writeFileSync(join(bundle, 'rules'), 'new\n')
    writeFileSync(
      join(bundle, 'bundle.yaml'),
      `bundle: 1\nname: wall\nconfirm: 20\nroots: [${etc}]\nfiles:\n  ${etc}/rules: { from: rules }\nreload: [nftables]\n`,
    )
    await controller.must('push', 'kitchen', bundle)
    expect(readFileSync(join(etc, 'rules'), 'utf8')).toBe('new\n')
    const { configuration } = JSON.parse((await device.ask('status', '--json')).out)
    expect(configuration).toMatchObject({ bundle: 'wall', state: 'confirmed', unconfirmed: null })
    expect(readFileSync(join(files, 'asked'), 'utf8').trimEnd().split('\n')).toEqual([
      '0: --no-ask-password reload-or-restart -- nftables',
      '0: --quiet is-failed -- nftables',
    ])
  })

  test('keeps from the mesh side what is the device’s, and from others the mesh', async () => {
    const key = join(device.state, 'device-key')
    expect(existsSync(key)).toBe(true)
    for (const path of [key, join(device.state, 'grants'), device.state])
      expect((await run(as(MESH, 'cat', path))).err).toContain('Permission denied')
    const status = readFileSync(`/proc/${mesh.child.pid}/status`, 'utf8')
    expect(status).toMatch(new RegExp(`^Uid:\\s+${MESH}\\s+${MESH}`, 'm'))
    expect(status).toMatch(/^CapEff:\s+0+$/m)
    expect(existsSync(join(meshState, 'device-key'))).toBe(false)
    expect(existsSync(join(device.state, 'peer-seed'))).toBe(false)
    const script = `require('net').connect('${socket}').on('connect', () => console.log('in')).on('error', e => console.log(e.code))`
    const asked = (uid: number) => succeed(as(uid, process.execPath, '-e', script), { ms: 5_000 })
    expect((await asked(OTHER)).trim()).toBe('EACCES')
    const own = new Program(as(MESH, process.execPath, '-e', script))
    await own.until(/in/)
    own.kill('SIGKILL')
    // Nor is the state of a device taken for that of a mesh.
    const wrong = await run([process.execPath, BOX_AGENT, 'mesh', '--state', device.state])
    expect([wrong.code, wrong.err]).toEqual([78, expect.stringContaining("holds a device's key")])
  })

  test('is unharmed by nonsense at the socket', async () => {
    const say = (bytes: Uint8Array) =>
      new Promise<void>(resolve => {
        const stream = connect(socket, () => stream.end(bytes))
        stream
          .on('error', () => {})
          .on('close', () => resolve())
          .resume()
      })
    const framed = (type: number, text: string) => {
      const raw = Buffer.alloc(4 + text.length)
      raw.writeUInt16BE(raw.length)
      raw.writeUInt16BE(type, 2)
      raw.write(text, 4)
      return raw
    }
    for (const bytes of [
      Buffer.alloc(3),
      Buffer.alloc(200_000, 1),
      framed(0xbde0, '{"do":"mesh"'),
      framed(0xbde0, '{"do":"connect","peer":7}'),
      framed(0xbde0, '{"do":"accept","offer":1}'),
      Buffer.concat([framed(0xbde0, '{"do":"mesh"}'), framed(0xbde0, '{"listen":3,"put":{}}')]),
      framed(0xbde1, 'a message of no channel'),
    ])
      await say(bytes)
    expect(await controller.must('exec', 'kitchen', '--', 'echo', 'well')).toContain('well')
    expect(mesh.err).not.toContain('Error')
  })

  test('is back by itself when its mesh side was killed, and so is the shell', async () => {
    const screen = open('killed', 'kitchen')
    await screen.until(/[$#] ?$/m)
    screen.type("clear; PS1='>> '; secret=4711; echo shell $$", 'Enter')
    const [, pid] = /^shell (\d+)$/m.exec((await screen.until(/^shell \d+$/m)).join('\n'))!
    const before = await device.status()
    await killMesh()
    // It would come back by itself, and have the shell.
    screen.close()
    await expect
      .poll(() => device.program.err, { timeout: BACK_MS })
      .toContain('mesh: the lender is gone')
    const away = JSON.parse((await device.ask('status', '--json')).out)
    expect(away.troubles).toMatchObject([{ kind: 'service' }])
    // Nobody but the service manager starts it again; the device’s process stays.
    await startMesh()
    const after = await device.linked(1, BACK_MS)
    expect([after.pid, after.device_zone]).toEqual([before.pid, before.device_zone])
    expect(device.program.err).toContain('mesh: the lender is back')
    const answer = await controller.boxWithin(BACK_MS, 'exec', 'kitchen', '--', 'echo', 'back')
    expect([answer.code, answer.out]).toEqual([0, expect.stringContaining('back')])
    const again = open('again', '--resume', 'kitchen')
    await again.until(/^shell \d+$/m, BACK_MS)
    again.type('clear; echo "again $$ $secret"; exit 7', 'Enter')
    const lines = await again.until(/status 7/)
    expect(lines.join('\n')).toContain(`again ${pid} 4711`)
  })

  test('publishes its name again where all that was stored of it is gone', async () => {
    const lookUp = () => controller.boxWithin(BACK_MS, 'name', 'lookup', 'kitchen.home', '--json')
    hub.program.kill('SIGKILL')
    await Promise.all([hub.program.ended(), killMesh()])
    hub.restart()
    await hub.status()
    expect((await lookUp()).code).not.toBe(0)
    await startMesh()
    const { pid } = await device.linked(1, BACK_MS)
    const found = await lookUp()
    expect([found.code, found.out]).toEqual([0, expect.stringContaining(pid)])
  })
})
