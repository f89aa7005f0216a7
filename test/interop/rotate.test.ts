/** New identities with real programs, killed at any moment: a controller has the old key or the new one, and is known. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededRandom } from '../sim/random.ts'
import { Agent, type AgentStatus, Controller } from './fleet.ts'
import { cleanUp, Program } from './program.ts'

const HUB = `127.0.0.1:${Number(process.env.LAB_PORT ?? 18_000) + 61}`
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
/** From the start of Node to the last device that was told. */
const KILL_MS_MAX = 2_500
/** A device that is on has been told by then. */
const AFTER_MS_MAX = 1_000
const TIMES = 8
/** A start, a link, the first look into the zones of owners, and a busy machine. */
const HEARD_MS = 150_000

let device: Agent
let controller: Controller

beforeAll(async () => {
  const hub = new Agent('hub', ['--hub', '--listen', HUB])
  const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
  device = new Agent('device', ['--hub-url', hello])
  await device.linked()
  controller = new Controller('controller')
  await controller.must('init', '--ego', 'home')
  await controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
})
afterAll(cleanUp)

const pause = (ms: number) => new Promise<void>(resolve => void setTimeout(resolve, ms))
const egoText = () => readFileSync(join(controller.state, 'ego'), 'utf8')
const id = async () => (await controller.must('id')).trim()
const zone = async () => JSON.parse(await controller.must('ls', '--json')).zone as string
const works = async () =>
  expect(await controller.must('exec', 'kitchen', '--', 'echo', 'here')).toContain('here')

test('a new identity, SSH key and host key work at once, also with a device that was off', {
  timeout: 240_000,
}, async () => {
  const before = await id()
  expect(await controller.must('rotate', 'ego')).toMatch(/^000G.*\nkitchen {2}knows the new key\n$/)
  expect(await id()).not.toBe(before)
  await works()
  await controller.must('rotate', 'ssh')
  await works()
  expect(await controller.must('rotate', 'host', 'kitchen')).toBe('kitchen  has a new host key\n')
  await works()
  device.program.kill()
  await device.program.ended()
  expect((await controller.box('rotate', 'ego', '--timeout', '2')).code).toBe(75)
  device.restart()
  await device.linked()
  await works()
  const { owners } = await device.status()
  expect(owners).toHaveLength(1)
})

test('killed at any moment, a rotation has happened or not', { timeout: 480_000 }, async () => {
  const random = seededRandom(SEED)
  const seen = { old: 0, new: 0 }
  for (let times = 0; times < TIMES; times++) {
    const before = await id()
    const program = new Program(controller.command('rotate', 'ego'))
    // Every other time right after the key has changed, while devices are told.
    if (times % 2 === 0) await pause(random.below(KILL_MS_MAX))
    else {
      const text = egoText()
      while (egoText() === text) await pause(5)
      await pause(random.below(AFTER_MS_MAX))
    }
    program.kill('SIGKILL')
    await program.ended().catch(() => {})
    const after = await id()
    seen[after === before ? 'old' : 'new']++
    await works()
  }
  console.log(`SEED=${SEED}: ${seen.old} times the old key, ${seen.new} times the new one`)
  expect((await device.status()).owners).toHaveLength(1)
})

test('a device gets a new key while somebody works on it; another owner, who was away, learns it', {
  timeout: 240_000,
}, async () => {
  const laptop = new Controller('other')
  await laptop.must('init', '--ego', 'other')
  await laptop.must('pair', await device.pairingCode(), '--as', 'hut', '--json')
  const before = await zone()
  const working = controller.must('exec', 'kitchen', '--', 'sleep 8; echo still here')
  await pause(3_000)
  expect(await controller.must('rotate', 'device', 'kitchen')).toBe('kitchen  has a new key\n')
  expect(await zone()).not.toBe(before)
  expect(await working).toContain('still here')
  await works()
  const status = await device.status()
  expect(status.device_zone).toBe(await zone())
  expect(status.device_zones_before.map(one => one.zone)).toEqual([before])
  expect(await laptop.must('exec', 'hut', '--', 'echo', 'here')).toContain('here')
  expect(await laptop.must('ls', '--json')).toContain(status.device_zone)
  expect(await controller.must('audit', 'kitchen')).toContain('device key: ')
  // Who looks up the old zone is told, and by whom it is signed.
  expect(await controller.must('name', 'lookup', before)).toContain('box1-after ')
  await controller.must('revoke', 'kitchen', 'other')
  expect((await laptop.box('exec', 'hut', '--', 'true')).code).toBe(77)
})

test('killed at any moment, a device has the old key or the new one, and is found', {
  timeout: 480_000,
}, async () => {
  const random = seededRandom(SEED + 1)
  const seen = { old: 0, new: 0 }
  for (let times = 0; times < 3; times++) {
    const before = (await device.status()).device_zone
    const asked = controller.box('rotate', 'device', 'kitchen', '--timeout', '4')
    await pause(random.below(KILL_MS_MAX))
    device.program.kill('SIGKILL')
    await device.program.ended().catch(() => {})
    await asked
    device.restart()
    await device.linked()
    const { device_zone } = await device.status()
    seen[device_zone === before ? 'old' : 'new']++
    await works()
    expect(await zone()).toBe(device_zone)
  }
  console.log(`SEED=${SEED}: ${seen.old} times the old key, ${seen.new} times the new one`)
})

test('a stolen key is ended on a device that was off, by what its other owner says in their zone', {
  timeout: 300_000,
}, async () => {
  const laptop = new Controller('laptop')
  await laptop.must('init', '--ego', 'laptop')
  await laptop.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  const stolen = (await laptop.must('id')).trim()
  // The thief is quick, and names another key.
  await laptop.must('rotate', 'ego')
  await laptop.must('exec', 'kitchen', '--', 'true')
  device.program.kill()
  await device.program.ended()
  const revoked = await controller.box('revoke', '@all', stolen, '--timeout', '2')
  expect(revoked.out, revoked.err).toMatch(/^kitchen {2}off: /)
  expect(revoked.code).toBe(75)
  device.restart()
  const only = ({ owners }: AgentStatus) => owners.length === 1 && owners[0]!.name === 'home'
  // Nobody reaches it: it looks by itself.
  await device.status(only, HEARD_MS)
  expect((await laptop.box('exec', 'kitchen', '--', 'true')).code).not.toBe(0)
  await works()
  expect(await controller.must('audit', 'kitchen')).toContain('revoke')
})
