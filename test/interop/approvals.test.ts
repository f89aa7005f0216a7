/** Three people and a device, each with programs of their own: who asks waits, who may approve sees what, and says so. */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Controller } from './fleet.ts'
import { type Household, household } from './household.ts'
import { cleanUp, Program, run } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 500

interface Waiting {
  readonly id: string
  readonly command: string
  readonly who: string
  readonly may_approve: boolean
}

describe('a second person', { timeout: 300_000 }, () => {
  let home: Household
  let ada: Controller
  let bea: Controller

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    ada = await guest('ada')
    bea = await guest('bea')
  })
  afterAll(cleanUp)

  /** Somebody whom the owner lets run commands that another person has approved. */
  async function guest(name: string): Promise<Controller> {
    const made = new Controller(name)
    await made.must('init', '--ego', name)
    const { id } = JSON.parse(await made.must('id', '--json')) as { id: string }
    const { hello } = await home.hubs[0]!.status()
    await made.must('hub', 'add', hello)
    const { device_zone } = await home.device.status()
    await made.must('add', device_zone, '--as', 'hut')
    await home.controller.must('grant', 'kitchen', id, 'exec', '--as', name, '--two')
    return made
  }

  /** Until something waits; what somebody sees of it. */
  async function waiting(by: Controller): Promise<Waiting> {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
      const lines = (await by.must('approvals', '--json')).trim()
      if (lines !== '') return JSON.parse(lines.split('\n')[0]!) as Waiting
    }
    throw new Error('nothing waits')
  }

  test('approves what somebody else asks for: it runs then, and its result comes', async () => {
    const marker = join(home.files, 'approved')
    const asking = new Program(
      ada.command('exec', 'hut', '--', `touch ${marker}; echo done; exit 3`),
    )
    await asking.until(/waits for approval by another person, ID \w{12}/, 60_000)
    const seen = await waiting(bea)
    expect(seen).toMatchObject({
      ...{ command: `touch ${marker}; echo done; exit 3`, who: 'ada', may_approve: true },
    })
    expect(existsSync(marker)).toBe(false)
    const own = await ada.box('approve', 'hut', seen.id)
    expect([own.code, own.err]).toEqual([77, expect.stringContaining('another person')])
    const shown = await bea.must('approve', 'hut', seen.id.slice(0, 6))
    expect(shown).toMatch(/^Approved:\n.* on hut\n {2}exec: touch .*\n {2}as \w+, asked by ada/)
    const { code, out, err } = await asking.ended(60_000)
    expect([code, out]).toEqual([3, 'hut | done\n'])
    expect(err).toMatch(/approved by bea/)
    expect(existsSync(marker)).toBe(true)
  })

  test('denies it: nothing runs, and who asked is told so', async () => {
    const marker = join(home.files, 'denied')
    const asking = new Program(ada.command('exec', 'hut', '--json', '--', `touch ${marker}`))
    const { id } = await waiting(home.controller)
    await home.controller.must('approve', 'kitchen', id, '--deny')
    const { code, out } = await asking.ended(60_000)
    expect(code).toBe(77)
    const [waits, end] = out.trim().split('\n')
    expect(JSON.parse(waits!)).toEqual({ name: 'hut', waits_for_approval: id })
    expect(JSON.parse(end!)).toMatchObject({ exit_code: null, error: { code: 'APPROVAL_DENIED' } })
    expect(existsSync(marker)).toBe(false)
    expect((await bea.box('approve', 'hut', id)).code).toBe(69)
  })

  test('is asked by the stock ssh as well', async () => {
    const config = join(home.files, 'ada.conf')
    writeFileSync(config, await ada.must('ssh-config'))
    const asking = new Program(['ssh', '-F', config, 'hut.box', 'cat; exit 4'])
    asking.child.stdin!.end('piped')
    const { id } = await waiting(bea)
    await bea.must('approve', 'hut', id)
    expect(await asking.ended(60_000)).toMatchObject({ code: 4, out: 'piped' })
  })

  test('is asked by whoever wants one, and ^C takes it back', async () => {
    const marker = join(home.files, 'taken-back')
    const asking = new Program(
      home.controller.command('exec', 'kitchen', '--two', '--', `touch ${marker}`),
    )
    const { id } = await waiting(bea)
    asking.kill('SIGINT')
    expect((await asking.ended(60_000)).code).toBe(130)
    for (const deadline = Date.now() + 60_000; ; ) {
      if ((await bea.must('approvals', '--json')).trim() === '') break
      if (Date.now() > deadline) throw new Error('it is still there')
    }
    expect((await bea.box('approve', 'hut', id)).code).toBe(69)
    expect(existsSync(marker)).toBe(false)
  })

  test('is asked for nothing that waits for later, or by other rights', async () => {
    const later = await ada.box('exec', 'hut', '--every', '1h', '--json', '--', 'true')
    expect(later.code).toBe(77)
    expect(later.out + later.err).toContain('another person')
    const { id } = JSON.parse(await ada.must('id', '--json')) as { id: string }
    const { controller } = home
    const files = await controller.box('grant', 'kitchen', id, 'exec,files', '--as', 'ada', '--two')
    expect(files.code).toBe(64)
  })

  test('stands in the journal, with who asked and who said what', async () => {
    const audit = await home.controller.must('audit', 'kitchen')
    for (const line of [
      /ada +approval +asked +\w{12}: exec by ada: touch/,
      /bea +approval +approved +\w{12}: exec by ada: touch/,
      /ada +exec +exit 3 +touch/,
      /home +approval +denied/,
      /home +approval +withdrawn/,
      /ada +job +refused/,
    ])
      expect(audit).toMatch(line)
  })

  test('is asked again after the agent has begun anew: what waited is forgotten', async () => {
    const asking = new Program(ada.command('exec', 'hut', '--', 'echo x'))
    const { id } = await waiting(bea)
    home.device.program.kill('SIGKILL')
    await home.device.program.ended(60_000)
    expect((await asking.ended(120_000)).code).toBe(75)
    home.device.restart()
    await home.device.linked(1)
    const gone = await run(bea.command('approve', 'hut', id, '--timeout', '60'), { ms: 120_000 })
    expect(gone.code).toBe(69)
  })
})
