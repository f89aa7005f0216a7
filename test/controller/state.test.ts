import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { directoryState } from '../../controller/state.ts'
import { World } from '../sim/world.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'box-state-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const stateIn = (directory: string, world = new World(1)) => directoryState(directory, world)

test('reading makes nothing; the first change makes a directory for its owner only', async () => {
  const directory = join(home, 'a', 'b')
  const state = stateIn(directory)
  expect(state.readText('fleet')).toBeNull()
  expect(existsSync(directory)).toBe(false)
  await state.exclusively(() => state.writeText('fleet', 'text'))
  expect(state.readText('fleet')).toBe('text')
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  expect(statSync(join(directory, 'fleet')).mode & 0o777).toBe(0o600)
})

test('two changes never run at once, and a failed one lets the next in', async () => {
  const world = new World(1)
  const state = stateIn(home, world)
  const failing = state.exclusively(() => {
    throw new Error('this one')
  })
  await expect(failing).rejects.toThrow('this one')
  writeFileSync(join(home, 'count'), '0')
  const increments = Array.from({ length: 5 }, () =>
    state.exclusively(() => state.writeText('count', `${Number(state.readText('count')) + 1}`)),
  )
  await world.until(Promise.all(increments), 10_000)
  expect(state.readText('count')).toBe('5')
  expect(readdirSync(home).filter(name => name.startsWith('.new-'))).toEqual([])
})

test('while another process has the lock we wait, then say who', async () => {
  const code = `
    import { symlinkSync, readFileSync } from 'node:fs'
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    symlinkSync(process.pid + '::' + boot, process.argv[1] + '/.lock-1')
    process.stdout.write('held')
    setTimeout(() => {}, 60_000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', code, home])
  try {
    await new Promise(resolve => holder.stdout.once('data', resolve))
    const world = new World(1)
    const state = stateIn(home, world)
    const waiting = state.exclusively(() => state.writeText('fleet', 'never'))
    await expect(world.until(waiting, 10_000)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      message: expect.stringContaining(`process ${holder.pid}`),
    })
    expect(state.readText('fleet')).toBeNull()
  } finally {
    holder.kill()
  }
})
