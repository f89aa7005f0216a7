/** Somebody looks at the shell of somebody else, at a real SSH server. */

import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Caller, SshServer } from '../../agent/ssh-server.ts'
import { WatchedScreen } from '../../agent/watched-screen.ts'
import type { CastEvent } from '../../src/box/recording.ts'
import type { OpenShell } from '../../src/box/watching.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { World } from '../sim/world.ts'
import { ended, login, newServer, shell, subsystem } from './ssh-fixture.ts'

const PATIENCE = { timeout: 15_000 }
let server: SshServer
let notes: string[]
const note: Caller['note'] = (...words) => void notes.push(words.join(' '))
const clients: Client[] = []

beforeEach(() => {
  server = newServer()
  notes = []
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.end()
  await server.close()
})

const enter = async (name: string, more: Partial<Caller> = {}) => {
  const { zone } = ZoneSecret.generate('EDKEY', systemRandom)
  const client = await login(server, { name, zone, note, ...more })
  clients.push(client)
  return client
}
const listed = async (client: Client): Promise<OpenShell[]> => {
  const { out } = await ended(await subsystem(client, 'box-watch'))
  return out
    .toString()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as OpenShell)
}

/** What a channel has said until now. */
function heard(channel: ClientChannel): { text: string } {
  const said = { text: '' }
  channel.on('data', (chunk: Buffer) => {
    said.text += chunk
  })
  return said
}
const events = (said: { text: string }): CastEvent[] =>
  said.text
    .split('\n')
    .slice(1, -1)
    .map(line => JSON.parse(line) as CastEvent)
const shownTo = (said: { text: string }): string =>
  events(said)
    .filter(([, kind]) => kind === 'o')
    .map(([, , data]) => data)
    .join('')

/** A shell that has printed `here`. */
const openShell = async (variables: Record<string, string> = {}) => {
  const channel = await shell(await enter('ada'), { cols: 80, rows: 24 }, { env: variables })
  const said = heard(channel)
  channel.write("PS1='> '; echo he''re\n")
  await expect.poll(() => said.text, PATIENCE).toMatch(/^here/m)
  return { channel, said }
}

describe('whoever watches a shell', () => {
  test.for([
    ['of the stock ssh', {}],
    ['that outlives its connection', { BOX_KEEP: '0123abcd' }],
  ] as const)(
    '%s, sees what is there, what follows, its sizes and its end',
    async ([, variables]) => {
      const { channel, said } = await openShell(variables)
      const watcher = await enter('eve')
      const [open] = await listed(watcher)
      expect(open).toMatchObject({ number: 1, who: 'ada', columns: 80, rows: 24, watchers: 0 })
      const watching = await subsystem(watcher, 'box-watch:1')
      const seen = heard(watching)
      await expect.poll(() => shownTo(seen), PATIENCE).toMatch(/here/)
      expect(shownTo(seen).startsWith('\x1bc')).toBe(true)
      expect(events(seen)[0]).toEqual([expect.any(Number), 'r', '80x24'])
      await expect.poll(() => said.text, PATIENCE).toMatch(/\[eve watches this session\]/)
      channel.write("echo la''ter\n")
      channel.setWindow(30, 100, 0, 0)
      await expect.poll(() => shownTo(seen), PATIENCE).toMatch(/later/)
      await expect.poll(() => events(seen).map(([, , data]) => data), PATIENCE).toContain('100x30')
      const over = new Promise(resolve => watching.once('exit', resolve))
      channel.write('exit 3\n')
      expect(await over).toBe(0)
      await expect.poll(async () => (await listed(watcher)).length, PATIENCE).toBe(0)
      expect(notes).toContain('watch box-watch:1 of ada read')
    },
  )

  test('types in vain, and its person reads that they have gone', async () => {
    const { channel, said } = await openShell()
    const watching = await subsystem(await enter('eve'), 'box-watch:1')
    const seen = heard(watching)
    await expect.poll(() => shownTo(seen), PATIENCE).toMatch(/here/)
    watching.write('echo intruder\nexit\n')
    watching.setWindow(5, 5, 0, 0)
    channel.write("stty size; echo mi''ne\n")
    await expect.poll(() => shownTo(seen), PATIENCE).toMatch(/24 80\r\nmine/)
    watching.close()
    await expect.poll(() => said.text, PATIENCE).toMatch(/\[eve watches no longer\]/)
    expect(said.text).not.toContain('intruder')
    channel.write("echo still he''re\n")
    await expect.poll(() => said.text, PATIENCE).toMatch(/^still here/m)
  })

  test('is one of eight at most, and finds no shell that is not open', async () => {
    await openShell()
    const watcher = await enter('eve')
    const other = await enter('bert')
    for (let i = 0; i < 8; i++) await subsystem(watcher, 'box-watch:1')
    await expect.poll(async () => (await listed(other))[0]?.watchers, PATIENCE).toBe(8)
    for (const name of ['box-watch:1', 'box-watch:2', 'box-watch:x', 'box-watch:'])
      expect((await ended(await subsystem(other, name))).code, name).toBe(1)
  })
})

describe('a screen that is watched', () => {
  test('waits for nobody: whoever falls behind sees it anew', async () => {
    const world = new World(1)
    const screen = new WatchedScreen({
      ...{ number: 1, who: 'ada', clock: world, columns: 80, rows: 24, closed: () => {} },
    })
    const lines: string[] = []
    let go: () => void = () => {}
    const slow = (line: string) =>
      new Promise<void>(resolve => {
        lines.push(line)
        go = resolve
      })
    const turn = () => new Promise(resolve => setImmediate(resolve))
    void screen.watch('eve', slow, new AbortController().signal)
    for (let i = 0; i < 3; i++) {
      go()
      await turn()
    }
    const before = lines.length
    for (let i = 0; i < 1_000; i++) screen.add(Buffer.from(`line ${i} ${'x'.repeat(1_000)}\r\n`))
    for (let i = 0; i < 20; i++) {
      go()
      await turn()
    }
    const after = lines.slice(before).map(line => JSON.parse(line) as CastEvent)
    expect(after.length).toBeLessThan(5)
    const [, , screenAnew] = after.at(-1)!
    expect(screenAnew.startsWith('\x1bc')).toBe(true)
    expect(screenAnew).toMatch(/line 999 x+\r\n$/)
  })
})
