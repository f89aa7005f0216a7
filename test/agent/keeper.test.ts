/** Shells that outlive the process of the agent: a keeper holds them, agents end and crash, others come. */

import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ENDED_FILE } from '../../agent/keeper/ended-shells.ts'
import { KEEPER_VERSIONS, wordsMessage } from '../../agent/keeper/words.ts'
import { foregroundName } from '../../agent/process-group.ts'
import type { Log } from '../../src/base/log.ts'
import { KEEP_VARIABLE, RESUME_VARIABLE } from '../../src/box/kept-shells.ts'
import { listenUnix } from '../../src/sys/unix-socket.ts'
import { KEEP_MS, KeeperHouse, SimulatedAgent, type SimulatedAgentOptions } from './keeper-house.ts'
import { SkippingClock } from './skipping-clock.ts'
import { CALLER, ended, gone, shell } from './ssh-fixture.ts'

/** The machine may be busy. */
const WITHIN = { timeout: 10_000 }
const WINDOW = { cols: 80, rows: 24, term: 'xterm' }

let clock: SkippingClock
let house: KeeperHouse
let agents: SimulatedAgent[]
let said: string[]

const log: Log = {
  note: (_level, area, message, fields = {}) =>
    void said.push(`${area}: ${message} ${JSON.stringify(fields)}`),
}

beforeEach(() => {
  clock = new SkippingClock()
  house = new KeeperHouse(clock)
  agents = []
  said = []
})
afterEach(async () => {
  for (const agent of agents) await agent.stop()
  house.close()
})

async function newAgent(options: Partial<SimulatedAgentOptions> = {}): Promise<SimulatedAgent> {
  const agent = await SimulatedAgent.start(house, { log, ...options })
  agents.push(agent)
  return agent
}

const open = (client: Client, id: string) => shell(client, WINDOW, { env: { [KEEP_VARIABLE]: id } })
const resume = (client: Client, id: string) =>
  shell(client, WINDOW, { env: { [RESUME_VARIABLE]: id } })

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

/** A shell that is open on this agent; its process id. */
async function atPrompt(agent: SimulatedAgent, id = 'aaaaaaaa') {
  const { client, cut } = await agent.connect()
  const channel = await open(client, id)
  const { until } = screen(channel)
  channel.write("PS1='>> '; secret=4711; echo pid=$$=\n")
  const [, pid] = (await until(/pid=(\d+)=/))!
  return { client, channel, cut, until, pid: Number(pid) }
}

