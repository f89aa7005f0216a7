/**
 * Sessions as another user of the device: an account that this test makes and takes away again, over `box` and the
 * stock tools, and clients that say what they may not.
 */

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askGrant } from '../../src/box/control.ts'
import type { Right } from '../../src/box/grant.ts'
import { signGrant } from '../../src/box/grant-statement.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { Home } from '../agent/home.ts'
import { connectOver, KEYS, publicBlob, run as runIn, shell } from '../agent/ssh-fixture.ts'
import { Controller } from './fleet.ts'
import { type Household, household, tryStock } from './household.ts'
import { cleanUp, folder, missing, Program, run, succeed } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 520
const USER = 'boxtestada'
const GROUP = 'boxtestgrp'
const BACK_MS = 60_000
const tools = ['useradd', 'userdel', 'groupadd', 'ssh', 'scp', 'sftp', 'rsync', 'tmux', 'curl']
const skipped = missing(tools, { root: true }) !== null
const WHO = 'id -un; id -gn; id -Gn; echo $HOME $USER $LOGNAME $SHELL; pwd'

const idOf = (option: string): number =>
  Number(spawnSync('id', [option, USER], { encoding: 'utf8' }).stdout)

describe.skipIf(skipped)('another user of the device', { timeout: 300_000 }, () => {
  let home: Household
  let files: string
  let userHome: string
  let uid: number
  const screens: Screen[] = []
  const servers: Server[] = []
  const who = () => [
    USER,
    USER,
    `${USER} ${GROUP}`,
    `${userHome} ${USER} ${USER} /bin/bash`,
    userHome,
  ]
  const box = (...words: string[]) => home.controller.box(...words)
  const stock = (tool: string, ...words: string[]) => tryStock(home, [tool, ...words])
  const open = (name: string, person: Controller, ...words: string[]) => {
    const line = person.command('ssh', ...words).join(' ')
    const screen = new Screen(name, [80, 24], `${line}; echo "status $?"; exec sleep 600`)
    screens.push(screen)
    return screen
  }
  /** Whoever listens there says whose the connections are that come. */
  const listenAt = (path: string, mode: number): Promise<void> =>
    new Promise(resolve => {
      const server = createServer(socket => {
        socket.on('error', () => {})
        socket.end('HTTP/1.0 200 OK\r\n\r\nreached\n')
      })
      servers.push(server)
      server.listen(path, () => {
        chmodSync(path, mode)
        resolve()
      })
    })

  beforeAll(async () => {
    files = folder('users')
    userHome = join(files, 'ada')
    for (const words of [
      ['groupadd', GROUP],
      ['useradd', '-M', '-d', userHome, '-s', '/bin/bash', '-U', '-G', GROUP, USER],
    ])
      spawnSync(words[0]!, words.slice(1))
    uid = idOf('-u')
    mkdirSync(userHome, { mode: 0o700 })
    chownSync(userHome, uid, idOf('-g'))
    chmodSync(files, 0o755)
    home = await household([`127.0.0.1:${PORT}`])
  })
  afterAll(async () => {
    for (const screen of screens) screen.close()
    for (const server of servers) server.close()
    await cleanUp()
    spawnSync('userdel', [USER])
    spawnSync('groupdel', [GROUP])
  })

  test('has commands run as it is: groups, home, shell, environment, exit, signal, input', async () => {
    const ran = await box('exec', `${USER}@kitchen`, '--json', '--', WHO)
    expect(JSON.parse(ran.out).stdout.trimEnd().split('\n')).toEqual(who())
    const [first, ...rest] = (await box('ssh', `${USER}@kitchen`, '--', WHO)).out.split('\n')
    expect([first, ...rest].slice(0, 5)).toEqual(who())
    const { code, out, err } = await tryStock(
      home,
      ['ssh', `${USER}@kitchen.box`, 'cat /dev/stdin; echo err >/dev/stderr; exit 7'],
      { input: 'in\n' },
    )
    expect({ code, out, err }).toEqual({ code: 7, out: 'in\n', err: 'err\n' })
    expect((await stock('ssh', `${USER}@kitchen.box`, 'kill -TERM $$')).code).toBe(255)
    const status = await box(
      'ssh',
      `${USER}@kitchen`,
      '--',
      'grep -E "^(Cap(Prm|Eff)|Uid)" /proc/self/status',
    )
    expect(status.out).toMatch(new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'))
    expect(status.out.match(/^Cap\w+:\t0+$/gm)).toHaveLength(2)
    expect(
      (await box('ssh', `${USER}@kitchen`, '--', `cat ${home.device.state}/device-key`)).code,
    ).toBe(1)
  })

  test('without being named is nobody: the name that ssh sends counts for nothing', async () => {
    expect((await box('ssh', 'kitchen', '--', 'id -un')).out).toBe('root\n')
    expect((await stock('ssh', 'kitchen.box', 'id -un')).out).toBe('root\n')
    expect((await stock('ssh', 'root@kitchen.box', 'id -un')).out).toBe('root\n')
  })

  test('has a login shell on a terminal of its own', async () => {
    const screen = open('shell', home.controller, `${USER}@kitchen`)
    await screen.until(/\$ ?$/m)
    screen.type(
      `clear; id -un; stat -c %U $(tty); shopt -q login_shell && echo login; id -Gn; exit 4`,
      'Enter',
    )
    const seen = await screen.until(/status 4/)
    expect(seen.slice(0, 4)).toEqual([USER, USER, 'login', `${USER} ${GROUP}`])
  })

  test('has its files copied as its own, and reaches none but what it may', async () => {
    const here = join(files, 'here')
    writeFileSync(here, Buffer.alloc(3_000_000, 'box'))
    const secret = join(files, 'secret')
    writeFileSync(secret, 'of root\n', { mode: 0o600 })
    const place = `${USER}@kitchen.box`
    for (const [name, done] of [
      ['scp', await stock('scp', here, `${place}:scp`)],
      ['scp-old', await stock('scp', '-O', here, `${place}:scp-old`)],
      ['cp', await box('cp', here, `${USER}@kitchen:cp`)],
      ['rsync', await run(['rsync', '-e', `ssh -F ${home.sshConfig}`, here, `${place}:rsync`])],
    ] as const) {
      expect([done.code, done.err], name).toEqual([0, ''])
      const there = join(userHome, name)
      expect(readFileSync(there).equals(readFileSync(here)), name).toBe(true)
      expect(statSync(there).uid, name).toBe(uid)
    }
    const taken = await stock('scp', `${place}:${secret}`, join(files, 'taken'))
    expect([taken.code, taken.err]).toEqual([1, expect.stringContaining('Permission denied')])
    expect((await box('cp', `${USER}@kitchen:${secret}`, join(files, 'taken'))).code).not.toBe(0)
    expect(existsSync(join(files, 'taken'))).toBe(false)
    const batch = `pwd\nput ${here} ${files}/not-mine\nput ${here} sftp\nls -l sftp\n`
    const said = await tryStock(home, ['sftp', '-b', '-', place], {
      input: batch.replace('put', '-put'),
    })
    expect(said.out).toContain(`Remote working directory: ${userHome}`)
    expect(said.out).toMatch(new RegExp(`${USER} +${USER} +3000000`))
    expect(existsSync(join(files, 'not-mine'))).toBe(false)
  })

  test('has connections made as its own, and listens as its own', async () => {
    const [locked, free, here, there] = ['locked', 'free', 'lo', 'ada/there'].map(name =>
      join(files, name),
    )
    await listenAt(locked!, 0o600)
    await listenAt(free!, 0o666)
    const get = (path: string) =>
      run(['curl', '-s', '-m', '20', '--unix-socket', path, 'http://x/'])
    const leading = async (user: string, to: string) => {
      rmSync(here!, { force: true })
      const words = [
        'ssh',
        '-F',
        home.sshConfig,
        '-N',
        '-L',
        `${here}:${to}`,
        `${user}@kitchen.box`,
      ]
      const tunnel = new Program(words)
      await expect.poll(() => existsSync(here!), { timeout: 20_000 }).toBe(true)
      const { out } = await get(here!)
      tunnel.kill('SIGTERM')
      await tunnel.ended()
      return out
    }
    expect(await leading(USER, free!)).toBe('reached\n')
    expect(await leading(USER, locked!)).toBe('')
    expect(await leading('root', locked!)).toBe('reached\n')
    const back = new Program([
      ...['ssh', '-F', home.sshConfig, '-N', '-R', `${there}:${free}`, '-R', '0:127.0.0.1:9'],
      `${USER}@kitchen.box`,
    ])
    await expect.poll(() => existsSync(there!), { timeout: 20_000 }).toBe(true)
    expect([statSync(there!).uid, statSync(there!).mode & 0o777]).toEqual([uid, 0o600])
    expect((await get(there!)).out).toBe('reached\n')
    back.kill('SIGTERM')
    await back.ended()
    await expect.poll(() => existsSync(there!), { timeout: 20_000 }).toBe(false)
    const low = await stock(
      'ssh',
      '-o',
      'ExitOnForwardFailure=yes',
      '-R',
      '81:127.0.0.1:9',
      `${USER}@kitchen.box`,
      'true',
    )
    expect([low.code, low.err]).toEqual([255, expect.stringContaining('forwarding failed')])
  })

  test('that there is not, or that nobody logs in to, is said to be none', async () => {
    const unknown = await box('ssh', 'boxtestnobody@kitchen', '--', 'id')
    expect([unknown.code, unknown.err]).toEqual([69, expect.stringContaining('no such user')])
    const closed = await box('exec', 'nobody@kitchen', '--', 'id')
    expect([closed.code, closed.err]).toEqual([77, expect.stringContaining('closed to logins')])
    const stockly = await stock('ssh', 'boxtestnobody@kitchen.box', 'id')
    expect([stockly.code, stockly.err]).toEqual([255, expect.stringContaining('no such user')])
    expect((await box('ssh', 'a b@kitchen', '--', 'id')).code).toBe(64)
    const later = await box('exec', 'boxtestnobody@kitchen', '--every', '1h', '--', 'id')
    expect([later.code, later.out]).toEqual([77, expect.stringContaining('has no such user')])
  })

  test('is what a guest may be who is granted it, and nobody else; recorded where that is asked', async () => {
    const guest = new Controller('guest')
    await guest.must('init', '--ego', 'eve')
    const { id } = JSON.parse(await guest.must('id', '--json')) as { id: string }
    const { hello } = await home.hubs[0]!.status()
    await guest.must('hub', 'add', hello)
    await guest.must('add', (await home.device.status()).device_zone, '--as', 'hut')
    const rights = 'shell,exec,files,forward'
    await home.controller.must(
      'grant',
      'kitchen',
      id,
      rights,
      '--as',
      'eve',
      '--user',
      USER,
      '--record',
    )
    expect((await guest.box('exec', `${USER}@hut`, '--', 'id -un')).out).toContain(USER)
    const here = join(files, 'here')
    await guest.must('cp', here, `${USER}@hut:recorded`)
    expect(statSync(join(userHome, 'recorded')).uid).toBe(uid)
    expect(readFileSync(join(userHome, 'recorded')).equals(readFileSync(here))).toBe(true)
    for (const place of ['root@hut', 'nobody@hut', 'boxtestnobody@hut']) {
      const said = await guest.box('ssh', place, '--', 'id')
      expect([said.code, said.err], place).toEqual([77, expect.stringContaining('be this user')])
    }
    for (const words of [
      ['ssh', 'hut', '--', 'id'],
      ['cp', `hut:${here}`, join(files, 'taken')],
    ])
      expect((await guest.box(...words)).code, words.join(' ')).toBe(77)
    const { out } = await home.controller.box('recordings', 'kitchen', '--json')
    const kept = out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { id: string; what: string; detail: string })
      .slice(-2)
    expect(kept).toMatchObject([
      { what: 'exec', detail: `as ${USER}: id -un` },
      { what: 'files', detail: `as ${USER}` },
    ])
    const played = await home.controller.box('play', 'kitchen', kept[1]!.id)
    expect(played.out).toMatch(/rename \S+ to \S+\/recorded$/m)
    expect(played.out).toMatch(/wrote 3000000 bytes/)
  })

  test('has a shell that outlives the agent, and is gone on with by that user alone', async () => {
    const screen = open('kept', home.controller, `${USER}@kitchen`)
    await screen.until(/\$ ?$/m)
    screen.type('clear; echo shell $$', 'Enter')
    const [, pid] = /^shell (\d+)$/m.exec((await screen.until(/^shell \d+$/m)).join('\n'))!
    screen.close()
    home.device.program.kill('SIGKILL')
    await home.device.program.ended()
    home.device.restart()
    await home.device.linked(1, BACK_MS)
    const root = await home.controller.boxWithin(BACK_MS, 'ssh', '--resume', 'kitchen', '--json')
    expect(JSON.parse(root.out).shells).toEqual([])
    const again = open('again', home.controller, '--resume', `${USER}@kitchen`)
    await again.until(/^shell \d+$/m, BACK_MS)
    again.type('clear; echo again $(id -un) $$; exit 5', 'Enter')
    const seen = await again.until(/status 5/)
    expect(seen[0]).toBe(`again ${USER} ${pid}`)
  })

  test('is in the journal, with all that was refused', async () => {
    const audit = await home.controller.must('audit', 'kitchen', '--last', '1000')
    for (const line of [
      new RegExp(`home +exec +exit 7 +as ${USER}: cat /dev/stdin`),
      new RegExp(`home +shell +exit 4 +as ${USER}: \\w{8}`),
      new RegExp(`home +files +exit 0 +as ${USER}: sftp`),
      new RegExp(`home +forward +begun +as ${USER}: ${files}/locked`),
      new RegExp(`home +shell +exit 5 +as ${USER}: \\w{8}`),
      /home +login +refused +as boxtestnobody/,
      /eve +login +refused +as root/,
    ])
      expect(audit).toMatch(line)
  })

  test('is not had by a client that lies about it', async () => {
    const house = new Home()
    await house.start()
    await house.pair()
    try {
      const guest = ZoneSecret.generate('EDKEY', systemRandom)
      const statement = {
        ...{ device: house.agent.device.zone, holder: guest.zone, number: Date.now() },
        ...{ until: null, name: 'eve', rights: ['shell', 'exec', 'files', 'forward'] as Right[] },
        scope: { ...WHOLE_SCOPE, users: [USER] },
      }
      await askGrant(await house.open('control'), signGrant(house.owner, statement), { clock })
      const enter = async (user: string | null, username: string) => {
        const announced = { publicKey: publicBlob(KEYS.public), deviceName: '', user }
        const session = await house.open('ssh', guest, encodeSshAnnouncement(announced))
        return connectOver(asDuplex(session.channel, clock), {
          username,
          strictVendor: false,
        } as object)
      }
      for (const user of ['root', 'daemon'])
        await expect(enter(user, USER), user).rejects.toMatchObject({ code: 'USER_NOT_GRANTED' })
      // Whoever it says it is to SSH, it is who it was let in as.
      const liar = await enter(USER, 'root')
      expect((await runIn(liar, 'id -un', { pty: true })).out.toString()).toBe(`${USER}\r\n`)
      liar.end()
      // And without a word about it, it may be nobody.
      const silent = await enter(null, USER)
      await expect(runIn(silent, 'id -un')).rejects.toThrow()
      await expect(shell(silent, { cols: 80, rows: 24 })).rejects.toThrow()
      await expect(shell(silent, false)).rejects.toThrow()
      const asked = (ask: (done: (error: Error | undefined) => void) => void) =>
        new Promise<string>(resolve => ask(error => resolve(error ? 'refused' : 'done')))
      expect(await asked(done => silent.sftp(done))).toBe('refused')
      expect(await asked(done => silent.forwardOut('', 0, '127.0.0.1', PORT, done))).toBe('refused')
      expect(await asked(done => silent.forwardIn('127.0.0.1', 0, done))).toBe('refused')
      silent.end()
    } finally {
      await house.stop()
    }
  })

  test('has nothing of the agent’s in its process, and cannot look into it', async () => {
    const held = new Program(
      home.controller.command('ssh', `${USER}@kitchen`, '--', 'echo begun; sleep 60'),
    )
    await held.until(/begun/)
    const words = `seat=$(pgrep -u ${USER} -f box-seat | head -1); kill -USR1 $seat; sleep 1; cat /proc/$seat/environ; ls /proc/$seat/fd; echo looked`
    const looked = await box('ssh', `${USER}@kitchen`, '--', words)
    expect(looked.out).toMatch(/looked\n$/)
    expect(looked.out).not.toContain('PATH=')
    expect(looked.err).not.toContain('Debugger')
    expect(await succeed(['id', '-un'])).toBe('root\n')
    held.kill('SIGTERM')
    await held.ended()
  })
})
