/** Two people at terminals: one works in `box ssh`, the other looks on with `box watch`, and touches nothing. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Controller } from './fleet.ts'
import { type Household, household } from './household.ts'
import { cleanUp, missing } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 340
const skipped = missing(['tmux']) !== null

describe.skipIf(skipped)('watching a shell', { timeout: 300_000 }, () => {
  let home: Household
  let guest: Controller
  let guestZone: string
  const screens: Screen[] = []
  const open = (name: string, words: readonly string[]) => {
    const screen = new Screen(
      name,
      [80, 24],
      `${words.join(' ')}; echo "status $?"; exec sleep 600`,
    )
    screens.push(screen)
    return screen
  }

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    guest = new Controller('guest')
    await guest.must('init', '--ego', 'eve')
    guestZone = (JSON.parse(await guest.must('id', '--json')) as { id: string }).id
    const { hello } = await home.hubs[0]!.status()
    await guest.must('hub', 'add', hello)
    const { device_zone } = await home.device.status()
    await guest.must('add', device_zone, '--as', 'hut')
  })
  afterAll(async () => {
    for (const screen of screens) screen.close()
    await cleanUp()
  })

  test('takes the right to, and one that is open', async () => {
    const grant = (rights: string) =>
      home.controller.must('grant', 'kitchen', guestZone, rights, '--as', 'eve')
    await grant('status,shell,exec,files,forward,push,admin')
    expect((await guest.box('watch', 'hut')).code).toBe(77)
    await grant('watch')
    const { code, err } = await guest.box('watch', 'hut')
    expect([code, err]).toEqual([69, expect.stringContaining('None is open')])
  })

  test('shows what is there and what follows, is told to its person, and ends alone', async () => {
    const worker = open('worker', home.controller.command('ssh', 'kitchen'))
    await worker.until(/[$#] ?$/m, 120_000)
    worker.type("PS1='>> '; echo be''fore", 'Enter')
    await worker.until(/^before$/m)
    const watcher = open('watcher', guest.command('watch', 'hut'))
    await watcher.until(/^before$/m, 60_000)
    await worker.until(/^\[eve watches this session\]$/m)
    watcher.type('echo intruder', 'Enter', 'C-d')
    worker.type("clear; echo af''ter", 'Enter')
    await watcher.until(/^after$/m)
    expect(worker.text()).not.toContain('intruder')
    watcher.type('q')
    await watcher.until(/^status 0$/m)
    await worker.until(/^\[eve watches no longer\]$/m)
    worker.type("echo go''es on; exit 3", 'Enter')
    await worker.until(/goes on[\s\S]*status 3/)
    const audit = await home.controller.must('audit', 'kitchen')
    expect(audit).toMatch(/eve +watch +read +box-watch:\d+ of home/)
  })
})