/** The same shell, with the next agent. */
async function expectSame(agent: SimulatedAgent, pid: number, id = 'aaaaaaaa') {
  const { client } = await agent.connect()
  const channel = await resume(client, id)
  const { until } = screen(channel)
  await until(new RegExp(`pid=${pid}=`))
  channel.write('echo "<$$ $secret>"\n')
  await until(new RegExp(`<${pid} 4711>`))
  return { client, channel, until }
}

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a shell whose agent', () => {
  test('ends in good order is the same one with the next: process, variables, screen, exit code', async () => {
    const first = await newAgent()
    const { pid, channel } = await atPrompt(first)
    const end = ended(channel)
    await first.stop()
    // Its client hears of no exit: the shell has not ended.
    expect(await end).toMatchObject({ code: null, signal: null })
    const second = await newAgent()
    expect(second.server.keptShells).toBe(1)
    const again = await expectSame(second, pid)
    again.channel.write('exit 7\n')
    expect(await ended(again.channel)).toMatchObject({ code: 7 })
    await vi.waitUntil(() => second.notes.length === 2, WITHIN)
    expect([...first.notes, ...second.notes]).toEqual([
      ...['aaaaaaaa begun', 'aaaaaaaa kept', 'aaaaaaaa resumed', 'aaaaaaaa exit 7'],
    ])
    expect(house.starts).toBe(1)
  })

  test('crashes is the same one, again and again, and the journal says since when it was kept', async () => {
    const first = await newAgent()
    const { pid } = await atPrompt(first)
    await first.crash()
    for (let i = 0; i < 3; i++) {
      const next = await newAgent()
      expect(next.notes).toEqual(['aaaaaaaa kept before'])
      await expectSame(next, pid)
      await next.crash()
    }
  })

  test('is away runs on meanwhile, however much it prints, and the last of that is shown', async () => {
    const first = await newAgent()
    const { channel, until, pid } = await atPrompt(first)
    channel.write("sleep 0.3; seq 1 200000; echo all''printed; tail -f /dev/null\n")
    await until(/all''printed/)
    await first.crash()
    await vi.waitUntil(() => foregroundName(pid) === 'tail', WITHIN)
    const second = await newAgent()
    const { client } = await second.connect()
    const seen = screen(await resume(client, 'aaaaaaaa'))
    await seen.until(/\r\n199999\r\n200000\r\nallprinted\r\n/)
    expect(seen.text().length).toBeLessThan(70_000)
  })

  test('was away when it ended, still tells its exit code, and the journal when that was', async () => {
    const first = await newAgent()
    const { channel, until, pid } = await atPrompt(first)
    channel.write("echo rea''dy; sleep 0.3; exit 5\n")
    await until(/ready/)
    await first.stop()
    await gone(pid)
    const second = await newAgent()
    const { client } = await second.connect()
    expect(await ended(await resume(client, 'aaaaaaaa'))).toMatchObject({ code: 5 })
    expect(second.notes).toEqual(['aaaaaaaa resumed', 'aaaaaaaa exit 5'])
  })

  test('does not come back ends when its time is over; the next one notes it', async () => {
    const first = await newAgent()
    const { pid } = await atPrompt(first)
    await first.crash()
    await vi.waitUntil(() => house.keeper !== null)
    await new Promise(resolve => setTimeout(resolve, 50))
    clock.skip()
    await gone(pid)
    await vi.waitUntil(() => house.keeper === null, WITHIN)
    const second = await newAgent()
    expect(second.notes).toEqual(['aaaaaaaa let go before'])
    expect(second.server.keptShells).toBe(0)
    const third = await newAgent()
    expect(third.notes).toEqual([])
  })

  test('comes back without the right of its owner ends at once', async () => {
    const first = await newAgent()
    const { pid } = await atPrompt(first)
    await first.stop()
    const second = await newAgent({ allows: () => false })
    await gone(pid)
    expect(second.notes).toEqual(['aaaaaaaa let go'])
  })

  test('comes back with its owner expelled ends, as one that is kept', async () => {
    const first = await newAgent()
    const { pid } = await atPrompt(first)
    await first.stop()
    const second = await newAgent()
    second.server.expel(CALLER.zone)
    await gone(pid)
    expect(second.notes).toEqual(['aaaaaaaa let go'])
  })

  test('comes back and keeps none any more ends', async () => {
    const first = await newAgent()
    const { pid } = await atPrompt(first)
    await first.stop()
    await newAgent({ keepMs: 0 })
    await gone(pid)
  })

  test('is reset ends with it', async () => {
    const first = await newAgent()
    const { pid, cut } = await atPrompt(first)
    cut()
    await vi.waitUntil(() => first.server.keptShells === 1, WITHIN)
    await first.server.close({ endShells: true })
    await gone(pid)
  })

  test('is away has the rest of its time only, counted from when its owner was lost', async () => {
    const first = await newAgent()
    const { cut } = await atPrompt(first)
    cut()
    await vi.waitUntil(() => first.server.keptShells === 1, WITHIN)
    await new Promise(resolve => setTimeout(resolve, 300))
    await first.stop()
    const second = await newAgent()
    const [left] = second.keeper.left
    expect(left!.held.silentMs).toBeGreaterThanOrEqual(250)
    expect(left!.held.cutOffAt).toBeNull()
  })
})

