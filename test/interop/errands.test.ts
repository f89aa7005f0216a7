/** `box exec` beside a running `box up`: over its connections, and as before in all that a person notices. */

import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Household, household } from './household.ts'
import { cleanUp, missing, Program, run } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 540
const USER = 'boxtesterrand'
const skipped = missing(['useradd', 'userdel'], { root: true }) !== null
const WAIT = { timeout: 30_000, interval: 50 }

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe.skipIf(skipped)('box exec beside a box up', { timeout: 180_000 }, () => {
  let home: Household
  let up: Program
  const at = (name: string) => join(home.files, name)
  const exec = (...words: string[]) => home.controller.command('exec', ...words)
  const startUp = async () => {
    up = new Program(home.controller.command('up', '--port', `${PORT + 1}`, '--json'))
    await up.until(/^\{.*\}$/m)
  }
  const logins = async () => {
    const entries = await home.controller.must('audit', 'kitchen', '--last', '1000', '--json')
    return entries.split('\n').filter(line => line.includes('"login"')).length
  }
  /** The process that a command there says it is; it writes its number into this file. */
  const pidIn = async (file: string) => {
    await expect
      .poll(() => existsSync(file) && readFileSync(file, 'utf8').trim(), WAIT)
      .toBeTruthy()
    return readFileSync(file, 'utf8').trim()
  }
  const isGone = (pid: string) => expect.poll(() => existsSync(`/proc/${pid}`), WAIT).toBe(false)

  beforeAll(async () => {
    spawnSync('useradd', ['-M', '-d', '/', '-s', '/bin/sh', '-U', USER])
    home = await household([`127.0.0.1:${PORT}`])
    await startUp()
  })
  afterAll(async () => {
    await cleanUp()
    spawnSync('userdel', [USER])
  })

  test('brings a megabyte there and one back, bit by bit, over a connection that is there already', async () => {
    const env = { BOX_LOG: 'info' }
    const first = await run(exec('kitchen', '--', 'true'), { env })
    expect(first.code, first.err).toBe(0)
    expect(first.err).toContain('over the connections of box up')
    const before = await logins()
    writeFileSync(at('random'), randomBytes(1_000_000))
    const there = exec('kitchen', '--stdin', '--', 'sha256sum')
    const sum = spawnSync(there[0]!, there.slice(1), { input: readFileSync(at('random')) })
    expect(`${sum.stdout}`).toBe(`kitchen | ${sha256(readFileSync(at('random')))}  -\n`)
    const line = `head -c 1000000 /dev/urandom > ${at('back')}; echo >> ${at('back')}; cat ${at('back')}`
    const back = exec('kitchen', '--', line)
    const { stdout } = spawnSync(back[0]!, back.slice(1), { maxBuffer: 1e8 })
    // Each line has its prefix, and none is longer than 64 KiB.
    const lines = stdout.toString('latin1').split('\n').slice(0, -1)
    const bytes = Buffer.from(
      lines.map(line => `${line.slice('kitchen | '.length)}\n`).join(''),
      'latin1',
    )
    expect(sha256(bytes)).toBe(sha256(readFileSync(at('back'))))
    expect(await logins()).toBe(before)
  })

  test('runs as the user that was named, with its exit code, script, limit and words', async () => {
    const who = await run(exec(`${USER}@kitchen`, '--', 'id -un; echo oh >&2; exit 3'))
    expect(who).toEqual({ code: 3, out: `kitchen | ${USER}\n`, err: 'kitchen | oh\n' })
    const nobody = await run(exec('nosuchuser@kitchen', '--json', '--', 'id'))
    expect(JSON.parse(nobody.out)).toMatchObject({ begun: false, error: { code: 'USER_UNKNOWN' } })
    expect(nobody.code).toBe(69)
    writeFileSync(at('fix.sh'), 'echo "script $1"; exit 4\n')
    const script = await run(exec('kitchen', '--script', at('fix.sh'), '--', 'one two'))
    expect([script.code, script.out]).toEqual([4, 'kitchen | script one two\n'])
    const late = await run(exec('kitchen', '--limit', '1', '--json', '--', 'exec sleep 614'))
    expect(JSON.parse(late.out)).toMatchObject({ begun: true, error: { code: 'PEER_TIMEOUT' } })
    const logged = await run(home.controller.command('logs', 'kitchen', at('fix.sh')))
    expect(logged).toMatchObject({ code: 0, out: 'echo "script $1"; exit 4\n' })
  })

  test('ends what it began at once, by ^C and where it is killed itself', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGKILL', null],
    ] as const) {
      const marker = at(`pid-${signal}`)
      const running = new Program(exec('kitchen', '--', `echo $$ > ${marker}; exec sleep 615`))
      const pid = await pidIn(marker)
      running.kill(signal)
      expect((await running.ended()).code).toBe(code)
      await isGone(pid)
    }
  })

  test('holds the device back where its own output is not read', async () => {
    const [progress, go] = [at('progress'), at('go')]
    const line = `i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero; i=$((i+1)); echo $i > ${progress}; done`
    const words = exec('kitchen', '--', line).map(word => `'${word}'`)
    const reader = `(while [ ! -e ${go} ]; do sleep 0.1; done; wc -c)`
    const running = new Program(['sh', '-c', `${words.join(' ')} | ${reader}`])
    const wrote = () => (existsSync(progress) ? Number(readFileSync(progress, 'utf8')) : 0)
    let before = -1
    await expect
      .poll(
        () => {
          const isStill = wrote() === before && before > 0
          before = wrote()
          return isStill
        },
        { timeout: 60_000, interval: 1_000 },
      )
      .toBe(true)
    expect(wrote()).toBeLessThan(25)
    writeFileSync(go, '')
    // And a prefix, and an end, for every 64 KiB.
    expect(Number((await running.ended(120_000)).out)).toBe(40_000_000 + 611 * 11)
  })

  test('lets a command wait for a device that went off over a connection that was kept', async () => {
    expect((await run(exec('kitchen', '--', 'true'))).code).toBe(0)
    home.device.program.kill('SIGKILL')
    await home.device.program.ended()
    const words = [`${USER}@kitchen`, '--queue', '--timeout', '3', '--json']
    const queued = await run(exec(...words, '--', 'id -un; pwd'))
    const said = JSON.parse(queued.out)
    expect(said).toMatchObject({ device: 'kitchen', state: 'waiting', user: USER, runs: [] })
    home.device.restart()
    await home.device.linked()
    const jobs = () => home.controller.must('jobs', 'show', said.id, '--offline', '--json')
    await expect
      .poll(async () => JSON.parse(await jobs()).runs[0]?.stdout, {
        timeout: 90_000,
        interval: 500,
      })
      .toBe(`${USER}\n/\n`)
    expect(await home.controller.must('audit', 'kitchen')).toContain(`as ${USER}: id -un; pwd`)
  })

  test('says that a command is lost where the box up is killed in the middle, and does without it', async () => {
    const marker = at('once')
    const line = `echo $$ >> ${marker}; exec sleep 616`
    const running = new Program(exec('kitchen', '--json', '--', line))
    const pid = await pidIn(marker)
    up.kill('SIGKILL')
    const said = await running.ended()
    expect(JSON.parse(said.out)).toMatchObject({
      ...{ exit_code: null, begun: true },
      error: { code: 'CHANNEL_LOST' },
    })
    expect(said.code).toBe(75)
    expect(readFileSync(marker, 'utf8').trim()).toBe(pid)
    // Its sockets lie there still.
    const after = await run(exec('kitchen', '--', 'echo without'))
    expect(after).toMatchObject({ code: 0, out: 'kitchen | without\n' })
    // The device misses four answers before it ends it by itself.
    process.kill(Number(pid))
    await startUp()
    expect((await run(exec('kitchen', '--', 'echo with'))).out).toBe('kitchen | with\n')
    up.kill('SIGTERM')
    expect((await up.ended()).code).toBe(0)
  })
})
