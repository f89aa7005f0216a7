/**
 * A shell that outlives its connection, at a terminal and through a hub of ours: the box of its owner is killed,
 * and then the only hub is away until that box has given up, or for longer.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Household, household } from './household.ts'
import { cleanUp, missing, run } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 900
/** At least; it lasts until `box ssh` has given up. The two minutes of the field are RESUME_OUTAGE=120000. */
const OUTAGE_MS = Number(process.env.RESUME_OUTAGE ?? 0)
/** By then a session has given up, and the search for another way to it. */
const GIVEN_UP_MS = 180_000
const skipped = missing(['tmux', 'vim']) !== null

describe.skipIf(skipped)('a shell whose connection is lost', { timeout: 400_000 }, () => {
  let home: Household
  const screens: Screen[] = []
  /** Where the process id of the latest `box ssh` stands. */
  let boxPid: string

  /** What runs `box ssh` with these words, and leaves its exit code on the screen. */
  const open = (name: string, ...words: string[]) => {
    const box = home.controller.command('ssh', ...words).join(' ')
    const line = `sh -c 'echo $$ >${boxPid}; exec ${box}'`
    const screen = new Screen(name, [80, 24], `${line}; echo "status $?"; exec sleep 600`)
    screens.push(screen)
    return screen
  }
  /** A shell on the device, and its process. */
  const atPrompt = async (name: string) => {
    const screen = open(name, 'kitchen')
    await screen.until(/[$#] ?$/m)
    screen.type("clear; PS1='>> '; secret=4711; echo shell $$", 'Enter')
    const [, pid] = /^shell (\d+)$/m.exec((await screen.until(/^shell \d+$/m)).join('\n'))!
    return { screen, pid: Number(pid) }
  }
  const kept = async () => {
    const { shells } = JSON.parse(
      await home.controller.must('ssh', '--resume', 'kitchen', '--json'),
    ) as { shells: { id: string; state: string; program: string }[] }
    return shells
  }
  /** What the device's journal says of shells. */
  const shellNotes = async () =>
    (await home.controller.must('audit', 'kitchen'))
      .split('\n')
      .flatMap(line => / shell {2}(.*?) {2,}[0-9a-z]{8}$/.exec(line)?.[1] ?? [])
  const expectSame = async (screen: Screen, pid: number) => {
    screen.type('clear; echo "again $$ $secret"', 'Enter')
    await screen.until(new RegExp(`^again ${pid} 4711$`, 'm'), 30_000)
  }

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    boxPid = join(home.files, 'box.pid')
  })
  afterAll(async () => {
    for (const screen of screens) screen.close()
    await cleanUp()
  })

  test('comes back after its box was killed: same process, same screen, exit code delivered', async () => {
    const { screen, pid } = await atPrompt('killed')
    screen.type('echo before the loss', 'Enter')
    await screen.until(/^before the loss$/m)
    // The box alone, not the terminal it runs in: no word to the device.
    process.kill(Number(readFileSync(boxPid, 'utf8')), 'SIGKILL')
    await screen.until(/status 137/)
    const begun = Date.now()
    const again = open('again', '--resume', 'kitchen')
    await again.until(/^before the loss$/m, 60_000)
    console.log(`the shell was back ${Date.now() - begun} ms after it was asked for`)
    await expectSame(again, pid)
    again.type('exit 7', 'Enter')
    await again.until(/status 7/)
    await expect.poll(kept, { timeout: 20_000 }).toEqual([])
    const none = await home.controller.box('ssh', '--resume', 'kitchen')
    expect([none.code, none.err]).toEqual([
      69,
      'box: No such shell of yours is kept on the device.\n',
    ])
    // The device did not know yet that the first connection was dead.
    expect(await shellNotes()).toEqual(['begun', 'resumed', 'taken over', 'exit 7'])
  })

  test('comes back after the hub was away for longer than a session waits, vim on its screen', async () => {
    const { screen, pid } = await atPrompt('outage')
    const file = join(home.files, 'text')
    writeFileSync(file, Array.from({ length: 50 }, (_, i) => `line ${i + 1}`).join('\n'))
    screen.type(`vim -n -u NONE -N ${file}`, 'Enter')
    await screen.until(/^line 1\nline 2$/m)
    const begun = Date.now()
    const [hub] = home.hubs
    hub!.program.kill('SIGKILL')
    await hub!.program.ended()
    // It says so, and how to come back.
    await screen.until(
      lines => lines.join('').includes('is kept for 30 min: `box ssh --resume kitchen` goes on'),
      GIVEN_UP_MS,
    )
    await screen.until(/status 75/)
    console.log(`box ssh gave up ${Date.now() - begun} ms after the hub was killed`)
    const left = Math.max(0, begun + OUTAGE_MS - Date.now())
    await new Promise(resolve => setTimeout(resolve, left))
    hub!.restart()
    await home.device.linked(1)
    const again = open('later', '--resume', 'kitchen')
    await again.until(lines => lines[0] === 'line 1' && lines[22] === 'line 23', 60_000)
    again.type('G', 'o', 'after the outage', 'Escape')
    await again.until(/^after the outage$/m)
    again.type(':wq', 'Enter')
    await again.until(/^>>$/m)
    await expectSame(again, pid)
    again.type('exit', 'Enter')
    await again.until(/status 0/)
    // Whether the device had noticed the loss by then is a matter of seconds.
    expect([
      ['begun', 'kept', 'resumed', 'exit 0'],
      ['begun', 'resumed', 'taken over', 'exit 0'],
    ]).toContainEqual((await shellNotes()).slice(-4))
  })

  test('is not kept where its owner leaves with ~.', async () => {
    const { screen, pid } = await atPrompt('left')
    screen.type('Enter', '~.')
    await screen.until(/status 255/)
    await expect.poll(() => run(['kill', '-0', `${pid}`]).then(({ code }) => code)).not.toBe(0)
    expect(await kept()).toEqual([])
  })
})
