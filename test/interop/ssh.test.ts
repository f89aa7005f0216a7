/**
 * The stock OpenSSH client on devices of ours, through a hub of ours, every program a process of its own:
 * by ProxyCommand on the command line, and by the stanza that `box ssh-config --write` makes. And `box ssh`
 * at a real terminal.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Agent } from './fleet.ts'
import { HomeDirectory } from './home-directory.ts'
import { LAB_PORT } from './lab.ts'
import { cleanUp, missing, type Outcome, Program, run, succeed } from './program.ts'
import { Screen } from './screen.ts'

const HUB = `127.0.0.1:${LAB_PORT + 90}`
const MEGABYTE = 1_048_576
const skipped = missing(['ssh', 'scp', 'rsync', 'tmux', 'unshare'], { root: true }) !== null

describe.skipIf(skipped)('the stock ssh', () => {
  let home: HomeDirectory
  let place: { env: Readonly<Record<string, string>> }
  let device: Agent

  beforeAll(async () => {
    home = new HomeDirectory('ssh')
    place = { env: { ...home.env, LANG: 'C.UTF-8' } }
    const hub = new Agent('hub', ['--hub', '--listen', HUB])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new Agent('kitchen', ['--hub-url', hello, '--shell', '/bin/bash'])
    const other = new Agent('pantry', ['--hub-url', hello])
    await Promise.all([device.linked(), other.linked()])
    await must('box', 'init')
    await must('box', 'pair', await device.pairingCode(), '--as', 'kitchen')
    await must('box', 'pair', await other.pairingCode(), '--as', 'pantry')
    await must('box', 'ssh-config', '--write')
  })
  const screens: Screen[] = []
  afterEach(() => {
    for (const screen of screens) screen.close()
  })
  afterAll(cleanUp)

  const must = (...words: string[]): Promise<string> => succeed(home.command(...words), place)
  const typed = (words: readonly string[], input = ''): Promise<Outcome> =>
    run(home.command(...words), { ...place, input })
  const ssh = (...words: string[]): Promise<Outcome> => typed(['ssh', 'kitchen.box', ...words])
  /** A line of sh at a terminal in this home; its end stays to be read. */
  const terminal = (line: string, [columns, rows] = [80, 24]): Screen => {
    const ended = `${line}\necho "[ended $?]"; exec sleep 600`
    const variables = Object.entries(place.env ?? {}).map(([name, value]) => `${name}=${value}`)
    const words = ['env', ...variables, ...home.command('sh', '-c', ended)]
    const quoted = words.map(word => `'${word.replaceAll("'", "'\\''")}'`)
    const screen = new Screen(`ssh${screens.length}`, [columns!, rows!], quoted.join(' '))
    screens.push(screen)
    return screen
  }

  test('runs a command by ProxyCommand alone, asked nothing, with its exit code', async () => {
    const state = join(home.path, '.local/state/secushare-box/controller')
    const options = [
      ...['-F', 'none', '-o', 'ProxyCommand=box proxy %h', '-i', join(state, 'ssh_key')],
      ...['-o', `UserKnownHostsFile=${join(state, 'known_hosts')}`, '-o', 'IdentitiesOnly=yes'],
      ...['-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'],
    ]
    const said = await typed(['ssh', ...options, 'kitchen.box', 'echo $BOX_DEVICE; exit 7'])
    expect(said).toEqual({ code: 7, out: 'kitchen\n', err: '' })
  })

  test('runs a command by the stanza, with its exit code, and says nothing itself', async () => {
    expect(await ssh('echo here; exit 3')).toEqual({ code: 3, out: 'here\n', err: '' })
  })

  test('keeps what the command says on standard error apart', async () => {
    expect(await ssh('echo out; echo err >&2')).toEqual({ code: 0, out: 'out\n', err: 'err\n' })
  })

  test('ends with 255 where the command ends by a signal, as from any server', async () => {
    const { code, out } = await ssh('kill -TERM $$')
    expect({ code, out }).toEqual({ code: 255, out: '' })
  })

  test('gives the command no terminal unless told to, and one where told twice', async () => {
    expect((await ssh('tty')).out).toBe('not a tty\n')
    const { code, out } = await ssh('-tt', 'tty; echo $TERM; stty size; echo err >&2; exit 5')
    expect(out).toMatch(/^\/dev\/pts\/\d+\r\nxterm\r\n\d+ \d+\r\nerr\r\n$/)
    expect(code).toBe(5)
  })

  test('carries a megabyte of anything there and back, byte for byte', async () => {
    const file = join(home.path, 'bulk')
    const data = randomBytes(MEGABYTE)
    writeFileSync(file, data)
    await must('sh', '-c', `ssh kitchen.box 'cat > ${file}.there' < ${file}`)
    expect(readFileSync(`${file}.there`).equals(data)).toBe(true)
    await must('sh', '-c', `ssh kitchen.box cat ${file}.there > ${file}.back`)
    expect(readFileSync(`${file}.back`).equals(data)).toBe(true)
    await must('sh', '-c', `ssh kitchen.box cat < ${file} > ${file}.echo`)
    expect(readFileSync(`${file}.echo`).equals(data)).toBe(true)
  })

  test('scp -O and rsync copy files both ways', async () => {
    const file = join(home.path, 'copied')
    const data = randomBytes(MEGABYTE)
    writeFileSync(file, data)
    await must('scp', '-q', '-O', file, `kitchen.box:${file}.scp`)
    await must('scp', '-q', '-O', `kitchen.box:${file}.scp`, `${file}.scp.back`)
    await must('rsync', file, `kitchen.box:${file}.rsync`)
    await must('rsync', `kitchen.box:${file}.rsync`, `${file}.rsync.back`)
    for (const copy of ['scp.back', 'rsync.back'])
      expect(readFileSync(`${file}.${copy}`).equals(data), copy).toBe(true)
  })

  test('refuses a machine with another host key without asking', async () => {
    const way = ['ssh', '-o', 'ProxyCommand=box proxy pantry', 'kitchen.box', 'echo never']
    const { code, out, err } = await typed(way, 'yes\n')
    expect({ code, out }).toEqual({ code: 255, out: '' })
    expect(err).toMatch(/Host key verification failed/)
    expect(err).not.toMatch(/\(yes\/no/)
  })

  test('says in one sentence that there is no such device', async () => {
    const { code, err } = await typed(['ssh', 'nowhere.box', 'true'])
    expect(code).toBe(255)
    expect(err).toContain('box: No device of this name is paired. "nowhere" is not among')
  })

  test('the remote program sees ^C, and the window when it changes', async () => {
    const screen = terminal('ssh kitchen.box', [91, 27])
    await screen.until(/[$#]$/m)
    screen.type('stty size; trap "stty size" WINCH', 'Enter')
    await screen.until(/27 91$/m)
    screen.resize(101, 31)
    screen.type('Enter')
    await screen.until(/31 101$/m)
    screen.type('sleep 1000', 'Enter')
    screen.type('C-c')
    screen.type('echo code $?', 'Enter')
    await screen.until(/^code 130$/m)
    screen.type('exit 9', 'Enter')
    await screen.until(/\[ended 9\]/)
  })

  test('ended by a signal, it leaves nothing running on the device', async () => {
    const program = new Program(
      home.command('ssh', 'kitchen.box', 'echo $$; exec sleep 987'),
      place,
    )
    const [, pid] = await program.until(/^(\d+)\n/)
    program.kill('SIGTERM')
    await program.ended()
    await expect.poll(() => isRunning(pid!), { timeout: 10_000 }).toBe(false)
  })

  test('box ssh is a terminal too: prompt, typing, size, ^C, exit code', async () => {
    const screen = terminal('box ssh kitchen', [93, 28])
    await screen.until(/[$#]$/m)
    screen.type('echo "device=$BOX_DEVICE"; stty size; trap "stty size" WINCH', 'Enter')
    await screen.until(/^device=kitchen$/m)
    await screen.until(/28 93$/m)
    screen.resize(103, 32)
    screen.type('Enter')
    await screen.until(/32 103$/m)
    screen.type('sleep 1000', 'Enter')
    screen.type('C-c')
    screen.type('echo code $?', 'Enter')
    await screen.until(/^code 130$/m)
    screen.type('exit 4', 'Enter')
    await screen.until(/\[ended 4\]/)
    expect(screen.text()).not.toMatch(/^box: /m)
  })

  test('box ssh gives up by ~. and leaves the terminal as it was', async () => {
    const screen = terminal('box ssh kitchen; echo "code $?"; stty -a')
    await screen.until(/[$#]$/m)
    screen.type('sleep 1000', 'Enter')
    screen.type('~.')
    await screen.until(/^code 255$/m)
    await screen.until(/ icanon [\s\S]* echo /)
  })

  test('a device with a new host key is believed as soon as its zone says so', async () => {
    device.program.kill()
    await device.program.ended()
    rmSync(join(device.state, 'ssh-host-key'))
    device.restart()
    await device.linked()
    await must('box', 'ssh', 'kitchen', '--', 'true')
    expect(await ssh('echo again')).toEqual({ code: 0, out: 'again\n', err: '' })
  })

  test('box ssh says on its terminal when the device is gone, with a sysexits code', {
    timeout: 240_000,
  }, async () => {
    const screen = terminal('box ssh kitchen')
    await screen.until(/[$#]$/m)
    device.program.kill('SIGKILL')
    await device.program.ended()
    screen.type('echo anybody there', 'Enter')
    // It looks for its shell for 45 seconds first (controller/shell-return.ts).
    await screen.until(/^box: The connection to the peer was lost/m, 180_000)
    await screen.until(/\[ended 75\]/)
  })
})

/** Whether a process lives, and is no zombie. */
function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
