/** Shells that outlive their connection: who gets them back, how, for how long. */

import type { Duplex } from 'node:stream'
import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ownAccount } from '../../agent/environment.ts'
import { type Caller, SshServer } from '../../agent/ssh-server.ts'
import { silentLog } from '../../src/base/log.ts'
import {
  KEEP_VARIABLE,
  type KeptShells,
  parseShells,
  RESUME_VARIABLE,
  SHELLS_SUBSYSTEM,
} from '../../src/box/kept-shells.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'
import { SkippingClock } from './skipping-clock.ts'
import {
  CALLER,
  connectOver,
  ended,
  gone,
  hostKey,
  NOBODY,
  shell,
  streamPair,
  subsystem,
} from './ssh-fixture.ts'

/** The machine may be busy. */
const WITHIN = { timeout: 8_000 }
const KEEP_MS = 1_800_000
const WINDOW = { cols: 80, rows: 24, term: 'xterm' }
const OTHER = ZoneSecret.generate('EDKEY', seededRandom(9)).zone

let clock: SkippingClock
let server: SshServer
let notes: string[][]

const newServer = (keepShellsMs: number) => {
  const account = { ...ownAccount('/bin/bash'), home: '/tmp' }
  const options = {
    account,
    clock,
    log: silentLog,
    keepShellsMs,
    recorder: null,
    approvals: NOBODY,
    custody: null,
  }
  return new SshServer({ hostKey: hostKey.secret, ...options })
}

beforeEach(() => {
  clock = new SkippingClock()
  notes = []
  server = newServer(KEEP_MS)
})
afterEach(() => server.close())

interface Line {
  readonly client: Client
  /** Cut, nobody having said anything. */
  cut(): void
}

async function connect(caller: Partial<Caller> = {}): Promise<Line> {
  const [near, far]: [Duplex, Duplex] = streamPair()
  const note: Caller['note'] = (...words) => void notes.push(words.slice(0, 3) as string[])
  void server.serve(far, { ...CALLER, note, ...caller })
  const client = await connectOver(near)
  client.on('error', () => {})
  return { client, cut: () => void near.destroy() }
}

const open = ({ client }: Line, keep: string) =>
  shell(client, WINDOW, { env: { [KEEP_VARIABLE]: keep } })
const resume = ({ client }: Line, id: string, window = WINDOW) =>
  shell(client, window, { env: { [RESUME_VARIABLE]: id } })

async function list({ client }: Line): Promise<KeptShells> {
  const channel = await subsystem(client, SHELLS_SUBSYSTEM)
  return parseShells((await ended(channel)).out.toString())
}

/** All that a shell shows. */
function screen(channel: ClientChannel) {
  let seen = ''
  channel.on('data', (chunk: Buffer) => {
    seen += chunk
  })
  return {
    text: () => seen,
    until: (wanted: RegExp) => vi.waitUntil(() => wanted.exec(seen), WITHIN),
  }
}

/** A shell that has been opened, used, and lost; its process id. */
async function lost(keep: string, caller: Partial<Caller> = {}): Promise<number> {
  const line = await connect(caller)
  const channel = await open(line, keep)
  const { until } = screen(channel)
  channel.write("PS1='>> '; secret=4711; echo pid=$$=\n")
  const [, pid] = (await until(/pid=(\d+)=/))!
  const before = server.keptShells
  line.cut()
  await vi.waitUntil(() => server.keptShells > before, WITHIN)
  return Number(pid)
}

