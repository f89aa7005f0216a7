/** Sessions of SSH in which nothing may begin: what becomes of them, and of the next ones. */

import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SshServer } from '../../agent/ssh-server.ts'
import type { Right } from '../../src/box/grant.ts'
import { World } from '../sim/world.ts'
import { ended, exec, login, newServer, run, shell, subsystem } from './ssh-fixture.ts'

const SESSIONS_MAX = 10

/** What ssh2 keeps. */
interface Insides {
  readonly _chanMgr: { readonly _channels: Readonly<Record<number, ClientChannel>> }
  readonly _protocol: {
    exec(id: number, command: string, wantsReply: boolean): void
    shell(id: number, wantsReply: boolean): void
  }
}
interface ChannelInsides {
  readonly outgoing: { readonly id: number }
  readonly _callbacks: ((isRefused: boolean) => void)[]
}

const insides = (client: Client) => client as unknown as Insides
const channelsOf = (client: Client): ClientChannel[] =>
  Object.values(insides(client)._chanMgr._channels)

/** Asks for a command on a channel on which something else was refused. */
const execOn = (client: Client, channel: ClientChannel, command: string): Promise<boolean> =>
  new Promise(resolve => {
    const { outgoing, _callbacks } = channel as unknown as ChannelInsides
    _callbacks.push(isRefused => resolve(!isRefused))
    insides(client)._protocol.exec(outgoing.id, command, true)
  })

/** The channel on which it is refused. */
async function refused(client: Client, name = 'sftp'): Promise<ClientChannel> {
  const before = new Set(channelsOf(client))
  await expect(subsystem(client, name)).rejects.toThrow()
  return channelsOf(client).find(channel => !before.has(channel))!
}

const closing = (channel: ClientChannel): Promise<void> =>
  new Promise(resolve => {
    channel.resume()
    channel.once('close', () => resolve())
  })

describe('a session that was refused', () => {
  let server: SshServer
  let client: Client
  const may = (...rights: Right[]) => login(server, { allows: right => rights.includes(right) })

  beforeEach(async () => {
    server = newServer()
    client = await may('exec')
  })
  afterEach(async () => {
    client.end()
    await server.close()
  })

  test.for([
    ['shells', 'exec', (one: Client) => shell(one, false)],
    ['commands', 'shell', (one: Client) => exec(one, 'true')],
    ['files', 'exec', (one: Client) => subsystem(one, 'sftp')],
    ['what nobody knows', 'exec', (one: Client) => subsystem(one, 'netconf')],
  ] as const)('of %s takes no place', async ([, right, ask]) => {
    const one = await may(right)
    for (let i = 0; i < 3 * SESSIONS_MAX; i++) await expect(ask(one)).rejects.toThrow()
    const begin = () => (right === 'exec' ? exec(one, 'cat') : shell(one, false))
    const open = await Promise.all(Array.from({ length: SESSIONS_MAX }, begin))
    await expect(begin()).rejects.toThrow('open failure')
    for (const channel of open) channel.end()
    const codes = (await Promise.all(open.map(ended))).map(({ code }) => code)
    expect(codes).toEqual(Array(SESSIONS_MAX).fill(0))
    one.end()
  })

  test('whose client wants no answer ends nothing', async () => {
    const channel = await refused(client)
    insides(client)._protocol.shell((channel as unknown as ChannelInsides).outgoing.id, false)
    expect(String((await run(client, 'echo here')).out)).toBe('here\n')
  })

  test('is open for something else, as PuTTY asks for scp where it gets no SFTP', async () => {
    const channel = await refused(client)
    expect(await execOn(client, channel, 'cat; exit 5')).toBe(true)
    const code = new Promise(resolve => channel.once('exit', resolve))
    const all = ended(channel)
    channel.end('here')
    expect([String((await all).out), await code]).toEqual(['here', 5])
  })

  test('and has begun afterwards is not closed where a place is needed', async () => {
    const channel = await refused(client)
    expect(await execOn(client, channel, 'cat')).toBe(true)
    const others = Array.from({ length: SESSIONS_MAX - 1 }, () => exec(client, 'cat'))
    await Promise.all(others)
    await expect(exec(client, 'cat')).rejects.toThrow('open failure')
    const all = ended(channel)
    channel.end('here')
    expect(String((await all).out)).toBe('here')
  })

  test('is closed where a place is needed, and what is asked for on it then is nothing', async () => {
    const first = await refused(client)
    for (let i = 1; i < SESSIONS_MAX; i++) await refused(client)
    const closed = closing(first)
    const running = run(client, 'exit 5')
    void execOn(client, first, 'echo here')
    await closed
    expect((await running).code).toBe(5)
    expect(channelsOf(client)).toHaveLength(SESSIONS_MAX - 1)
  })

  test('is closed on both sides where the client closes it', async () => {
    const channel = await refused(client)
    const closed = closing(channel)
    channel.close()
    await closed
    expect((await run(client, 'exit 5')).code).toBe(5)
  })

  test('stays as it is where only something beside it was refused', async () => {
    const env = { LD_PRELOAD: 'x', LANG: 'C' }
    const { out, code } = await run(client, 'echo $LANG; exit 5', { env })
    expect([String(out), code]).toEqual(['C\n', 5])
  })
})

test('a connection on which all was refused is idle', async () => {
  const world = new World(1)
  const server = newServer(world)
  const client = await login(server, { allows: () => false })
  const closed = new Promise<void>(resolve => client.once('close', () => resolve()))
  await expect(exec(client, 'true')).rejects.toThrow()
  world.run(24 * 3_600_000)
  await closed
  expect(world.pending).toBe(0)
})
