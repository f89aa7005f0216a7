/**
 * Configuration that cuts the device off, with real programs behind real Linux NAT: the device takes it back by
 * itself, and is reachable again.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { Internet } from './namespaces.ts'
import { cleanUp, folder, missing } from './program.ts'

const HUB = '198.51.100.1:2086'
const CONFIRM_SECONDS = 8
/** After its time, for links to come up again and for us to hear of it. */
const BACK_MS = 120_000

const skipped = missing(['ip', 'iptables'], { root: true }) !== null

const GOOD = `ip addr flush dev eth0
ip addr add 10.1.0.2/24 dev eth0
ip route replace default via 10.1.0.1
iptables -P INPUT ACCEPT; iptables -P OUTPUT ACCEPT; iptables -F
`
const BAD = {
  'a wrong address': 'ip addr flush dev eth0; ip addr add 10.9.9.9/24 dev eth0',
  'a dropped route': 'ip route del default',
  'a firewall that drops everything':
    'iptables -P INPUT DROP; iptables -P OUTPUT DROP; iptables -F',
  'a firewall that lets go on what is there, and nothing new begin':
    'iptables -A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables -P OUTPUT DROP',
} as const

describe.skipIf(skipped)('a push', () => {
  let internet: Internet
  let device: Agent
  let controller: Controller
  let root: string
  let bundles: string

  beforeEach(async () => {
    internet = new Internet(`bp${process.pid % 1_000}`)
    const deviceHome = internet.home('dev', 11, 1, 'random')
    const controllerHome = internet.home('ctl', 12, 2, 'random')
    root = join(folder('push'), 'etc')
    bundles = folder('bundles')
    mkdirSync(root)
    const hub = new Agent('hub', ['--hub', '--listen', HUB], { namespace: internet.public })
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new Agent(
      'device',
      ['--hub-url', hello],
      { namespace: deviceHome.machine },
      { settings: { roots: [root] }, supervised: join(root, 'start-agent') },
    )
    await device.linked()
    controller = new Controller('controller', { namespace: controllerHome.machine })
    await controller.must('init', '--ego', 'home')
    await controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  })
  afterEach(async () => {
    await cleanUp()
    internet.close()
  })
  afterAll(cleanUp)

  /** Writes a bundle and pushes it. */
  async function push(
    name: string,
    files: Record<string, string>,
    rest: string,
  ): Promise<{ code: number | null; out: string; err: string }> {
    const directory = join(bundles, name)
    mkdirSync(directory, { recursive: true })
    const entries = Object.entries(files).map(([file, text]) => {
      writeFileSync(join(directory, file), text)
      return `  ${join(root, file)}: { from: ${file}, mode: 0755 }\n`
    })
    const manifest = `bundle: 1\nname: net\nconfirm: ${CONFIRM_SECONDS}\nroots: [${root}]\nfiles:\n`
    writeFileSync(join(directory, 'bundle.yaml'), `${manifest}${entries.join('')}${rest}`)
    return await controller.boxWithin(BACK_MS, 'push', 'kitchen', directory)
  }

  const apply = () => `apply: ['sh ${root}/net.sh']\n`

  const stands = async () => {
    expect(readFileSync(join(root, 'net.sh'), 'utf8')).toBe(GOOD)
    expect(await controller.must('exec', 'kitchen', '--', 'cat', join(root, 'net.sh'))).toContain(
      'ip addr flush dev eth0',
    )
  }

  test('that keeps the device reachable is confirmed', { timeout: 240_000 }, async () => {
    const pushed = await push('good', { 'net.sh': GOOD }, apply())
    expect(pushed.out, pushed.err).toBe('kitchen  confirmed, generation 1\n')
    await stands()
    expect(await controller.must('generations', 'kitchen')).toMatch(/^\* {2}1 {2}net/m)
  })

  test.for(Object.entries(BAD))(
    'of %s is taken back by the device, which is reachable again',
    { timeout: 300_000 },
    async ([what, bad]) => {
      expect((await push('good', { 'net.sh': GOOD }, apply())).code).toBe(0)
      const begun = Date.now()
      const pushed = await push('bad', { 'net.sh': `${bad}\n` }, apply())
      console.log(`${what}: ${pushed.out.trim()} (${Date.now() - begun} ms)`)
      expect(pushed.out, pushed.err).toBe(
        `kitchen  put everything back: Nobody confirmed it within ${CONFIRM_SECONDS} s.\n`,
      )
      expect(pushed.code).toBe(77)
      await stands()
    },
  )

  test.for([
    ['kills the agent', 'kill -9 $PPID'],
    ['stops the agent', 'kill -TERM $PPID; sleep 5'],
  ] as const)('that %s is taken back', { timeout: 300_000 }, async ([what, line]) => {
    expect((await push('good', { 'net.sh': GOOD }, apply())).code).toBe(0)
    const rest = `apply: ['${line}']\nundo: ['sh ${root}/net.sh']\n`
    const pushed = await push('bad', { 'net.sh': 'exit 1\n' }, rest)
    console.log(`${what}: ${pushed.out.trim()}`)
    expect(pushed.out, pushed.err).toBe(
      'kitchen  put everything back: The device, or its agent, was stopped in between.\n',
    )
    await stands()
  })

  test('that replaces the agent by something that does not run is taken back', {
    timeout: 300_000,
  }, async () => {
    expect((await push('good', { 'net.sh': GOOD }, apply())).code).toBe(0)
    const old = readFileSync(join(root, 'start-agent'), 'utf8')
    const rest = "apply: ['kill -9 $PPID']\nundo: []\n"
    const pushed = await push('bad', { 'net.sh': GOOD, 'start-agent': 'exit 1\n' }, rest)
    console.log(`replaced: ${pushed.out.trim()}`)
    expect(pushed.out, pushed.err).toContain('put everything back')
    expect(readFileSync(join(root, 'start-agent'), 'utf8')).toBe(old)
    await stands()
  })
})
