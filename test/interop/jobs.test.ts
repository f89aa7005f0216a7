/**
 * Commands that wait for a device, with real programs: it is off when they are given, gets them from a hub that
 * relays, with no controller there, is killed while one runs, and is off again when their results are read.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, folder } from './program.ts'

const HUB = `127.0.0.1:${Number(process.env.LAB_PORT ?? 23_000) + 70}`
/** The device looks at its relays some seconds after its start. */
const RETURN_MS = 40_000

const owner = new Controller('owner')
const files = folder('jobs')
let device: Agent

interface Job {
  readonly id: string
  readonly state: string
  readonly cancelling: boolean
  readonly relays: readonly string[]
  readonly runs: readonly {
    readonly exit_code: number | null
    readonly stdout: string
    readonly ended_at: string | null
  }[]
}

const jobsIn = (text: string): Job[] =>
  text
    .trim()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Job)

const later = async (...words: string[]): Promise<Job> =>
  jobsIn(await owner.must('exec', 'kitchen', '--json', '--timeout', '3', ...words))[0]!
const shown = async (id: string): Promise<Job> =>
  jobsIn((await owner.box('jobs', 'show', id, '--json', '--timeout', '3')).out)[0]!
const lines = (name: string): string[] => {
  const path = join(files, name)
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}
const kill = async () => {
  device.program.kill('SIGKILL')
  await device.program.ended()
}

beforeAll(async () => {
  const hub = new Agent('hub', ['--hub', '--listen', HUB], {}, { settings: { relay: true } })
  const { hello, device_zone } = await hub.status(({ hello }) => hello.includes('tcp'))
  const settings = { relays: [device_zone] }
  device = new Agent('device', ['--hub-url', hello], {}, { settings })
  await device.linked()
  await owner.must('init', '--ego', 'home')
  await owner.must('pair', await hub.pairingCode(), '--as', 'post', '--json')
  await owner.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  await owner.must('tag', 'post', '+relay')
})
afterAll(cleanUp)

describe('a job', { timeout: 180_000 }, () => {
  test('waits for its device, runs there once, and its result comes by the hub', async () => {
    const every = await later('--every', '* * * * *', '--', `echo tick >>${files}/tick`)
    expect(every).toMatchObject({ state: 'scheduled', runs: [] })
    await kill()

    const quick = await later('--queue', '--', `echo once >>${files}/quick; echo out; exit 3`)
    const slow = await later('--queue', '--', `echo once >>${files}/slow; sleep 600`)
    const never = await later('--queue', '--', `echo once >>${files}/never`)
    for (const job of [quick, slow, never])
      expect(job).toMatchObject({ state: 'waiting', relays: ['post'] })
    await owner.must('jobs', 'cancel', never.id, '--timeout', '3')
    expect(await shown(never.id)).toMatchObject({ state: 'waiting', cancelling: true })

    device.restart()
    await expect.poll(() => lines('slow'), { timeout: RETURN_MS }).toEqual(['once'])
    // Killed while one runs: that one is not begun again.
    await kill()
    device.restart()
    await device.linked()
    await expect
      .poll(async () => (await shown(slow.id)).state, { timeout: RETURN_MS })
      .toBe('interrupted')
    expect(await shown(quick.id)).toMatchObject({
      state: 'ended',
      runs: [{ exit_code: 3, stdout: 'out\n' }],
    })
    expect((await shown(never.id)).state).toBe('cancelled')
    expect(lines('quick')).toEqual(['once'])
    expect(lines('slow')).toEqual(['once'])
    expect(lines('never')).toEqual([])
    const audit = await owner.must('audit', 'kitchen')
    for (const result of ['waiting', 'begun', 'exit 3', 'interrupted'])
      expect(audit).toContain(result)

    // The schedule has outlived both deaths.
    await expect.poll(() => lines('tick').length, { timeout: 70_000 }).toBeGreaterThan(0)
    expect((await shown(every.id)).runs.at(-1)).toMatchObject({ exit_code: 0 })
    await owner.must('jobs', 'cancel', every.id)
    expect((await shown(every.id)).state).toBe('cancelled')
  })

  test('is told by the hub when the device is off again', async () => {
    await kill()
    const job = await later('--queue', '--', 'echo from the device')
    device.restart()
    const entries = async () => (await device.ask('status', '--json')).code
    await expect.poll(entries, { timeout: RETURN_MS }).toBe(0)
    // Nobody asks the device: the hub has it once the device has left it there.
    await expect
      .poll(async () => relayed(job.id), { timeout: RETURN_MS, interval: 1_000 })
      .toBe('from the device\n')
    expect(await owner.must('jobs', 'rm', '--over')).toMatch(/^\d forgotten/)
    expect(await owner.must('jobs', '--json')).toBe('')
  })
})

/** What the job printed, as the controller learns it while it cannot reach the device itself. */
async function relayed(id: string): Promise<string | undefined> {
  device.program.kill('SIGSTOP')
  try {
    return (await shown(id)).runs.at(-1)?.stdout
  } finally {
    device.program.kill('SIGCONT')
  }
}
