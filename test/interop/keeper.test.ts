/**
 * Shells of `box ssh` and the process of the agent: it is ended and killed, a program on the screen; the next one
 * has the same shell. The process that holds them is small, and of no use to anybody else.
 */

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, folder, missing } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 940
const BACK_MS = 90_000
const skipped = missing(['tmux', 'vim']) !== null

/** The keeper of a state directory; null where there is none. */
function keeperOf(state: string): number | null {
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (words.some(word => /box-keeper(\.js)?$/.test(word)) && words.includes(state))
        return Number(pid)
    } catch {
      // It has just ended.
    }
  return null
}

describe.skipIf(skipped)('a shell whose agent', { timeout: 400_000 }, () => {
  let device: Agent
  let controller: Controller
  let files: string
  const screens: Screen[] = []

  const open = (name: string, ...words: string[]) => {
    const box = controller.command('ssh', ...words).join(' ')
    const screen = new Screen(name, [80, 24], `${box}; echo "status $?"; exec sleep 600`)
    screens.push(screen)
    return screen
  }
  const atPrompt = async (name: string) => {
    const screen = open(name, 'kitchen')
    await screen.until(/[$#] ?$/m)
    screen.type("clear; PS1='>> '; secret=4711; echo shell $$", 'Enter')
    const [, pid] = /^shell (\d+)$/m.exec((await screen.until(/^shell \d+$/m)).join('\n'))!
    return { screen, pid: Number(pid) }
  }
  const expectSame = async (screen: Screen, pid: number) => {
    screen.type('clear; echo "again $$ $secret"', 'Enter')
    await screen.until(new RegExp(`^again ${pid} 4711$`, 'm'), BACK_MS)
  }
  const restart = async (signal: NodeJS.Signals) => {
    device.program.kill(signal)
    await device.program.ended()
    device.restart()
    await device.linked(1, BACK_MS)
  }

  beforeAll(async () => {
    files = folder('files')
    // Quickly at its prompt, whatever this machine has in its profile.
    const plain = join(files, 'plain-shell')
    writeFileSync(plain, '#!/bin/sh\nexec bash --noprofile --norc -i\n', { mode: 0o755 })
    const hub = new Agent('hub', ['--hub', '--listen', `127.0.0.1:${PORT}`])
    const { hello } = await hub.status(({ hello: url }) => url.includes('tcp'))
    device = new Agent('device', ['--hub-url', hello, '--shell', plain])
    await device.linked()
    controller = new Controller('controller')
    await controller.must('init', '--ego', 'home')
    await controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  })
  afterAll(async () => {
    for (const screen of screens) screen.close()
    await cleanUp()
  })

  const shellNotes = async () =>
    (await controller.must('audit', 'kitchen'))
      .split('\n')
      .flatMap(line => / home {2}shell {2}(.*?) {2,}[0-9a-z]{8}$/.exec(line)?.[1] ?? [])

  test('is ended in good order comes back to whoever looks, by itself, vim on the screen', async () => {
    const { screen, pid } = await atPrompt('ended')
    const text = join(files, 'text')
    writeFileSync(text, Array.from({ length: 50 }, (_, i) => `line ${i + 1}`).join('\n'))
    screen.type(`vim -n -u NONE -N ${text}`, 'Enter')
    await screen.until(/^line 1\nline 2$/m)
    screen.type('o', 'not yet saved', 'Escape')
    await screen.until(/^not yet saved$/m)
    const keeper = keeperOf(device.state)!
    await restart('SIGTERM')
    await screen.until(lines => lines[1] === 'not yet saved' && lines[22] === 'line 22', BACK_MS)
    screen.type('G', 'o', 'after the restart', 'Escape', ':wq', 'Enter')
    await screen.until(/^>>$/m)
    await expectSame(screen, pid)
    expect(readFileSync(text, 'utf8')).toMatch(
      /^line 1\nnot yet saved\n[\s\S]*\nafter the restart\n$/,
    )
    expect(keeperOf(device.state)).toBe(keeper)
    expect(device.program.err).toContain('keeper: shells found count=1')
    screen.type('exit 7', 'Enter')
    await screen.until(/status 7/)
    expect((await shellNotes()).slice(-4)).toEqual(['begun', 'kept', 'resumed', 'exit 7'])
  })

  test('is killed has a program that runs on, and is gone on with from elsewhere', async () => {
    const { screen, pid } = await atPrompt('killed')
    screen.type(`n=0; while :; do n=$((n+1)); echo "$n" >>${files}/count; sleep 0.2; done`, 'Enter')
    const count = () =>
      Number(readFileSync(join(files, 'count'), 'utf8').trimEnd().split('\n').at(-1))
    await expect.poll(count).toBeGreaterThan(2)
    // There is no agent, and then nobody looks any more: who closes a window says so, and an agent would end the shell.
    device.program.kill('SIGKILL')
    await device.program.ended()
    screen.close()
    const before = count()
    await expect.poll(count).toBeGreaterThan(before + 2)
    device.restart()
    await device.linked(1, BACK_MS)
    const again = open('elsewhere', '--resume', 'kitchen')
    await again.until(/while :; do/, BACK_MS)
    again.type('C-c')
    await expectSame(again, pid)
    // Whoever looks meanwhile does nothing.
    // What it is told goes with the first screen of the shell that is found again.
    const told = again.until(/The connection to kitchen is lost. Looking for your shell/, BACK_MS)
    await Promise.all([told, restart('SIGKILL')])
    await expectSame(again, pid)
    again.type('exit', 'Enter')
    await again.until(/status 0/)
    expect((await shellNotes()).slice(-6)).toEqual([
      ...['begun', 'kept', 'resumed', 'kept', 'resumed', 'exit 0'],
    ])
  })

  test('has a keeper that is small, has nothing of the agent, and ends with the last shell', async () => {
    const { screen } = await atPrompt('small')
    const keeper = keeperOf(device.state)!
    const rollup = readFileSync(`/proc/${keeper}/smaps_rollup`, 'utf8')
    const kb = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(rollup)![1])
    console.log(`the keeper: ${kb('Rss')} kB resident, ${kb('Private_Dirty')} kB of them its own`)
    // Half of what an agent has of its own; it is 8 MB on the machine this was written on.
    expect(kb('Private_Dirty')).toBeLessThan(16_000)
    const environment = readFileSync(`/proc/${keeper}/environ`, 'utf8')
    expect(environment).not.toMatch(/NOTIFY_SOCKET|WATCHDOG|NODE_OPTIONS|BOX_/)
    expect(statSync(join(device.state, 'keeper.sock')).mode & 0o777).toBe(0o600)
    screen.type('exit', 'Enter')
    await screen.until(/status 0/)
    device.program.kill()
    await device.program.ended()
    // The agent that begins anew may find it while it ends: then it holds nothing for a minute, and goes.
    await expect.poll(() => keeperOf(device.state), { timeout: 120_000 }).toBeNull()
    expect(existsSync(join(device.state, 'keeper.sock'))).toBe(false)
    device.restart()
    await device.linked(1, BACK_MS)
  })

  test('outlives the keeper: who looks is told that the shell has ended, the next one opens', async () => {
    const { screen, pid } = await atPrompt('lost')
    process.kill(keeperOf(device.state)!, 'SIGKILL')
    const lines = await screen.until(/status \d+/)
    expect(lines.join(' ')).toContain('This shell has ended: the process that held it is gone.')
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 20_000 }).toBe(false)
    const next = await atPrompt('next')
    next.screen.type('exit', 'Enter')
    await next.screen.until(/status 0/)
    expect(device.program.err).toContain('keeper: the keeper of shells has ended')
    expect((await shellNotes()).slice(-4)).toEqual(['begun', 'signal HUP', 'begun', 'exit 0'])
  })

  test('was reset has no shells any more', async () => {
    const { screen, pid } = await atPrompt('reset')
    screen.close()
    const said = await device.ask('reset', '--yes')
    expect(said.code, said.err).toBe(0)
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 20_000 }).toBe(false)
    // The agent that begins anew may find it while it ends: then it holds nothing for a minute, and goes.
    await expect.poll(() => keeperOf(device.state), { timeout: 120_000 }).toBeNull()
  })
})