describe('a shell whose connection is lost', () => {
  test('is the same one when its owner comes back: process, variables, screen, exit code', async () => {
    const pid = await lost('aaaaaaaa')
    const line = await connect()
    expect((await list(line)).shells).toMatchObject([
      { id: 'aaaaaaaa', state: 'kept', program: 'bash' },
    ])
    const channel = await resume(line, 'aaaaaaaa', { ...WINDOW, cols: 100, rows: 30 })
    const { until } = screen(channel)
    await until(new RegExp(`pid=${pid}=[^]*>> `))
    // For a moment its window is smaller, so that it draws itself again.
    channel.write('until [ "$(stty size)" = "30 100" ]; do sleep 0.05; done\n')
    channel.write('echo "<$$ $secret>"; exit 7\n')
    const end = ended(channel)
    await until(new RegExp(`<${pid} 4711>`))
    expect((await end).code).toBe(7)
    const isForgotten = async () => (await list(line)).shells.length === 0
    await vi.waitUntil(isForgotten, WITHIN)
    const told = notes.map(([what, detail, result]) => `${what} ${detail} ${result}`)
    expect(told.filter(note => note.startsWith('shell'))).toEqual([
      'shell aaaaaaaa begun',
      'shell aaaaaaaa kept',
      'shell aaaaaaaa resumed',
      'shell aaaaaaaa exit 7',
    ])
  })

  test('runs on meanwhile, however much it prints, and the last of that is shown', async () => {
    const line = await connect()
    const channel = await open(line, 'aaaaaaaa')
    const { until } = screen(channel)
    channel.write("sleep 0.3; seq 1 200000; echo all''printed; tail -f /dev/null\n")
    await until(/all''printed/)
    line.cut()
    const again = await connect()
    await vi.waitUntil(() => server.keptShells === 1, WITHIN)
    const running = async () => (await list(again)).shells[0]?.program
    await vi.waitUntil(async () => (await running()) === 'tail', { timeout: 15_000 })
    const { until: seen, text } = screen(await resume(again, 'aaaaaaaa'))
    await seen(/\r\n199999\r\n200000\r\nallprinted\r\n/)
    expect(text().length).toBeLessThan(70_000)
  })

  test('has what runs in it draw itself again, although the window is as it was', async () => {
    const line = await connect()
    const channel = await open(line, 'aaaaaaaa')
    // A program of its own: the terminal tells its foreground of a new size, and nobody else.
    const program = 'trap "echo drawn" WINCH; echo rea""dy; while :; do sleep 0.02; done'
    channel.write(`bash -c '${program}'\n`)
    await screen(channel).until(/ready/)
    line.cut()
    await vi.waitUntil(() => server.keptShells === 1, WITHIN)
    const again = await connect()
    await screen(await resume(again, 'aaaaaaaa')).until(/drawn\r\n/)
  })

  test('that ends while nobody looks still tells its exit code', async () => {
    const line = await connect()
    const channel = await open(line, 'aaaaaaaa')
    channel.write('echo rea""dy; sleep 0.3; exit 5\n')
    await screen(channel).until(/ready/)
    line.cut()
    const again = await connect()
    const hasEnded = async () => (await list(again)).shells[0]?.state === 'ended'
    await vi.waitUntil(hasEnded, WITHIN)
    expect((await ended(await resume(again, 'aaaaaaaa'))).code).toBe(5)
  })

  test('can be lost and found again and again', async () => {
    const pid = await lost('aaaaaaaa')
    for (let i = 0; i < 3; i++) {
      const line = await connect()
      const channel = await resume(line, 'aaaaaaaa')
      channel.write(`echo round${i}=$$=\n`)
      await screen(channel).until(new RegExp(`round${i}=${pid}=`))
      line.cut()
      await vi.waitUntil(() => server.keptShells === 1, WITHIN)
    }
  })

  test('is let go after the time for which it is kept', async () => {
    const pid = await lost('aaaaaaaa')
    clock.skip()
    await gone(pid)
    expect(notes.at(-1)).toEqual(['shell', 'aaaaaaaa', 'let go'])
    const line = await connect()
    expect((await list(line)).shells).toEqual([])
    await expect(resume(line, 'aaaaaaaa')).rejects.toThrow()
  })

  test('ends when its owner is expelled, when its right is gone, and when the agent ends', async () => {
    const expelled = await lost('aaaaaaaa')
    server.expel(CALLER.zone)
    await gone(expelled)
    let mayOpen = true
    const revoked = await lost('bbbbbbbb', { allows: () => mayOpen })
    mayOpen = false
    // The look that is taken every 20 s.
    ;(server as unknown as { look(): void }).look()
    await gone(revoked)
    const last = await lost('cccccccc')
    await server.close()
    await gone(last)
  })

  test('is none of anybody else, and none of whoever may open no shells', async () => {
    await lost('aaaaaaaa')
    const other = await connect({ zone: OTHER })
    expect((await list(other)).shells).toEqual([])
    await expect(resume(other, 'aaaaaaaa')).rejects.toThrow()
    const unable = await connect({ allows: right => right !== 'shell' })
    await expect(list(unable)).rejects.toThrow()
    await expect(resume(unable, 'aaaaaaaa')).rejects.toThrow()
    expect(server.keptShells).toBe(1)
  })

  test('makes room for the ninth of the same owner', async () => {
    const pids: number[] = []
    for (let i = 0; i < 9; i++) pids.push(await lost(`aaaaaaa${i}`))
    await gone(pids[0]!)
    expect(server.keptShells).toBe(8)
  }, 40_000)
})

describe('a shell is not kept', () => {
  const endsWith = async (line: Line, channel: ClientChannel, leave: () => void) => {
    channel.write('echo pid=$$=\n')
    const [, pid] = (await screen(channel).until(/pid=(\d+)=/))!
    leave()
    await gone(Number(pid))
    expect(server.keptShells).toBe(0)
    line.client.destroy()
  }

  test('where its client leaves in good order', async () => {
    const line = await connect()
    const channel = await open(line, 'aaaaaaaa')
    await endsWith(line, channel, () => void channel.close())
    const second = await connect()
    await endsWith(second, await open(second, 'bbbbbbbb'), () => void second.client.end())
  })

  test('where its client has not asked for it, as stock OpenSSH', async () => {
    const line = await connect()
    await endsWith(line, await shell(line.client, WINDOW), () => line.cut())
  })

  test('where the device is set to keep none', async () => {
    server = newServer(0)
    const line = await connect()
    await endsWith(line, await open(line, 'aaaaaaaa'), () => line.cut())
  })

  test('where its name is no name', async () => {
    const line = await connect()
    await endsWith(line, await open(line, '../../etc'), () => line.cut())
  })
})

test('a shell that is open on a silent connection is taken over', async () => {
  const first = await connect()
  const channel = await open(first, 'aaaaaaaa')
  const firstEnd = ended(channel)
  channel.write('secret=4711; echo rea""dy\n')
  await screen(channel).until(/ready/)
  const second = await connect()
  expect((await list(second)).shells).toMatchObject([{ id: 'aaaaaaaa', state: 'open' }])
  const taken = await resume(second, 'aaaaaaaa')
  const { out, signal } = await firstEnd
  expect([out.toString(), signal]).toEqual([expect.stringContaining('taken over'), 'SIGHUP'])
  first.client.end()
  taken.write('echo "<$secret>"; exit 6\n')
  expect(await ended(taken)).toMatchObject({ code: 6 })
})
