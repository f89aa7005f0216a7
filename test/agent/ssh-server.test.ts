import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import type { Client } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SshServer } from '../../agent/ssh-server.ts'
import { ended, exec, gone, login, newServer, run, shell } from './ssh-fixture.ts'

let server: SshServer
let client: Client

beforeEach(async () => {
  server = newServer()
  client = await login(server)
})

afterEach(async () => {
  client.end()
  await server.close()
})

describe('a command', () => {
  test.for([0, 1, 3, 255])('exits with %i', async code => {
    expect(await run(client, `exit ${code}`)).toMatchObject({ code, signal: null })
  })

  test.for(['TERM', 'KILL', 'SEGV'])('is said to be ended by SIG%s', async name => {
    expect(await run(client, `kill -${name} $$`)).toMatchObject({
      code: null,
      signal: `SIG${name}`,
    })
  })

  test.for([
    ['BUS', false],
    ['XCPU', false],
    ['SYS', false],
    ['TRAP', true],
  ] as const)(
    'ended by SIG%s, for which ssh2 has no name, exits as in a shell',
    async ([name, pty]) => {
      const notes: string[] = []
      const note = (_what: string, _detail: string, result: string) => void notes.push(result)
      const noted = await login(server, { note })
      expect(await run(noted, `ulimit -c 0; kill -${name} $$`, { pty })).toMatchObject({
        code: 128 + constants.signals[`SIG${name}`],
        signal: null,
      })
      expect(notes).toEqual(['done', 'begun', `signal ${name}`])
      noted.end()
    },
  )

  test('has its errors apart from its output', async () => {
    const { out, err } = await run(client, 'echo out; echo err >&2')
    expect([out.toString(), err.toString()]).toEqual(['out\n', 'err\n'])
  })

  test('reads and prints every byte as it is', async () => {
    const bytes = randomBytes(3_000_000)
    const channel = await exec(client, 'cat')
    const all = ended(channel)
    channel.end(bytes)
    const { out, code } = await all
    expect(out.equals(bytes)).toBe(true)
    expect(code).toBe(0)
  })

  test('can open /dev/stdin, /dev/stdout and /dev/stderr', async () => {
    const channel = await exec(
      client,
      'cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr',
    )
    const all = ended(channel)
    channel.end('in\n')
    const { out, err } = await all
    expect([out.toString(), err.toString()]).toEqual(['in\nout\n', 'err\n'])
  })

  test('sees the end of its input, and may go on printing', async () => {
    const channel = await exec(client, 'wc -c; sleep 0.1; echo later')
    const all = ended(channel)
    channel.end('12345')
    expect((await all).out.toString()).toBe('5\nlater\n')
  })

  test('may end before it has read everything', async () => {
    const channel = await exec(client, 'head -c 5')
    const all = ended(channel)
    channel.end(Buffer.alloc(8_000_000, 'x'))
    expect(await all).toMatchObject({ out: Buffer.from('xxxxx'), code: 0 })
  })

  test('prints and complains a lot at once', async () => {
    const lines = 300_000
    const { out, err, code } = await run(client, `seq 1 ${lines} & seq 1 ${lines} >&2; wait`)
    const expected = Array.from({ length: lines }, (_, i) => `${i + 1}\n`).join('')
    expect(out.toString() === expected).toBe(true)
    expect(err.toString() === expected).toBe(true)
    expect(code).toBe(0)
  })

  test('prints nothing twice, although first its output and then its errors had to wait', async () => {
    // Twice the window of SSH: the command stalls until the client reads.
    const size = 4 * 1024 * 1024
    const channel = await exec(
      client,
      `head -c ${size} /dev/zero; head -c ${size} /dev/zero >&2; head -c ${size} /dev/zero`,
    )
    await new Promise(resolve => setTimeout(resolve, 200))
    const counts = { out: 0, err: 0 }
    channel.on('data', (chunk: Buffer) => {
      counts.out += chunk.length
      if (counts.out === size) channel.pause()
    })
    await expect.poll(() => counts.out).toBe(size)
    await new Promise(resolve => setTimeout(resolve, 200))
    channel.stderr.on('data', (chunk: Buffer) => {
      counts.err += chunk.length
    })
    channel.resume()
    await new Promise(resolve => channel.once('close', resolve))
    expect(counts).toEqual({ out: 2 * size, err: size })
  })

  test('loses nothing, forty times', async () => {
    for (let i = 0; i < 40; i++) {
      const size = 1 + i * 997
      const { out, err, code } = await run(
        client,
        `head -c ${size} /dev/zero; head -c ${size} /dev/zero >&2; exit ${i}`,
      )
      expect([out.length, err.length, code]).toEqual([size, size, i])
    }
  }, 30_000)

  test('gets signals, and so does all that it started', async () => {
    const channel = await exec(
      client,
      'trap "echo caught; exit 9" TERM; sleep 60 & echo ready; wait',
    )
    const all = ended(channel)
    channel.once('data', () => channel.signal('TERM'))
    expect(await all).toMatchObject({ out: Buffer.from('ready\ncaught\n'), code: 9 })
  })

  test('is hung up where the client goes away', async () => {
    const channel = await exec(client, 'echo $$; exec sleep 60')
    const pid = await new Promise<number>(resolve => {
      channel.once('data', (chunk: Buffer) => resolve(Number(chunk)))
    })
    client.end()
    await gone(pid)
  })

  test('that does not exist exits with 127', async () => {
    const { code, err } = await run(client, '/no/such/program')
    expect(code).toBe(127)
    expect(err.toString()).toMatch(/not found|No such file/)
  })

  test('runs beside others on the same connection', async () => {
    const runs = Array.from({ length: 8 }, (_, i) => run(client, `sleep 0.1; echo ${i}; exit ${i}`))
    const results = await Promise.all(runs)
    expect(results.map(({ code }) => code)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })
})

describe('the environment', () => {
  test('is that of a login, with the name of the device, and nothing of the agent', async () => {
    process.env.NOTIFY_SOCKET = '/run/x'
    const { out } = await run(client, 'echo $BOX_DEVICE; pwd; /usr/bin/env')
    delete process.env.NOTIFY_SOCKET
    const [device, cwd, ...rest] = out.toString().trim().split('\n')
    expect([device, cwd]).toEqual(['kitchen', '/tmp'])
    const names = rest.map(line => line.split('=')[0])
    expect(names).toEqual(expect.arrayContaining(['HOME', 'USER', 'LOGNAME', 'SHELL', 'PATH']))
    for (const name of ['NOTIFY_SOCKET', 'NODE_OPTIONS', 'VITEST', 'NODE_ENV'])
      expect(names).not.toContain(name)
  })

  test('takes LANG and LC_* from the client, and no other variable', async () => {
    const env = { LANG: 'de_AT.UTF-8', LC_TIME: 'C', LD_PRELOAD: '/evil.so', PATH: '/evil' }
    const { out } = await run(client, 'echo $LANG $LC_TIME; echo [$LD_PRELOAD]; echo $PATH', {
      env,
    })
    const [locale, preload, path] = out.toString().split('\n')
    expect([locale, preload]).toEqual(['de_AT.UTF-8 C', '[]'])
    expect(path).not.toContain('evil')
  })
})

describe('a shell', () => {
  test('runs on a terminal of the size and kind the client has', async () => {
    const channel = await shell(client, { cols: 100, rows: 30, term: 'xterm-256color' })
    const all = ended(channel)
    channel.write('stty size; echo $TERM; tty; exit 7\n')
    const { out, code } = await all
    expect(out.toString()).toContain('30 100')
    expect(out.toString()).toContain('xterm-256color')
    expect(out.toString()).toMatch(/\/dev\/pts\/\d+/)
    expect(code).toBe(7)
  })

  test('is told when the window changes', async () => {
    const script = 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.02; done'
    const channel = await exec(client, script, { pty: { cols: 80, rows: 24 } })
    const all = ended(channel)
    await until(channel, 'ready')
    channel.setWindow(50, 132, 0, 0)
    expect((await all).out.toString()).toContain('50 132')
  })

  test('is a login shell, and ends with the exit code of its last command', async () => {
    const channel = await shell(client, { cols: 80, rows: 24, term: 'xterm' })
    const all = ended(channel)
    channel.write('shopt -q login_shell && echo log""in; (exit 3); exit\n')
    const { out, code } = await all
    expect(out.toString()).toContain('login\r\n')
    expect(code).toBe(3)
  })

  test('passes ^C on to what runs in it', async () => {
    const channel = await shell(client, { cols: 80, rows: 24, term: 'xterm' })
    const all = ended(channel)
    channel.write('PS1=pro""mpt; sleep 60\n')
    await new Promise(resolve => setTimeout(resolve, 200))
    channel.write('\u0003')
    await until(channel, 'prompt')
    channel.write('exit\n')
    expect((await all).code).toBe(130)
  })

  test('without a terminal reads commands from its input', async () => {
    const channel = await shell(client, false)
    const all = ended(channel)
    channel.end('echo $BOX_DEVICE\nexit 4\n')
    expect(await all).toMatchObject({ out: Buffer.from('kitchen\n'), code: 4 })
  })

  test('is hung up where the client goes away', async () => {
    const channel = await shell(client, { cols: 80, rows: 24, term: 'xterm' })
    channel.write('echo pid=$$=\n')
    const pid = Number(/pid=(\d+)=/.exec(await until(channel, /pid=\d+=/))![1])
    client.end()
    await gone(pid)
  })
})

describe('a command on a terminal', () => {
  test('loses none of its output, and its exit is told', async () => {
    const expected = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\r\n`).join('')
    for (let i = 0; i < 5; i++) {
      const { out, code } = await run(client, `seq 1 100000; exit ${i}`, { pty: true })
      expect(out.toString() === expected).toBe(true)
      expect(code).toBe(i)
    }
  }, 30_000)

  test('ended by a signal says so', async () => {
    const { code, signal } = await run(client, 'kill -TERM $$', { pty: true })
    expect([code, signal]).toEqual([null, 'SIGTERM'])
  })
})

/** What has been printed, once it has `wanted` in it. */
function until(channel: NodeJS.ReadableStream, wanted: string | RegExp): Promise<string> {
  let seen = ''
  return new Promise(resolve => {
    channel.on('data', (chunk: Buffer) => {
      seen += chunk
      if (typeof wanted === 'string' ? seen.includes(wanted) : wanted.test(seen)) resolve(seen)
    })
  })
}
