import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Command } from '../../controller/command.ts'
import { backup } from '../../controller/commands/backup.ts'
import { restore } from '../../controller/commands/restore.ts'
import { createContext } from '../../controller/context.ts'
import { directoryState } from '../../controller/state.ts'
import { scratchDirectory } from '../sys/scratch.ts'
import { type Controller, Rig } from './rig.ts'

const PASSPHRASE = 'a long enough one\n'
// Each passphrase is made to cost half a second, and more where others work.
vi.setConfig({ testTimeout: 60_000 })

let rig: Rig
beforeEach(() => {
  rig = new Rig(11)
})
afterEach(() => rig.clean())

const run = ({ context }: Controller, command: Command, args: object) =>
  command.run(context, { json: true, state: undefined, ...args })

/** A machine on which nothing has been done yet. */
async function emptyMachine(input: string): Promise<Controller> {
  const made = await rig.controller({ json: true, input })
  const state = directoryState(join(scratchDirectory(), 'state'), rig.world)
  return { ...made, context: createContext({ ...made.context, state, startMesh: never }) }
}
const never = () => Promise.reject(new Error('no mesh is needed'))

/** A controller with two devices, and its backup. */
async function saved() {
  const controller = await rig.controller({ json: true, input: PASSPHRASE })
  await rig.device(controller, 'kitchen')
  await rig.device(controller, 'shed')
  const { directory } = controller.context.state
  mkdirSync(join(directory, 'rooms'))
  writeFileSync(join(directory, 'rooms', 'one'), Uint8Array.of(0, 255))
  const file = join(scratchDirectory(), 'keys.backup')
  await run(controller, backup, { file })
  return { controller, file, directory }
}

test('on an empty machine everything is as it was: ego, devices, keys, hubs', async () => {
  const { controller, file, directory } = await saved()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const other = await emptyMachine(PASSPHRASE)
  await run(other, restore, { file })
  const there = other.context.state.directory
  const kept = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(name => !name.startsWith('.') && statSync(join(directory, name)).isFile())
    .toSorted()
  expect(kept).toContain('ego')
  for (const name of kept) {
    expect(readFileSync(join(there, name))).toEqual(readFileSync(join(directory, name)))
    expect(statSync(join(there, name)).mode & 0o077).toBe(0)
  }
  expect(other.context.ego().secret.zone).toEqual(controller.context.ego().secret.zone)
  expect(other.context.fleet.devices().map(({ name }) => name)).toEqual(['kitchen', 'shed'])
  expect(JSON.parse(other.said.out.trim())).toMatchObject({ devices: ['kitchen', 'shed'] })
})

test('who is somebody already stays that; a wrong passphrase leaves nothing behind', async () => {
  const { controller, file } = await saved()
  await expect(run(controller, restore, { file })).rejects.toMatchObject({ code: 'NAME_TAKEN' })
  const other = await emptyMachine('another passphrase\n')
  await expect(run(other, restore, { file })).rejects.toMatchObject({ code: 'BACKUP_UNREADABLE' })
  expect(existsSync(other.context.state.directory)).toBe(false)
})

test('an older backup is replaced, another file is not, and no passphrase is none', async () => {
  const { controller, file } = await saved()
  const again = await rig.controller({ json: true, input: PASSPHRASE })
  const context = createContext({
    ...again.context,
    state: controller.context.state,
    startMesh: never,
  })
  const before = readFileSync(file)
  await run({ ...again, context }, backup, { file })
  expect(readFileSync(file)).not.toEqual(before)
  const letter = join(scratchDirectory(), 'letter')
  writeFileSync(letter, 'Dear Sir')
  const writing = run({ ...again, context }, backup, { file: letter })
  await expect(writing).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  expect(readFileSync(letter, 'utf8')).toBe('Dear Sir')
  const silent = await rig.controller({ json: true, input: '' })
  const asking = run(silent, backup, { file })
  await expect(asking).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})

test('a restoration that was cut off is done again', async () => {
  const { file } = await saved()
  const other = await emptyMachine(PASSPHRASE)
  const { directory } = other.context.state
  mkdirSync(directory, { mode: 0o700 })
  writeFileSync(join(directory, 'fleet'), 'half of')
  await run(other, restore, { file })
  expect(other.context.fleet.devices()).toHaveLength(2)
})
