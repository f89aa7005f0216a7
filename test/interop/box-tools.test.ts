/** `box cp`, `box exec` and `box forward`, on a device behind a hub of ours: what the stock tools do, without them. */

import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Household, household } from './household.ts'
import { cleanUp, missing, Program, run, shell, succeed } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 400
const skipped = missing(['curl']) !== null

describe.skipIf(skipped)('through a hub', { timeout: 180_000 }, () => {
  let home: Household
  let web: Server
  let webPort: number
  const at = (name: string) => join(home.files, name)

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    web = createServer((request, response) => {
      if (request.url === '/large') response.end(Buffer.alloc(2_000_000, 'x'))
      else request.pipe(response)
    })
    await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve))
    webPort = (web.address() as AddressInfo).port
  })
  afterAll(async () => {
    web.close()
    await cleanUp()
  })

  test('box cp copies there and back, trees too, and leaves nothing half', async () => {
    mkdirSync(at('cp/deep'), { recursive: true })
    writeFileSync(at('cp/deep/one'), Buffer.alloc(700_000, 1), { mode: 0o640 })
    writeFileSync(at('cp/two'), 'two')
    utimesSync(at('cp/two'), 1_000_000_000, 1_100_000_000)
    const { must, box } = home.controller
    const cp = must.bind(home.controller, 'cp')
    await cp('-r', '-p', at('cp'), `kitchen:${at('cp-up')}`)
    await cp('-r', '-p', `kitchen:${at('cp-up')}`, at('cp-down'))
    expect(readFileSync(at('cp-down/deep/one')).equals(Buffer.alloc(700_000, 1))).toBe(true)
    expect(statSync(at('cp-down/deep/one')).mode & 0o777).toBe(0o640)
    expect(statSync(at('cp-up/two')).mtimeMs).toBe(1_100_000_000_000)
    chmodSync(at('cp-up/two'), 0o600)
    writeFileSync(at('cp/two'), 'new')
    expect(JSON.parse(await cp(at('cp/two'), `kitchen:${at('cp-up')}`, '--json'))).toEqual({
      files: 1,
      bytes: 3,
    })
    expect(readFileSync(at('cp-up/two'), 'utf8')).toBe('new')
    expect(statSync(at('cp-up/two')).mode & 0o777).toBe(0o600)
    const none = await box.call(home.controller, 'cp', `kitchen:${at('none')}`, at('x'))
    expect([none.code, none.err]).toEqual([69, expect.stringContaining('does not exist')])
    const full = await box.call(home.controller, 'cp', at('cp/two'), 'kitchen:/proc/none')
    expect(full.code).toBe(78)
    expect(readdirSync(home.files).filter(name => name.includes('.box-part'))).toEqual([])
  })

  test('box exec gives input and scripts to devices, and ends what takes too long', async () => {
    writeFileSync(at('fix.sh'), 'echo "script $1"; exit 3\n')
    const exec = (input: string, ...words: string[]) =>
      run(home.controller.command('exec', 'kitchen', ...words), { input })
    const script = await exec('', '--script', at('fix.sh'), '--', 'one two')
    expect([script.code, script.out]).toEqual([3, 'kitchen | script one two\n'])
    const fed = await exec('first\nsecond\n', '--stdin', '--', 'wc -l')
    expect([fed.code, fed.out]).toEqual([0, 'kitchen | 2\n'])
    const slow = await exec('', '--limit', '2', '--json', '--', 'echo begun; sleep 612')
    expect(slow.code).toBe(75)
    expect(JSON.parse(slow.out)).toMatchObject({
      stdout: 'begun\n',
      error: { code: 'PEER_TIMEOUT' },
    })
    expect(shell("pgrep -fc '[s]leep 612' || true").trim()).toBe('0')
  })

  test('box logs shows the end of a log and what comes, and nothing in it steers the terminal', async () => {
    const log = at('device.log')
    writeFileSync(log, `${Array.from({ length: 60 }, (_, n) => `line ${n}`).join('\n')}\n`)
    const last = await home.controller.must('logs', 'kitchen', log, '--last', '2')
    expect(last).toBe('line 58\nline 59\n')
    const following = new Program(
      home.controller.command('logs', 'kitchen', log, '-f', '--last', '1', '--json'),
    )
    await following.until(/"line":"line 59"/)
    appendFileSync(log, 'new \u001b[2J\u0007\n')
    await following.until(/"line":"new .*\n/)
    expect(following.out).not.toContain('\u001b')
    following.kill('SIGINT')
    await following.ended()
    const none = await home.controller.box('logs', 'kitchen', '/nowhere/log')
    expect(none).toMatchObject({ code: 66, out: '' })
    expect(none.err).toContain('kitchen: /nowhere/log cannot be read.')
  })

  test('box forward carries HTTP all three ways', async () => {
    const forward = new Program(
      home.controller.command(
        ...['forward', 'kitchen', '--json'],
        ...['-L', `${PORT + 51}:127.0.0.1:${webPort}`],
        ...['-R', `0:127.0.0.1:${webPort}`, '-D', `${PORT + 52}`],
      ),
    )
    await forward.until(/"socks".*\n/)
    const [, remote] = await forward.until(/"is":"remote".*"port":(\d+)\}\n/)
    const get = (url: string, ...how: string[]) =>
      succeed(['curl', '-sS', '--max-time', '30', '--data', 'hello', ...how, url])
    expect(await get(`http://127.0.0.1:${PORT + 51}/`)).toBe('hello')
    expect(await get(`http://127.0.0.1:${remote}/`)).toBe('hello')
    const proxy = ['--socks5-hostname', `127.0.0.1:${PORT + 52}`]
    expect(await get(`http://localhost:${webPort}/`, ...proxy)).toBe('hello')
    expect(
      (await succeed(['curl', '-sS', ...proxy, `http://localhost:${webPort}/large`])).length,
    ).toBe(2_000_000)
    forward.kill('SIGINT')
    expect((await forward.ended()).code).toBe(130)
  })
})
