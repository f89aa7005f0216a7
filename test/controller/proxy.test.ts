/** box proxy: what comes first, and what waits until OpenSSH finds the host key. */

import { afterEach, expect, test } from 'vitest'
import { proxy } from '../../controller/commands/proxy.ts'
import { FLEET_FILE, KNOWN_HOSTS_FILE } from '../../controller/fleet.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { lockState } from '../../src/sys/state-lock.ts'
import { deviceOf, Rig } from './rig.ts'

let rig: Rig
afterEach(() => rig.clean())

const LINE = 'SSH-2.0-device\r\n'
const HOST_KEY = new TextEncoder().encode('the host key')

/** A controller, a device that says these pieces, and the running command. */
async function run(pieces: readonly string[], fingerprint = sha256(HOST_KEY)) {
  rig = new Rig()
  const controller = await rig.controller({ input: null })
  const device = await rig.device(controller, 'kitchen', { publishes: false })
  device.verdict = HOST_KEY
  device.hostKey = fingerprint
  const { context } = controller
  const last = { record: device.record(), hostKey: null, at: rig.world.now() }
  await context.fleet.remember(device.secret.zone, last)
  const heard: Buffer[] = []
  device.serving.ssh = ({ channel }) => {
    const stream = asDuplex(channel, rig.world)
    stream.on('data', chunk => void heard.push(chunk))
    stream.on('error', () => {})
    for (const piece of pieces) stream.write(piece)
    stream.end()
  }
  const args = { name: 'kitchen.box', timeout: 30, json: false, state: undefined }
  return {
    ...{ controller, device },
    heard: () => Buffer.concat(heard).toString(),
    start: () => proxy.run(context, args),
  }
}

test('the first line comes at once, the rest when known_hosts has the key', async () => {
  const { controller, start } = await run([LINE, 'the rest'])
  const { context, said } = controller
  const other = lockState(context.state.directory)
  const done = start()
  await rig.world.pass(1_000)
  expect(said.out).toBe(LINE)
  other.release()
  context.stdio.input.push(null)
  await rig.world.until(Promise.resolve(done), 10_000)
  expect(said.out).toBe(`${LINE}the rest`)
  const key = Buffer.from(HOST_KEY).toString('base64')
  expect(context.state.readText(KNOWN_HOSTS_FILE)).toBe(`kitchen.box ssh-ed25519 ${key}\n`)
})

test.for([
  ['in one piece', [`${LINE}the rest`]],
  ['in pieces without a line', ['SSH-2.0', '-device\r', '\nthe rest']],
  ['with a line only', [LINE]],
  ['with nothing', []],
] as const)('hands on what a device says %s, whole and in order', async ([, pieces]) => {
  const { controller, start } = await run(pieces)
  const done = start()
  await rig.world.pass(1_000)
  controller.context.stdio.input.push(null)
  await rig.world.until(Promise.resolve(done), 10_000)
  expect(controller.said.out).toBe(pieces.join(''))
})

test('what comes from here goes on when the device has said its last', async () => {
  const { controller, heard, start } = await run([LINE])
  const done = start()
  await rig.world.pass(1_000)
  const { input } = controller.context.stdio
  input.push('later')
  await rig.world.pass(1_000)
  input.push(null)
  await rig.world.until(Promise.resolve(done), 10_000)
  expect(heard()).toBe('later')
})

test('a key that is told is written down with where the device was, in one change', async () => {
  const { controller, device, start } = await run([LINE])
  const { state } = controller.context
  const written: string[] = []
  const { writeText } = state
  Object.assign(state, {
    writeText: (name: string, text: string) => {
      written.push(name)
      writeText(name, text)
    },
  })
  const done = start()
  controller.context.stdio.input.push(null)
  await rig.world.until(Promise.resolve(done), 10_000)
  expect(written).toEqual([FLEET_FILE, KNOWN_HOSTS_FILE])
  const { last } = deviceOf(controller, 'kitchen')
  expect(last).toMatchObject({ record: device.record(), hostKey: HOST_KEY })
})
