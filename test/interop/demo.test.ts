/** `npm start`, as somebody types it who has just cloned the project: with a terminal, without one, as JSON. */

import { existsSync, readdirSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { LAB_PORT } from './lab.ts'
import { BOX, cleanUp, folder, missing, Program, ROOT, run, shell } from './program.ts'
import { Screen } from './screen.ts'

/** Issue: in under a minute, and again within 10 s of the death of a hub. */
const ALL_MS = 60_000
const AGAIN_MS = 10_000
/** Three programs start, and a pid is 52 letters long. */
const PID = /^[0-9A-Z]{52}$/
const skipped = missing(['tmux']) !== null

const demo = (...words: string[]) => [process.execPath, BOX, 'demo', ...words]
/** Where a demonstration keeps its things: nothing of it may be left. */
const scratch = () => {
  const path = folder('demo')
  return { path, env: { TMPDIR: path }, left: () => readdirSync(path) }
}

describe('npm start', () => {
  afterAll(cleanUp)

  test('-- --json prints one object with the way over the hub, and leaves nothing', async () => {
    const { env, left } = scratch()
    const command = ['npm', '--prefix', ROOT, 'start', '--silent', '--', '--json']
    const { code, out, err } = await run(command, { env, ms: ALL_MS })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const report = JSON.parse(out)
    expect(report).toMatchObject({ name: 'kitchen.home', exit_code: 0 })
    expect(report.device_zone).toMatch(/^000G[0-9A-Z]{54}$/)
    expect(report.path).toHaveLength(3)
    for (const pid of report.path) expect(pid).toMatch(PID)
    expect(report.path[1]).toBe(report.hub_pid)
    for (const ms of [report.resolve_ms, report.channel_ms, report.shell_ms])
      expect(ms).toBeGreaterThan(0)
    expect(report.tty).toMatch(/^\/dev\/pts\/\d+$/)
    expect(report.output).toBe(`${shell('uname -n')}${report.tty}\nkitchen\n`)
    expect(left()).toEqual([])
  })

  test('without a terminal it tells each step in a line with its time, then the output', async () => {
    const { env, left } = scratch()
    const { code, out, err } = await run(demo(), { env, ms: ALL_MS })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const lines = out.trimEnd().split('\n')
    const steps = lines.slice(0, 5).map(line => /^ *\d+\.\d\d s {2}(\w+) /.exec(line)?.[1])
    expect(steps).toEqual(['hub', 'device', 'code', 'pair', 'shell'])
    expect(lines.slice(5).join('\n')).toMatch(/^.+\n\/dev\/pts\/\d+\nkitchen$/)
    expect(left()).toEqual([])
  })

  test.skipIf(skipped)('with a terminal it leaves you in a shell on the device', async () => {
    const { path, left } = scratch()
    const line = `TMPDIR='${path}' '${process.execPath}' '${BOX}' demo; echo "[ended $?]"; sleep 600`
    const screen = new Screen('demo', [160, 24], line)
    try {
      await screen.until(/Type exit when you have seen enough/, ALL_MS)
      await screen.until(/[$#]$/m)
      screen.type('echo "this is $BOX_DEVICE on $(tty)"', 'Enter')
      await screen.until(/^this is kitchen on \/dev\/pts\/\d+$/m)
      screen.type('exit', 'Enter')
      await screen.until(/\[ended 0\]/)
    } finally {
      screen.close()
    }
    expect(left()).toEqual([])
  })

  test('--keep leaves all running, and each command it prints works', async () => {
    const { path, env, left } = scratch()
    const { code, err } = await run(demo('--keep'), { env, ms: ALL_MS })
    expect(code).toBe(0)
    const [said, ...commands] = err.split('\n').flatMap(line => line.trim() || [])
    expect(said).toMatch(/left running/)
    expect(commands).toHaveLength(5)
    const end = commands.pop()!
    const pids = /^kill ([\d ]+);/.exec(end)![1]!.split(' ')
    for (const command of commands) {
      const ran = await run(['sh', '-c', command], { input: 'echo it works\n', env })
      expect(ran.code, `${command}: ${ran.err}`).toBe(0)
    }
    shell(end)
    const alive = () => pids.filter(pid => existsSync(`/proc/${pid}`))
    await expect.poll(alive, { timeout: 10_000 }).toEqual([])
    expect(left(), path).toEqual([])
  })

  test('when the device dies in the middle, it says so and ends with what that means', async () => {
    const { env, path, left } = scratch()
    const program = new Program(demo(), { env })
    const [, pid] = await program.until(/device +peer \w+, process (\d+)/)
    process.kill(Number(pid), 'SIGKILL')
    const { code, err } = await program.ended(ALL_MS)
    expect(err).toMatch(/^box: .+\n$/)
    expect([69, 75]).toContain(code)
    expect(left(), path).toEqual([])
  })

  test('when the temporary directory cannot be written, it says so', async () => {
    const { code, out, err } = await run(demo(), { env: { TMPDIR: '/proc/nowhere' }, ms: ALL_MS })
    expect({ code, out }).toEqual({ code: 78, out: '' })
    expect(err).toMatch(/^box: The state cannot be written\. .*\/proc\/nowhere.*\n$/)
  })

  test('^C ends it and everything it started', async () => {
    const { env, left } = scratch()
    const program = new Program(demo(), { env })
    const [, pid] = await program.until(/hub +peer \w+, process (\d+)/)
    program.kill('SIGINT')
    const { code } = await program.ended()
    expect(code).toBe(130)
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect(left()).toEqual([])
  })

  test('--hubs 2 kills a hub in the middle, and the session goes on or a new one stands', async () => {
    const { env, left } = scratch()
    const { code, out } = await run(demo('--hubs', '2', '--json'), { env, ms: ALL_MS })
    expect(code).toBe(0)
    const { path, failover_ms } = JSON.parse(out)
    expect(path).toHaveLength(3)
    expect(failover_ms).toBeLessThan(AGAIN_MS)
    console.log(`fail-over in ${failover_ms} ms`)
    expect(left()).toEqual([])
  })
})

describe('when the hub of a session is killed', () => {
  afterAll(cleanUp)

  test('the session goes on over the other one, with nothing lost, and new ones open', {
    timeout: 300_000,
  }, async () => {
    const hubs = [91, 92].map(
      port => new Agent(`${port}`, ['--hub', '--listen', `127.0.0.1:${LAB_PORT + port}`]),
    )
    const [first, second] = await Promise.all(
      hubs.map(hub => hub.status(({ hello }) => hello.includes('tcp'))),
    )
    const words = [first!, second!].flatMap(({ hello }) => ['--hub-url', hello])
    const device = new Agent('device', words)
    await device.linked(2)
    const owner = new Controller('owner')
    await owner.must('init')
    await owner.must('pair', await device.pairingCode(), '--as', 'kitchen')
    for (const round of [1, 2]) {
      const report = JSON.parse(await owner.must('ssh', 'kitchen', '--json', '--', 'true'))
      const at = report.path[1] === first!.pid ? 0 : 1
      // It counts aloud, and reads along: both directions have to survive.
      const count = 'for i in $(seq 1 60); do echo $i; read x; echo "heard $x"; sleep 0.1; done'
      const session = new Program(owner.command('ssh', 'kitchen', '--', count))
      for (let i = 1; i <= 60; i++) session.child.stdin!.write(`word ${i}\n`)
      await session.until(/^heard word 10$/m)
      hubs[at]!.program.kill('SIGKILL')
      const killed = Date.now()
      const heard = (Number(/\nheard word (\d+)\n(?!.*heard)/s.exec(session.out)?.[1]) || 10) + 5
      await session.until(new RegExp(`^heard word ${heard}$`, 'm'), AGAIN_MS)
      const goesOn = Date.now() - killed
      await owner.must('exec', 'kitchen', '--', 'true')
      const stands = Date.now() - killed - goesOn
      console.log(`round ${round}: goes on after ${goesOn} ms, a new one takes ${stands} ms`)
      expect(goesOn).toBeLessThan(AGAIN_MS)
      const { code, out } = await session.ended(60_000)
      expect(code).toBe(0)
      const all = Array.from({ length: 60 }, (_, i) => `${i + 1}\nheard word ${i + 1}\n`)
      expect(out).toBe(all.join(''))
      hubs[at]!.restart()
      await device.linked(2)
    }
  })
})
