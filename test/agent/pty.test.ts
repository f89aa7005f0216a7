import { createHash } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Exit } from '../../agent/program.ts'
import { Pty } from '../../agent/pty.ts'
import { systemClock } from '../../src/sys/clock.ts'

const env = { PATH: process.env.PATH ?? '/bin:/usr/bin', TERM: 'xterm', HOME: '/' }

const start = (script: string, size = { columns: 80, rows: 24 }) =>
  new Pty({
    file: '/bin/sh',
    args: ['-c', script],
    env,
    cwd: '/',
    as: null,
    clock: systemClock,
    ...size,
  })

interface Run {
  readonly output: Buffer
  readonly exit: Exit
}

/** Collects all output; `pauseMs` makes a reader that is slower than any program. */
async function collect(pty: Pty, pauseMs = 0): Promise<Run> {
  const chunks: Buffer[] = []
  for await (const chunk of pty.output) {
    chunks.push(chunk as Buffer)
    if (pauseMs) await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
  return { output: Buffer.concat(chunks), exit: await pty.exited }
}

const run = (script: string) => collect(start(script))
const text = async (script: string) => (await run(script)).output.toString()

const NUMBERS = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\r\n`).join('')

describe('a program on a terminal', () => {
  test('loses none of a hundred thousand lines, whenever it is run', async () => {
    for (let i = 0; i < 20; i++) {
      const { output, exit } = await run('seq 1 100000')
      expect(output.length).toBe(NUMBERS.length)
      expect(output.equals(Buffer.from(NUMBERS))).toBe(true)
      expect(exit).toEqual({ code: 0 })
    }
  }, 60_000)

  test('loses nothing where it prints a little and ends at once', async () => {
    for (let i = 0; i < 60; i++) {
      const size = 1 + i * 211
      const { output, exit } = await run(`head -c ${size} /dev/zero | tr '\\0' x; exit ${i}`)
      expect(output.length).toBe(size)
      expect(exit).toEqual({ code: i })
    }
  }, 60_000)

  test('loses nothing to a slow reader', async () => {
    const { output, exit } = await collect(start('seq 1 20000'), 30)
    expect(output.toString()).toBe(NUMBERS.slice(0, output.length))
    expect(output.toString().endsWith('20000\r\n')).toBe(true)
    expect(exit).toEqual({ code: 0 })
  }, 30_000)

  test('ends when it exits, not a moment later', async () => {
    const began = performance.now()
    await run('exit 0')
    expect(performance.now() - began).toBeLessThan(150)
  })

  test.for([0, 1, 42, 255])('exits with %i', async code => {
    expect((await run(`exit ${code}`)).exit).toEqual({ code })
  })

  test.for(['TERM', 'KILL', 'SEGV', 'HUP'])('is said to be ended by SIG%s', async name => {
    expect((await run(`kill -${name} $$`)).exit).toEqual({ signal: name })
  })

  test('reads what is typed, echoed', async () => {
    const pty = start('read line; echo "got $line"')
    pty.input.write('hello\n')
    const { output } = await collect(pty)
    expect(output.toString()).toBe('hello\r\ngot hello\r\n')
  })

  test('reads much that is typed, however slowly it reads', async () => {
    const pty = start('stty raw -echo; echo ready; sleep 0.3; head -c 300000 | md5sum')
    const chunks: Buffer[] = []
    const done = new Promise<void>(resolve => pty.output.once('end', resolve))
    pty.output.on('data', (chunk: Buffer) => {
      if (chunks.push(chunk) === 1) pty.input.write(Buffer.alloc(300_000, 'x'))
    })
    await done
    const sum = createHash('md5').update('x'.repeat(300_000)).digest('hex')
    expect(Buffer.concat(chunks).toString()).toContain(sum)
  })

  test('does not hold up the agent where it never reads', async () => {
    const pty = start('stty raw -echo; echo ready; sleep 0.5')
    await new Promise(resolve => pty.output.once('data', resolve))
    pty.input.write(Buffer.alloc(200_000, 'x'))
    let ticks = 0
    const timer = setInterval(() => ticks++, 10)
    await collect(pty)
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(10)
  })

  test('passes every byte on as it is, and erases whole characters', async () => {
    const { output } = await run("stty -opost; printf '\\200\\377\\303\\000\\n'; stty -a")
    expect([...output.subarray(0, 5)]).toEqual([0x80, 0xff, 0xc3, 0, 10])
    expect(output.toString()).toMatch(/[^-]iutf8/)
  })

  test('has the size it was given, and is told of another', async () => {
    const script = 'trap "stty size; exit" WINCH; stty size; while :; do sleep 0.02; done'
    const pty = start(script, { columns: 132, rows: 50 })
    pty.output.once('data', () => pty.resize(100, 40))
    expect((await collect(pty)).output.toString()).toBe('50 132\r\n40 100\r\n')
  })

  test('has a usual size where the size is nonsense', async () => {
    const pty = start('stty size', { columns: 0, rows: Number.NaN })
    expect((await collect(pty)).output.toString()).toBe('24 80\r\n')
    pty.resize(10, 10) // After the end: nothing happens.
  })

  test('gets signals where they belong: the foreground', async () => {
    const pty = start(
      'set -m; (trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.02; done)',
    )
    pty.output.once('data', () => pty.signal('SIGINT'))
    expect((await collect(pty)).output.toString()).toContain('caught')
  })

  test('is hung up where the line is gone', async () => {
    const pty = start('sleep 60')
    pty.output.resume()
    setTimeout(() => pty.hangUp(), 50)
    expect(await pty.exited).toEqual({ signal: 'HUP' })
  })

  test('ends its session although a program stays behind', async () => {
    const began = performance.now()
    expect(await text('trap "" HUP; sleep 5 & echo left')).toBe('left\r\n')
    expect(performance.now() - began).toBeLessThan(2_000)
  })

  test('has the environment it was given and nothing else', async () => {
    const names = (await text('exec /usr/bin/env')).match(/^\w+/gm)
    expect(names?.sort()).toEqual(['HOME', 'PATH', 'PWD', 'TERM'])
  })

  test('that does not exist exits with an error', async () => {
    const pty = new Pty({
      file: '/no/such/shell',
      as: null,
      args: [],
      env,
      cwd: '/',
      columns: 80,
      rows: 24,
      clock: systemClock,
    })
    expect((await collect(pty)).exit).not.toEqual({ code: 0 })
  })

  test.skipIf(process.getuid?.() !== 0)(
    'is that of another account where that is asked for: user, group, groups, and the terminal',
    async () => {
      const own = process.getgroups!()
      const as = { uid: 65_534, gid: 65_534, groups: [60_001] }
      const file = '/bin/sh'
      const args = ['-c', 'id -u; id -g; id -G; stat -c %u "$(tty)"']
      const size = { columns: 80, rows: 24 }
      const pty = new Pty({ file, args, env, cwd: '/', as, clock: systemClock, ...size })
      const { output } = await collect(pty)
      expect(output.toString().split('\r\n')).toEqual([
        ...['65534', '65534', '65534 60001', '65534', ''],
      ])
      expect(process.getgroups!()).toEqual(own)
    },
  )

  test('leaves no descriptor of a terminal behind', async () => {
    const terminals = () =>
      readdirSync('/proc/self/fd').filter(fd => {
        try {
          return /\/dev\/(pts|ptmx)/.test(readlinkSync(`/proc/self/fd/${fd}`))
        } catch {
          return false
        }
      }).length
    const before = terminals()
    await Promise.all([run('sleep 0.1'), run('seq 1 1000'), run('exit 1')])
    const cut = start('sleep 60')
    cut.hangUp()
    await cut.exited
    expect(terminals()).toBe(before)
  })
})
