/** The agent and a real socket at which systemd would listen. */

import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { BOX_AGENT, cleanUp, folder, missing, Program, ROOT } from './program.ts'

const LISTENER = join(import.meta.dirname, 'notify-listener.py')
const WATCHDOG_MS = 3_000

const skipped = missing(['python3', 'systemd-notify'])
if (skipped) console.log(`skipped: systemd's socket: ${skipped}`)

/** A listener, and the environment of a service that is to talk to it. */
async function listening() {
  const socket = join(folder('notify'), 'socket')
  const listener = new Program(['python3', LISTENER, socket])
  await listener.until(/listening/)
  // After each message, systemd-notify sends BARRIER=1 to learn that it has been read.
  const heard = () =>
    listener.out
      .split('\n')
      .flatMap(line => (line.startsWith('[') ? (JSON.parse(line) as string[]) : []))
      .filter(word => word !== 'BARRIER=1')
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: String(WATCHDOG_MS * 1_000) }
  return { listener, heard, env }
}

const signsOfLife = (heard: readonly string[]) => heard.filter(word => word === 'WATCHDOG=1').length
const passed = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

describe.skipIf(skipped !== null)('systemd is told', () => {
  afterEach(cleanUp)

  test('that the agent is ready, how it is, that it lives, and that it ends', async () => {
    const { listener, heard, env } = await listening()
    const state = folder('agent')
    const words = ['run', '--hub', '--listen', '127.0.0.1:0', '--state', state]
    const agent = new Program([process.execPath, BOX_AGENT, ...words], { env })
    await listener.until(/READY=1/)
    expect(heard()).toContain('STATUS=hubs 0/0, neighbours 0, owners 0, ssh 0')
    expect(heard()).toContain(`MAINPID=${agent.child.pid}`)
    await listener.until(/(WATCHDOG=1[\s\S]*){3}/, 20_000)
    agent.kill('SIGTERM')
    expect((await agent.ended()).code).toBe(0)
    await listener.until(/STOPPING=1/)
    expect(heard().at(-1)).toBe('STOPPING=1')
    await passed(WATCHDOG_MS)
    expect(heard().at(-1)).toBe('STOPPING=1')
  })

  test('that the mesh side lives, and the device beside it, also while the other is away', async () => {
    const [atMesh, atDevice] = [await listening(), await listening()]
    const socket = join(folder('run'), 'mesh.sock')
    const start = (words: readonly string[], env: Readonly<Record<string, string>>) =>
      new Program([process.execPath, BOX_AGENT, ...words], { env })
    const mesh = start(['mesh', '--state', folder('mesh'), '--socket', socket], atMesh.env)
    await atMesh.listener.until(/READY=1/)
    expect(atMesh.heard()).toContain('STATUS=neighbours 0, tunnels 0')
    const words = ['run', '--mesh-socket', socket, '--state', folder('agent')]
    const device = start(words, atDevice.env)
    await atDevice.listener.until(/READY=1/)
    for (const { listener } of [atMesh, atDevice])
      await listener.until(/(WATCHDOG=1[\s\S]*){3}/, 20_000)
    mesh.kill('SIGKILL')
    await device.until(/the lender is gone/)
    const before = signsOfLife(atDevice.heard())
    await expect
      .poll(() => signsOfLife(atDevice.heard()), { timeout: 20_000 })
      .toBeGreaterThan(before + 2)
    device.kill('SIGTERM')
    expect((await device.ended()).code).toBe(0)
  })

  test('nothing while the main loop is blocked', async () => {
    const { listener, heard, env } = await listening()
    const program = `
      import { openServiceManager } from '${ROOT}/dist/agent/service-manager.js'
      import { supervise } from '${ROOT}/dist/agent/supervise.js'
      import { systemClock } from '${ROOT}/dist/src/sys/clock.js'
      const log = { note: () => {} }
      const manager = openServiceManager(process.env, log)
      supervise({ manager, log, clock: systemClock, check: async () => {}, status: () => 'well' })
      setTimeout(() => {
        console.log('blocked')
        for (;;);
      }, ${2 * WATCHDOG_MS})`
    const blocked = new Program([process.execPath, '--input-type=module', '-e', program], { env })
    await listener.until(/WATCHDOG=1/, 20_000)
    await blocked.until(/blocked/, 20_000)
    await passed(500) // What was said just before has arrived by then.
    const before = signsOfLife(heard())
    expect(before).toBeGreaterThan(0)
    await passed(2 * WATCHDOG_MS)
    expect(signsOfLife(heard())).toBe(before)
    blocked.kill('SIGKILL')
  })
})
