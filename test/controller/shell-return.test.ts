/** box ssh --resume against the SSH server of a device: which shell is taken, and what is said where there is none. */

import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { SshServer } from '../../agent/ssh-server.ts'
import type { Context } from '../../controller/context.ts'
import type { DeviceShell } from '../../controller/device-shell.ts'
import { Output } from '../../controller/output.ts'
import { lastingShell, listShells, resumedShell } from '../../controller/shell-return.ts'
import { login } from '../../controller/ssh-client.ts'
import { BoxError } from '../../src/base/errors.ts'
import { KEEP_VARIABLE } from '../../src/box/kept-shells.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { CALLER, KEYS, newServer, streamPair } from '../agent/ssh-fixture.ts'
import { seededRandom } from '../sim/random.ts'

let server: SshServer
beforeEach(() => {
  server = newServer()
})
afterEach(() => server.close())

async function connect() {
  const [near, far] = streamPair()
  void server.serve(far, CALLER)
  const ssh = await login({
    ...{ stream: near, user: 'box', privateKey: KEYS.private, accepts: () => true },
    clock: systemClock,
  })
  const shell = {
    ssh,
    user: null,
    session: { device: { name: 'kitchen' } },
  } as unknown as DeviceShell
  return { shell, ssh, cut: () => void near.destroy() }
}

/** What a command is given, and what it said. `typed` is its standard input. */
function person(typed = '', json = false) {
  const said = { out: '', err: '' }
  const sink = (name: 'out' | 'err') => ({
    isTerminal: false,
    write: (bytes: string | Uint8Array) => {
      said[name] += typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()
    },
  })
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()]
  output.on('data', bytes => sink('out').write(bytes))
  input.end(typed)
  const context = {
    ...{ clock: systemClock, random: seededRandom(1), signal: new AbortController().signal },
    output: new Output({ json, out: sink('out'), err: sink('err'), clock: systemClock }),
    stdio: { input, output, errors, isTerminal: false },
  } as unknown as Context
  return { context, said }
}

const never = () => Promise.reject(new Error('not asked for'))

async function lost(id: string): Promise<void> {
  const { ssh, cut } = await connect()
  const remote = await ssh.start({
    ...{ line: null, terminal: { rows: 24, columns: 80, kind: 'xterm' } },
    environment: { [KEEP_VARIABLE]: id },
  })
  remote.input.write(`name=${id}\n`)
  await new Promise(resolve => remote.output.once('data', resolve))
  const before = server.keptShells
  cut()
  await vi.waitUntil(() => server.keptShells > before, { timeout: 8_000 })
}

test('takes the one that was lost last, says how to choose another, and ends with its exit code', async () => {
  await lost('aaaaaaaa')
  await lost('bbbbbbbb')
  const { shell } = await connect()
  const { context, said } = person('echo "<$name>"; exit 3\n')
  expect(await resumedShell(context, shell, '', never)).toBe(3)
  expect(said.out).toContain('<bbbbbbbb>')
  expect(said.err).toMatch(
    /^2 shells are kept on kitchen; .*\n {2}box ssh --resume=aaaaaaaa kitchen {2}\(bash, lost \d+ s ago\)\n$/,
  )
  const other = person('echo "<$name>"; exit 4\n')
  expect(await resumedShell(other.context, shell, 'aaaaaaaa', never)).toBe(4)
  expect(other.said.out).toContain('<aaaaaaaa>')
  shell.ssh.destroy()
})

test('lists them as JSON', async () => {
  await lost('aaaaaaaa')
  const { shell } = await connect()
  const { context, said } = person('', true)
  await listShells(context, shell)
  expect(JSON.parse(said.out)).toMatchObject({
    name: 'kitchen',
    keep_minutes: 1,
    shells: [{ id: 'aaaaaaaa', state: 'kept', program: 'bash' }],
  })
  shell.ssh.destroy()
})

