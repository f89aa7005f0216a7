import { readdirSync, readlinkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lockState } from '../../src/sys/state-lock.ts'
import { compile, start } from './program.ts'
import { scratchDirectory } from './scratch.ts'

const links = (directory: string) => readdirSync(directory).filter(name => name.startsWith('.lock'))

describe('the lock of a state directory', () => {
  test('names the process that has it, until that lets it go', () => {
    const directory = join(scratchDirectory(), 'state')
    const lock = lockState(directory)
    expect(() => lockState(directory)).toThrow(
      expect.objectContaining({
        code: 'STATE_LOCKED',
        message: expect.stringContaining(`process ${process.pid}`),
      }),
    )
    lock.release()
    lock.release()
    const again = lockState(directory)
    lock.release()
    expect(() => lockState(directory)).toThrow(expect.objectContaining({ code: 'STATE_LOCKED' }))
    again.release()
    expect(links(directory)).toHaveLength(1)
  })

  test.for([
    ['a pid that nobody has', (name: string) => name.replace(/^\d+/, '4194304')],
    ['a pid that is in use again', (name: string) => name.replace(/:\d+:/, ':1:')],
    ['the time before the last boot', (name: string) => name.replace(/[^:]+$/, 'another-boot')],
    ['a program that writes something else', () => 'what is this'],
  ] as const)('takes over the lock of %s', ([, change]) => {
    const directory = scratchDirectory()
    lockState(directory)
    const [own] = links(directory)
    const name = readlinkSync(join(directory, own!))
    expect(name.split(':')).toHaveLength(3)
    const stale = scratchDirectory()
    symlinkSync(change(name), join(stale, '.lock-41'))
    lockState(stale)
    expect(links(stale)).toEqual(['.lock-42'])
    expect(readlinkSync(join(stale, '.lock-42'))).toBe(name)
  })

  test('has one holder at a time, also while holders are killed', async () => {
    const directory = scratchDirectory()
    const program = compile('locker-program.ts', directory)
    const state = join(directory, 'state')
    const rivals = [0, 1, 2].map(() => start(program, state, '150'))
    for (let kill = 0; kill < 6; kill++) {
      const victim = start(program, state, '1000000')
      rivals.push(victim)
      await victim.next()
      const soon = start(program, state, '1')
      rivals.push(soon)
      await soon.ended()
      await victim.kill()
    }
    for (const rival of rivals) await rival.ended()
    const said = rivals.flatMap(rival => rival.lines)
    expect(said.filter(line => line === 'done')).toHaveLength(9)
    expect(said.filter(line => line !== 'done' && line !== 'begins')).toEqual([])
  })
})