describe('the keeper', () => {
  test('is started by nobody who keeps nothing, and serves all shells of an agent', async () => {
    const none = await newAgent({ keepMs: 0 })
    const { client } = await none.connect()
    const channel = await open(client, 'aaaaaaaa')
    channel.write('exit 3\n')
    expect(await ended(channel)).toMatchObject({ code: 3 })
    expect(house.starts).toBe(0)
    const agent = await newAgent()
    const both = await Promise.all([atPrompt(agent, 'bbbbbbbb'), atPrompt(agent, 'cccccccc')])
    expect(house.starts).toBe(1)
    expect(both[0].pid).not.toBe(both[1].pid)
    // Not that of stock OpenSSH, which comes back for none.
    const stock = await shell(both[0].client, WINDOW)
    stock.write('ps -o ppid= -p $$ | tr -d " "; exit\n')
    await ended(stock)
  })

  test('ends when it holds nothing: after a while, or at once where the agent has gone', async () => {
    const agent = await newAgent()
    const { channel } = await atPrompt(agent)
    channel.write('exit\n')
    await ended(channel)
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(house.keeper).not.toBeNull()
    clock.skip()
    await vi.waitUntil(() => house.keeper === null, WITHIN)
    const again = await atPrompt(agent)
    expect(house.starts).toBe(2)
    again.channel.write('exit\n')
    await ended(again.channel)
    await agent.stop()
    await vi.waitUntil(() => house.keeper === null, WITHIN)
  })

  test('can be reached by the owner of the directory only', async () => {
    const agent = await newAgent()
    await atPrompt(agent)
    expect(statSync(house.socket).mode & 0o777).toBe(0o600)
    expect(statSync(house.directory).mode & 0o777).toBe(0o700)
  })

  test('that is gone takes its shells with it: who looks is told so, and the agent goes on', async () => {
    const agent = await newAgent()
    const { channel, pid, until } = await atPrompt(agent)
    const end = ended(channel)
    house.keeper!.close()
    await until(/This shell has ended: the process that held it is gone/)
    expect(await end).toMatchObject({ signal: 'SIGHUP' })
    await gone(pid)
    expect(said.join('\n')).toContain('keeper: the keeper of shells has ended')
    // The next shell starts another.
    await atPrompt(agent, 'bbbbbbbb')
    expect(house.starts).toBe(2)
  })

  test('that cannot be started leaves shells as they were: they outlive their connection', async () => {
    const start = () => ({ exited: Promise.resolve() })
    Object.assign(house, { start })
    const agent = await newAgent()
    const { pid, cut } = await atPrompt(agent)
    expect(said.join('\n')).toContain('keeper: a shell will end with this process')
    cut()
    await vi.waitUntil(() => agent.server.keptShells === 1, WITHIN)
    await expectSame(agent, pid)
    await agent.stop()
    await gone(pid)
  })

  test('of another version is left alone, and the agent says why', async () => {
    const listener = await listenUnix(house.socket, stream => ({
      opened: () => {},
      received: () => {
        stream.write(wordsMessage({ say: 'refused', why: 'version', versions: [7] }))
        stream.close()
      },
      drained: () => {},
      closed: () => {},
    }))
    const agent = await newAgent()
    expect(said.join('\n')).toMatch(/another version \(it speaks 7, this agent 1\)/)
    await atPrompt(agent)
    expect(agent.server.keptShells).toBe(0)
    listener.close()
  })

  test('says to an agent of another version which one it speaks', async () => {
    const agent = await newAgent()
    const { pid } = await atPrompt(agent)
    const answer = await house.ask({ do: 'line', versions: [99], keepMs: KEEP_MS })
    expect(answer).toEqual({ say: 'refused', why: 'version', versions: KEEPER_VERSIONS })
    expect(alive(pid)).toBe(true)
    await agent.stop()
    await expectSame(await newAgent(), pid)
  })

  test('that is stuck does not keep the device from starting', async () => {
    const listener = await listenUnix(house.socket, () => ({
      opened: () => {},
      received: () => {},
      drained: () => {},
      closed: () => {},
    }))
    await newAgent()
    expect(said.join('\n')).toContain('does not answer')
    listener.close()
  }, 20_000)

  test('is unharmed by nonsense, and by who asks for what is not there', async () => {
    const agent = await newAgent()
    const { pid, channel, until } = await atPrompt(agent)
    await house.say(Buffer.alloc(3))
    await house.say(Buffer.alloc(100_000, 1))
    await house.say(Buffer.from([0, 5, 0xbd, 0xe8, 0x7b]))
    await house.say(Buffer.from([0, 5, 0xbd, 0xe9, 0x7b]))
    expect(await house.ask({ do: 'attach', shell: 99 })).toMatchObject({ say: 'refused' })
    await house.ask({ do: 'end', shell: 1 })
    expect(alive(pid)).toBe(true)
    channel.write("echo wel''l\n")
    await until(/well/)
  })

  test('ends its shells where the socket is gone: nobody can come back', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    try {
      const agent = await newAgent()
      const { pid } = await atPrompt(agent)
      await agent.crash()
      rmSync(house.socket)
      await vi.advanceTimersByTimeAsync(20_000)
      vi.useRealTimers()
      await gone(pid)
      expect(house.keeper).toBeNull()
    } finally {
      vi.useRealTimers()
    }
  })

  test('hands a shell over whole to who reads slowly, and holds it back meanwhile', async () => {
    const agent = await newAgent()
    const { client } = await agent.connect()
    const channel = await open(client, 'aaaaaaaa')
    // More than the client's window: something has to wait.
    channel.write('stty -echo -onlcr; PS1=; exec seq 1 600000\n')
    const end = ended(channel)
    channel.pause()
    await new Promise(resolve => setTimeout(resolve, 500))
    channel.resume()
    const { out, code } = await end
    const numbers = Array.from({ length: 600_000 }, (_, i) => `${i + 1}\n`).join('')
    expect(out.toString().endsWith(numbers)).toBe(true)
    expect(code).toBe(0)
  }, 60_000)

  test('can end a shell that reads nothing of what was typed', async () => {
    const agent = await newAgent()
    const { channel, client, pid } = await atPrompt(agent)
    channel.write('stty raw -echo; sleep 1000\n')
    channel.write(Buffer.alloc(1_000_000, 'x'))
    await new Promise(resolve => setTimeout(resolve, 300))
    channel.close()
    await gone(pid)
    client.end()
  })

  test('whose list of what ended is damaged harms no agent', async () => {
    writeFileSync(
      join(house.directory, ENDED_FILE),
      '{"label":"x","at":1,"exit":null}\n\0\n{"label":7}\n[]\nnull\n{"label":"{}","at":1,"exit":{"code":1}}\n{"la',
    )
    const agent = await newAgent()
    expect(agent.notes).toEqual([])
    expect(() => readFileSync(join(house.directory, ENDED_FILE))).toThrow()
  })
})
