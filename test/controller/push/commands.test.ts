/** The commands about configuration, against devices with the real applier, on a mesh without a network. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Command } from '../../../controller/command.ts'
import { diff } from '../../../controller/commands/diff.ts'
import { drift } from '../../../controller/commands/drift.ts'
import { generations } from '../../../controller/commands/generations.ts'
import { pull } from '../../../controller/commands/pull.ts'
import { push } from '../../../controller/commands/push.ts'
import { rollback } from '../../../controller/commands/rollback.ts'
import { sync } from '../../../controller/commands/sync.ts'
import { PushHouse } from './house.ts'

let house: PushHouse
let bundle: string

beforeEach(async () => {
  house = await PushHouse.open()
  bundle = mkdtempSync(join(tmpdir(), 'box-bundle-'))
})
afterEach(async () => {
  await house.close()
  rmSync(bundle, { recursive: true, force: true })
})

function write(parts: Record<string, string>, rest = ''): void {
  const files = Object.keys(parts).map(name => `  ${house.shared}/${name}: { template: ${name} }\n`)
  for (const [name, text] of Object.entries(parts)) writeFileSync(join(bundle, name), text)
  const head = `bundle: 1\nname: test\nroots: [${house.shared}]\nconfirm: 20\n`
  writeFileSync(join(bundle, 'bundle.yaml'), `${head}files:\n${files.join('')}${rest}`)
}

async function run(
  command: Command,
  args: object,
): Promise<{ code: number; out: string; err: string }> {
  const { context, said } = house.controller
  said.out = ''
  said.err = ''
  const defaults = { json: false, state: undefined, timeout: 3, canary: 1, batch: 10 }
  const code = await command.run(context, {
    ...{ ...defaults, 'dry-run': false, 'max-failures': 0 },
    ...args,
  })
  return { code: code ?? 0, out: said.out, err: said.err }
}

const motd = (name: string) => readFileSync(join(house.etc(name), 'motd'), 'utf8')

test('push brings a bundle, each with its own values; generations, drift, rollback follow', async () => {
  await house.device('attic')
  await house.device('cellar', ['lab'])
  write({ motd: 'I am {{ device.name }}{{ if @lab }} of the lab{{ end }}\n' })
  const args = { selector: '@all', bundle }
  expect(await run(push, args)).toEqual({
    ...{ code: 0, err: '2 of 2 devices have it, 0 failed, 0 are off.\n' },
    out: 'attic   confirmed, generation 1\ncellar  confirmed, generation 1\n',
  })
  expect(motd('attic')).toBe('I am attic\n')
  expect(motd('cellar')).toBe('I am cellar of the lab\n')
  expect((await run(push, args)).out).toContain('attic   had it already, generation 1')
  expect((await run(generations, { name: 'attic' })).out).toMatch(/^\* {2}1 {2}test .* 1 files$/m)

  expect(await run(drift, { selector: 'attic' })).toMatchObject({
    ...{ code: 0, out: 'attic: nothing has changed\n' },
  })
  writeFileSync(join(house.etc('attic'), 'motd'), 'by hand\n')
  expect(await run(drift, { selector: 'attic' })).toMatchObject({
    ...{ code: 1, out: `attic: ${house.shared}/motd has another content (test)\n` },
  })
  expect(await run(rollback, { name: 'attic', generation: 0 })).toMatchObject({
    ...{ code: 0, out: 'attic  confirmed, generation 2\n' },
  })
  expect(motd('attic')).toBe('old\n')
})

test('diff shows what would change and push --dry-run names it, and neither changes anything', async () => {
  await house.device('attic')
  write({ motd: 'new\n', more: 'x\n' })
  const more = [`+ ${house.shared}/more`, '    @@ -1 +1 @@', '    +x']
  const changed = [`~ ${house.shared}/motd`, '    @@ -1 +1 @@', '    -old', '    +new']
  const { out } = await run(diff, { selector: 'attic', bundle })
  expect(out).toBe(`${['attic:', ...more, ...changed].join('\n')}\n`)
  expect((await run(push, { selector: 'attic', bundle, 'dry-run': true })).out).toBe(
    `attic:\n+ ${house.shared}/more\n~ ${house.shared}/motd\n`,
  )
  expect(motd('attic')).toBe('old\n')
})

test('push stops where the canary puts it back, and names the reason', async () => {
  for (const name of ['a1', 'a2', 'a3']) await house.device(name)
  write({ motd: 'new\n' }, "after: ['echo no route; exit 1']\n")
  const { code, out, err } = await run(push, { selector: '@all', bundle })
  expect(code).toBe(77)
  expect(out).toBe(
    'a1  put everything back: "echo no route; exit 1" ended with 1: no route.\na2  not tried\na3  not tried\n',
  )
  expect(err).toContain('Stopped: 1 failed, 2 were not tried.')
  expect(motd('a1')).toBe('old\n')
})

test('push keeps what a device that is off shall have, and sync brings it', async () => {
  await house.device('attic')
  await house.device('cellar')
  await house.off('cellar')
  write({ motd: 'new\n' })
  const pushed = await run(push, { selector: '@all', bundle })
  expect(pushed.code).toBe(75)
  expect(pushed.out).toMatch(/^cellar {2}off: /m)
  expect((await run(sync, { watch: false })).out).toMatch(/^cellar {2}off: /)
  await house.on('cellar')
  expect(await run(sync, { watch: false })).toMatchObject({
    ...{ code: 0, out: 'cellar  confirmed, generation 1\n' },
  })
  expect(motd('cellar')).toBe('new\n')
  expect((await run(sync, { watch: false })).err).toBe('Nothing waits for any device.\n')
})

test('push leaves it with the relay, from which the device that was off gets it with no controller there', {
  timeout: 60_000,
}, async () => {
  await house.device('hub', ['relay'], { relay: true })
  const relay = house.agent('hub')
  const config = { hubs: [relay.status().hello], relays: [relay.device.zone] }
  await house.device('cellar', ['lab'], config)
  await house.off('cellar')
  write({ motd: 'new\n' })
  const pushed = await run(push, { selector: 'cellar', bundle })
  expect(pushed).toMatchObject({
    code: 75,
    out: expect.stringMatching(/ hub will hand it over\.\n$/),
  })
  await house.on('cellar')
  await expect.poll(() => motd('cellar'), { timeout: 30_000, interval: 200 }).toBe('new\n')
  const confirmed = () => house.agent('cellar').status().configuration
  await expect
    .poll(confirmed, { timeout: 5_000 })
    .toMatchObject({ state: 'confirmed', generation: 1 })
  expect((await run(sync, { watch: false })).out).toBe('cellar  had it already, generation 1\n')
})

test('push says so where a relay is off, or keeps nothing for others', async () => {
  await house.device('hub', ['relay'])
  await house.device('cellar')
  await house.off('cellar')
  write({ motd: 'new\n' })
  const { code, out, err } = await run(push, { selector: 'cellar', bundle, timeout: 1 })
  expect(code).toBe(75)
  expect(out).not.toContain('will hand it over')
  expect(err).toContain('cellar: the relay hub did not take it: ')
})

test('sync drops what is older than what the device got meanwhile, and says so', async () => {
  await house.device('attic')
  await house.off('attic')
  write({ motd: 'older\n' })
  await run(push, { selector: 'attic', bundle })
  await house.on('attic')
  write({ motd: 'newer\n' })
  expect((await run(push, { selector: 'attic', bundle })).code).toBe(0)
  const { code, out } = await run(sync, { watch: false })
  expect(code).toBe(77)
  expect(out).toContain('this device has seen')
  expect(motd('attic')).toBe('newer\n')
})

test('push touches nobody where a bundle is wrong, or one device lacks a value', async () => {
  await house.device('attic')
  write({ motd: '{{ v }}' }, 'values: { cellar: { v: 1 } }\n')
  await expect(run(push, { selector: 'attic', bundle })).rejects.toThrow(
    'The bundle is not valid. motd:1: attic has no value "v".',
  )
  write({ motd: '{{ w }}' })
  await expect(run(push, { selector: 'attic', bundle })).rejects.toThrow('motd:1:1: No device has')
  await expect(run(push, { selector: '@none', bundle })).rejects.toThrow()
})

test('pull makes a bundle of what is there, which changes nothing when it is pushed', async () => {
  await house.device('attic')
  mkdirSync(join(house.etc('attic'), 'sub'))
  writeFileSync(join(house.etc('attic'), 'sub', 'x: y'), 'text', { mode: 0o600 })
  const into = join(bundle, 'pulled')
  expect((await run(pull, { name: 'attic', paths: [house.shared], into })).code).toBe(0)
  expect(readFileSync(join(into, 'files', house.shared, 'motd'), 'utf8')).toBe('old\n')
  const path = join(into, 'bundle.yaml')
  writeFileSync(path, `${readFileSync(path, 'utf8')}roots: [${house.shared}]\n`)
  const { out } = await run(push, { selector: 'attic', bundle: into, 'dry-run': true })
  expect(out).toBe('attic: nothing would change\n')
  await expect(run(pull, { name: 'attic', paths: [house.shared], into })).rejects.toMatchObject({
    code: 'STATE_UNWRITABLE',
  })
})
