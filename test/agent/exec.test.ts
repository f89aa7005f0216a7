/** Commands on a machine that has too little of something left. */

import { ChildProcess, execFileSync } from 'node:child_process'
import { constants, readdirSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ExecOptions, exec } from '../../agent/exec.ts'
import { PipeShelf } from '../../agent/pipe-shelf.ts'
import type { Program } from '../../agent/program.ts'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/sys/clock.ts'

/** What the machine refuses: to start anything, and so many times to open for writing. */
const refused = vi.hoisted(() => ({ spawn: false, writers: 0 }))
const outOfDescriptors = vi.hoisted(
  () => () => Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' }),
)

vi.mock(import('node:child_process'), async original => {
  const real = await original()
  /** As Node has it: it tells of the error later, and has made no streams. */
  const refuse = () => {
    const child = new ChildProcess()
    process.nextTick(() => child.emit('error', outOfDescriptors()))
    return child
  }
  const spawn = ((...args: Parameters<typeof real.spawn>) =>
    refused.spawn ? refuse() : real.spawn(...args)) as typeof real.spawn
  return { ...real, spawn }
})

vi.mock(import('node:fs'), async original => {
  const real = await original()
  const openSync: typeof real.openSync = (path, flags, mode) => {
    const isWriter = flags === (constants.O_WRONLY | constants.O_NONBLOCK)
    if (isWriter && refused.writers > 0 && refused.writers--) throw outOfDescriptors()
    return real.openSync(path, flags, mode)
  }
  return { ...real, openSync }
})

const openCount = () => readdirSync('/proc/self/fd').length
const able = () => new PipeShelf(async paths => void execFileSync('mkfifo', [...paths]))
const unable = () => new PipeShelf(() => Promise.reject(new Error('no process left')))

describe('a command', () => {
  let pipes: PipeShelf
  let program: Program | null

  beforeEach(() => {
    pipes = new PipeShelf()
    program = null
  })
  afterEach(() => {
    Object.assign(refused, { spawn: false, writers: 0 })
    program?.hangUp()
    pipes.clear()
  })

  const run = async (command: string, options: Partial<ExecOptions> = {}) => {
    program = await exec({
      ...{ shell: '/bin/sh', command, env: {}, cwd: '/', as: null, clock: systemClock },
      ...{ pipes, hasInput: true },
      ...options,
    })
    return program
  }

  const shelves = [
    ['pipes of ours', able],
    ['pipes of child_process', unable],
  ] as const

  it.for(shelves)('that cannot be started was not run, and says nothing (%s)', async ([, make]) => {
    pipes = make()
    refused.spawn = true
    const { output, errors, input, exited } = await run('echo here')
    input.end('this')
    expect(await Promise.all([text(output), text(errors!), exited])).toEqual([
      '',
      '',
      { code: 127 },
    ])
    await expect.poll(() => output.closed && errors!.closed).toBe(true)
    expect([program!.output === output, program!.errors === errors]).toEqual([true, true])
  })

  it.for(shelves)('that cannot be started can be hung up (%s)', async ([, make]) => {
    pipes = make()
    refused.spawn = true
    const before = openCount()
    const { exited } = await run('echo here')
    program!.hangUp()
    expect(await exited).toEqual({ code: 127 })
    pipes.clear()
    await expect.poll(openCount).toBe(before)
  })

  const impossible = [
    ['has a NUL', 'echo \0', 'ERR_INVALID_ARG_VALUE', true],
    ['has a NUL and no input', 'echo \0', 'ERR_INVALID_ARG_VALUE', false],
    ['is too long', `: ${'x'.repeat(200_000)}`, 'E2BIG', true],
  ] as const

  it.for(impossible)('that %s leaves nothing open', async ([, command, code, hasInput]) => {
    const before = openCount()
    await expect(run(command, { hasInput })).rejects.toMatchObject({ code })
    pipes.clear()
    expect(openCount()).toBe(before)
  })

  it('that opens its input again is woken, also where there was no descriptor at first', async () => {
    let fail: (error: unknown) => void
    const failed = new Promise<unknown>(resolve => {
      fail = resolve
    })
    const clock: Clock = {
      ...systemClock,
      after: (ms, tick) =>
        systemClock.after(ms, () => {
          try {
            tick()
          } catch (error) {
            fail(error)
          }
        }),
    }
    const { input, output, exited } = await run('cat; cat /dev/stdin', { clock })
    refused.writers = 2
    input.end('once')
    expect(await Promise.race([exited, failed])).toEqual({ code: 0 })
    expect([await text(output), refused.writers]).toEqual(['once', 0])
  })
})