test('says where none is kept, where a name is none, and where it is not known', async () => {
  const { shell } = await connect()
  for (const [wanted, code] of [
    ['', 'SHELL_UNKNOWN'],
    ['zzzzzzzz', 'SHELL_UNKNOWN'],
    ['kitchen', 'INPUT_INVALID'],
  ] as const)
    await expect(resumedShell(person().context, shell, wanted, never)).rejects.toMatchObject({
      code,
    })
  shell.ssh.destroy()
})

test('says that the shell is kept, and how to come back, when it is lost again', async () => {
  await lost('aaaaaaaa')
  const { shell, ssh, cut } = await connect()
  const { context } = person('echo rea""dy\n')
  const going = resumedShell(context, shell, 'aaaaaaaa', never)
  going.catch(() => {})
  let seen = ''
  context.stdio.output.on('data', bytes => {
    seen += bytes
  })
  await vi.waitUntil(() => seen.includes('ready'), { timeout: 8_000 })
  // Asked beside it, a moment later.
  await ssh.subsystem('box-shells')
  cut()
  await expect(going).rejects.toMatchObject({
    code: 'CHANNEL_LOST',
    detail: 'Your shell is kept for 1 min: `box ssh --resume kitchen` goes on with it.',
  })
})

/** Somebody at a terminal. */
function atTerminal() {
  const { context, said } = person()
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    isRaw: false,
    setRawMode: () => {},
  })
  const output = Object.assign(new PassThrough(), { rows: 24, columns: 80 })
  output.on('data', bytes => {
    said.out += bytes
  })
  Object.assign(context, { stdio: { ...context.stdio, input, output, isTerminal: true } })
  const until = (wanted: RegExp) => vi.waitUntil(() => wanted.exec(said.out), { timeout: 15_000 })
  return { context, said, until, type: (text: string) => void input.write(text) }
}

test('comes back to the same shell by itself, and ends with its exit code', async () => {
  const first = await connect()
  const { context, said, until, type } = atTerminal()
  let cut = first.cut
  let asked = 0
  const going = lastingShell(context, first.shell, async () => {
    // The device is away for a moment.
    if (asked++ === 0) throw new BoxError('PEER_UNREACHABLE')
    const next = await connect()
    cut = next.cut
    return next.shell
  })
  type('secret=4711; echo pid=$$=\n')
  const [, pid] = (await until(/pid=(\d+)=/))!
  await vi.waitUntil(() => said.out.includes(`pid=${pid}=`))
  for (const round of [1, 2]) {
    // What it asks beside the shell is a moment behind it.
    await new Promise(resolve => setTimeout(resolve, 500))
    cut()
    await vi.waitUntil(() => asked === round + 1, { timeout: 15_000 })
    type(`echo "${round}<$$ $secret>"\n`)
    await until(new RegExp(`${round}<${pid} 4711>`))
  }
  expect(said.err).toContain(
    'The connection to kitchen is lost. Looking for your shell; ^C leaves it there, for 1 min.\n',
  )
  type('exit 9\n')
  expect(await going).toBe(9)
}, 60_000)

test('says so where the device is back, and has the shell no more', async () => {
  const first = await connect()
  const { context, until, type } = atTerminal()
  const going = lastingShell(context, first.shell, async () => {
    await server.close()
    server = newServer()
    return (await connect()).shell
  })
  going.catch(() => {})
  type('echo rea""dy\n')
  await until(/ready/)
  await new Promise(resolve => setTimeout(resolve, 500))
  first.cut()
  await expect(going).rejects.toMatchObject({ code: 'SHELL_UNKNOWN' })
}, 30_000)

test('leaving hangs up what runs, and waits for nobody who is gone', async () => {
  const { ssh } = await connect()
  const remote = await ssh.start({
    ...{ line: null, terminal: { rows: 24, columns: 80, kind: 'xterm' } },
    environment: { [KEEP_VARIABLE]: 'aaaaaaaa' },
  })
  await new Promise(resolve => remote.output.once('data', resolve))
  await ssh.leave(systemClock)
  await vi.waitUntil(() => server.size === 0, { timeout: 8_000 })
  expect(server.keptShells).toBe(0)
  const begun = performance.now()
  await ssh.leave(systemClock)
  expect(performance.now() - begun).toBeLessThan(500)
})
