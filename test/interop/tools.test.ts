/**
 * The tools people own, unmodified, on a device behind a hub of ours: each in processes of their own, over a
 * real CADET tunnel. BOX_COMMANDS and BOX_COPY_MB make the long ones longer: the sizes are 1,000
 * commands and 3,000 MB.
 */

import { createHash } from 'node:crypto'
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Household, household, residentMb, stock, tryStock } from './household.ts'
import { cleanUp, missing, Program, run, shell, succeed } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000)
const COMMANDS = Number(process.env.BOX_COMMANDS ?? 60)
const COPY_MB = Number(process.env.BOX_COPY_MB ?? 40)
const MINUTE = 60_000
const MULTIPLEXED = ['-o', 'ControlMaster=auto', '-o', 'ControlPersist=60']

const skipped = missing(['ssh', 'scp', 'sftp', 'rsync', 'tmux', 'vim', 'curl']) !== null

describe.skipIf(skipped)('through a hub', { timeout: 2 * MINUTE }, () => {
  let home: Household
  let web: Server
  let webPort: number
  const at = (name: string) => join(home.files, name)
  const ssh = (...words: string[]) => stock(home, ['ssh', ...words])
  const master = () => [...MULTIPLEXED, '-o', `ControlPath=${at('cm-%C')}`]

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    web = createServer((request, response) => {
      if (request.url === '/large') response.end(Buffer.alloc(2_000_000, 'x'))
      else request.pipe(response.writeHead(200, { 'x-path': request.url ?? '' }))
    })
    await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve))
    webPort = (web.address() as AddressInfo).port
  })

  afterAll(async () => {
    await tryStock(home, ['ssh', ...master(), '-O', 'exit', 'kitchen.box'])
    web.close()
    await cleanUp()
  })

  test('ssh runs commands: output, errors, exit code, signal, input', async () => {
    const { code, out, err } = await tryStock(
      home,
      ['ssh', 'kitchen.box', 'cat; echo err >&2; exit 7'],
      { input: 'in\n' },
    )
    expect({ code, out, err }).toEqual({ code: 7, out: 'in\n', err: 'err\n' })
    const killed = await tryStock(home, ['ssh', 'kitchen.box', 'kill -TERM $$'])
    expect(killed.code).toBe(255)
  })

  test('ssh says nothing on standard error that is not the command’s', async () => {
    expect((await tryStock(home, ['ssh', 'kitchen.box', 'true'])).err).toBe('')
  })

  test('ssh -tt draws at three sizes what a terminal on the device would show', async () => {
    const text = Array.from({ length: 60 }, (_, i) => `${i} ${'wörter '.repeat(20)}`).join('\n')
    writeFileSync(at('text'), text)
    // Vim inside a tmux of the device, as people have it who lose connections.
    writeFileSync(
      at('draw'),
      `unset TMUX; exec tmux -L box-$1-$$ -f /dev/null new-session ` +
        `"vim -n -u NONE -N -c 'set encoding=utf-8 nomodeline' '${at('text')}'" \\; set status off`,
    )
    const command = (name: string) => `sh ${at('draw')} ${name}`
    const far = new Screen(
      'far',
      [80, 24],
      `ssh -F ${home.sshConfig} -tt kitchen.box '${command('far')}'`,
    )
    const near = new Screen('near', [80, 24], command('near'))
    try {
      for (const [columns, rows] of [
        [80, 24],
        [132, 43],
        [40, 12],
      ] as const) {
        far.resize(columns, rows)
        near.resize(columns, rows)
        const wanted = await near.until(lines => lines.some(line => line.startsWith('0 wörter')))
        await new Promise(resolve => setTimeout(resolve, 500))
        const shown = near.lines()
        expect(wanted.length).toBeGreaterThan(rows - 2)
        await far.until(lines => lines.join('\n') === shown.join('\n'))
      }
    } finally {
      for (const screen of [far, near]) screen.type(':qa!', 'Enter')
      await near.until(/dead|^\s*$/).finally(() => near.close())
      far.close()
    }
  })

  describe('files', () => {
    const plant = (name: string) => {
      rmSync(at(name), { recursive: true, force: true })
      mkdirSync(at(`${name}/deep/er`), { recursive: true })
      writeFileSync(at(`${name}/a file`), 'hello', { mode: 0o640 })
      writeFileSync(at(`${name}/deep/größe`), Buffer.alloc(300_000, 7))
      writeFileSync(at(`${name}/deep/er/empty`), '')
      writeFileSync(at(`${name}/tool`), '#!/bin/sh\n')
      chmodSync(at(`${name}/tool`), 0o750)
      chmodSync(at(`${name}/deep`), 0o711)
      utimesSync(at(`${name}/a file`), 1_000_000_000, 1_100_000_000)
      utimesSync(at(`${name}/deep`), 1_000_000_000, 1_200_000_000)
    }

    /** Every file with its mode, time and content. */
    const picture = (name: string) =>
      shell(
        `cd '${at(name)}' && find . -printf '%p %y %m %l %Ts\\n' | sort && ` +
          `find . -type f -exec sha256sum {} + | sort`,
      )

    test.for([['sftp'], ['the old protocol', '-O']])(
      'scp -r -p over %s, there and back',
      async ([, ...how]) => {
        plant('there')
        for (const name of ['up', 'down']) rmSync(at(name), { recursive: true, force: true })
        const scp = (...words: string[]) => stock(home, ['scp', ...how, '-r', '-p', ...words])
        await scp(at('there'), `kitchen.box:${at('up')}`)
        await scp(`kitchen.box:${at('up')}`, at('down'))
        const without = (text: string) => text.replaceAll(/^\. .*$/gm, '')
        expect(without(picture('up'))).toBe(without(picture('there')))
        expect(without(picture('down'))).toBe(without(picture('there')))
      },
    )

    test('scp tells of what is not there, and of what may not be written', async () => {
      const none = await tryStock(home, ['scp', `kitchen.box:${at('none')}`, at('x')])
      expect(none.code).toBe(1)
      expect(none.err).toMatch(/No such file/)
      const proc = await tryStock(home, ['scp', at('text'), 'kitchen.box:/proc/none'])
      expect(proc.code).toBe(1)
    })

    test('sftp works through a batch', async () => {
      plant('there')
      const batch = [
        `lcd ${home.files}`,
        `cd ${home.files}`,
        'mkdir sftp',
        'put -p "there/a file" sftp/one',
        'put -r there sftp/all',
        'rename sftp/one sftp/two',
        'put there/tool sftp/three',
        'rename sftp/three sftp/two',
        'chmod 604 sftp/two',
        'ln sftp/two sftp/hard',
        'ln -s two sftp/soft',
        'df sftp',
        'ls -la sftp',
        'get -r sftp/all back',
        'reget sftp/all/deep/größe part',
        'rm sftp/hard',
      ]
      writeFileSync(at('part'), Buffer.alloc(100_000, 7))
      for (const name of ['sftp', 'back']) rmSync(at(name), { recursive: true, force: true })
      const out = await stock(home, ['sftp', '-b', '-', 'kitchen.box'], { input: batch.join('\n') })
      expect(out).toMatch(/-rw----r--.*root.*two/)
      expect(statSync(at('sftp/two')).mode & 0o777).toBe(0o604)
      expect(readlinkSync(at('sftp/soft'))).toBe('two')
      expect(existsSync(at('sftp/hard'))).toBe(false)
      expect(readFileSync(at('part')).equals(Buffer.alloc(300_000, 7))).toBe(true)
      expect(readFileSync(at('back/deep/größe')).equals(Buffer.alloc(300_000, 7))).toBe(true)
    })

    test('rsync makes both sides alike, and deletes, up and down', async () => {
      plant('there')
      for (const name of ['synced', 'resynced']) mkdirSync(at(name), { recursive: true })
      const sync = (...words: string[]) =>
        succeed(['rsync', '-a', '--delete', '-e', `ssh -F ${home.sshConfig}`, ...words])
      symlinkSync('a file', at('there/link'))
      writeFileSync(at('synced/old'), 'to be deleted')
      await sync(`${at('there')}/`, `kitchen.box:${at('synced')}/`)
      expect(picture('synced')).toBe(picture('there'))
      rmSync(at('synced/tool'))
      writeFileSync(at('resynced/old'), 'to be deleted')
      await sync(`kitchen.box:${at('synced')}/`, `${at('resynced')}/`)
      expect(picture('resynced')).toBe(picture('synced'))
    })

    test(`scp of ${COPY_MB} MB, up and down: the same hash, and the agent grows by less than 30 MB`, {
      timeout: MINUTE + COPY_MB * 4_000,
    }, async () => {
      shell(`head -c ${COPY_MB}000000 /dev/urandom > '${at('big')}'`)
      const ms = MINUTE + COPY_MB * 2_000
      const { pid } = home.device.program.child
      // The first connection loads what all later ones share.
      await ssh('kitchen.box', 'true')
      const before = residentMb(pid!)
      let most = before
      const watch = setInterval(() => {
        most = Math.max(most, residentMb(pid!))
      }, 200)
      const copy = (...words: string[]) => stock(home, ['scp', ...words], { ms })
      const begun = performance.now()
      await copy(at('big'), `kitchen.box:${at('big-up')}`)
      const up = performance.now()
      await copy(`kitchen.box:${at('big-up')}`, at('big-down'))
      const down = performance.now()
      clearInterval(watch)
      const rate = (ms: number) => ((COPY_MB * 1_000) / ms).toFixed(1)
      console.log(
        `${COPY_MB} MB: up ${rate(up - begun)} MB/s, down ${rate(down - up)} MB/s; ` +
          `agent ${before.toFixed(0)} MB, at most ${most.toFixed(0)} MB`,
      )
      expect(await hashOf(at('big-down'))).toBe(await hashOf(at('big')))
      expect(await hashOf(at('big-up'))).toBe(await hashOf(at('big')))
      for (const name of ['big', 'big-up', 'big-down']) rmSync(at(name))
      expect(most - before).toBeLessThan(30)
    })
  })

  describe('HTTP', () => {
    /** Starts a tunnel, and ends it when `use` has. */
    const tunnel = async (words: string[], ready: RegExp, use: (said: string) => Promise<void>) => {
      const program = new Program([
        ...['ssh', '-F', home.sshConfig, '-v', '-N', '-o', 'ExitOnForwardFailure=yes'],
        ...words,
        'kitchen.box',
      ])
      try {
        const [, said = ''] = await program.until(ready)
        await use(said)
      } finally {
        program.kill()
        await program.ended()
      }
    }

    /** Sizes and bodies come through, several at once. */
    const browse = async (url: string, ...how: string[]) => {
      const get = (path: string, ...words: string[]) =>
        succeed(['curl', '-sS', '--max-time', '30', ...how, ...words, `${url}${path}`])
      expect(await get('/echo', '--data', 'hello')).toBe('hello')
      const sizes = await Promise.all([1, 2, 3].map(async () => (await get('/large')).length))
      expect(sizes).toEqual([2_000_000, 2_000_000, 2_000_000])
    }
    const local = () => PORT + 50

    test('goes through ssh -L', async () => {
      const words = ['-L', `${local()}:127.0.0.1:${webPort}`]
      await tunnel(words, /Local connections to|Entering interactive/, () =>
        browse(`http://127.0.0.1:${local()}`),
      )
    })

    test('goes through ssh -R', async () => {
      await tunnel(['-R', `0:127.0.0.1:${webPort}`], /Allocated port (\d+)/, port =>
        browse(`http://127.0.0.1:${port}`),
      )
    })

    test('goes through ssh -D, names looked up on the device', async () => {
      await tunnel(['-D', `${local()}`], /Entering interactive/, () =>
        browse(`http://localhost:${webPort}`, '--socks5-hostname', `127.0.0.1:${local()}`),
      )
    })

    test('goes through Unix sockets, both ways', async () => {
      await tunnel(['-L', `${at('l.sock')}:127.0.0.1:${webPort}`], /Entering interactive/, () =>
        browse('http://x', '--unix-socket', at('l.sock')),
      )
      await tunnel(['-R', `${at('r.sock')}:127.0.0.1:${webPort}`], /remote forward success/, () =>
        browse('http://x', '--unix-socket', at('r.sock')),
      )
    })
  })

  test('ssh -J jumps over the device to where it reaches', async () => {
    const [banner] = (
      await stock(home, ['ssh', '-W', `127.0.0.1:${webPort}`, 'kitchen.box'], {
        input: 'GET /echo HTTP/1.0\r\n\r\n',
      })
    ).split('\r\n')
    expect(banner).toBe('HTTP/1.1 200 OK')
  })

  test('ControlMaster: many sessions over one connection', async () => {
    await ssh(...master(), 'kitchen.box', 'true')
    const begun = performance.now()
    for (let i = 0; i < 10; i++)
      expect(await ssh(...master(), 'kitchen.box', `echo ${i}`)).toBe(`${i}\n`)
    console.log(`over a master: ${Math.round((performance.now() - begun) / 10)} ms a command`)
    const eight = await Promise.all(
      Array.from({ length: 8 }, (_, i) => ssh(...master(), 'kitchen.box', `sleep 0.2; echo ${i}`)),
    )
    expect(eight).toEqual(Array.from({ length: 8 }, (_, i) => `${i}\n`))
  })

  test(`${COMMANDS} short commands lose no byte, with a terminal and without, read fast and slowly`, {
    timeout: MINUTE + COMMANDS * 2_000,
  }, async () => {
    const wanted = shell('seq 1 100000 | tail -c 20000')
    const line = 'seq 1 100000 | tail -c 20000'
    const slowly =
      `ssh -F '${home.sshConfig}' ${master().join(' ')} kitchen.box '${line}' | ` +
      '{ sleep 0.4; dd bs=700 status=none; }'
    let lost = 0
    for (let i = 0; i < COMMANDS; i++) {
      const got =
        i % 5 === 4
          ? await succeed(['sh', '-c', slowly])
          : i % 5 === 3
            ? (await ssh(...master(), '-tt', 'kitchen.box', line)).replaceAll('\r\n', '\n')
            : await ssh(...master(), 'kitchen.box', line)
      if (got !== wanted) lost++
    }
    expect(lost).toBe(0)
  })

  test.skipIf(missing(['ansible']) !== null)('Ansible finds the device with its ping', async () => {
    const inventory = at('inventory')
    writeFileSync(
      inventory,
      `kitchen.box ansible_ssh_common_args="-F ${home.sshConfig}" ansible_python_interpreter=/usr/bin/python3\n`,
    )
    const { code, out, err } = await run(
      ['ansible', '-i', inventory, 'all', '-m', 'ansible.builtin.ping'],
      { env: { HOME: home.files, LC_ALL: 'C.UTF-8', ANSIBLE_LOCAL_TEMP: at('ansible') } },
    )
    expect(code, err).toBe(0)
    expect(out).toMatch(/kitchen\.box \| SUCCESS[\s\S]*"ping": "pong"/)
  })
})

const hashOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
