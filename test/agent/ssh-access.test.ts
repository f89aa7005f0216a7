import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import ssh2, { type Client } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SshServer } from '../../agent/ssh-server.ts'
import type { Right } from '../../src/box/grant.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { World } from '../sim/world.ts'
import {
  CALLER,
  ended,
  exec,
  gone,
  hostKey,
  KEYS,
  login,
  newKeys,
  newServer,
  publicBlob,
  run,
  shell,
  streamPair,
} from './ssh-fixture.ts'

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

describe('what is not permitted is refused as SSH has it:', () => {
  const may = async (...rights: Right[]) =>
    login(server, { allows: right => rights.includes(right) })

  test('a shell to whoever may only run commands, and the other way round', async () => {
    const runner = await may('exec')
    await expect(shell(runner, { cols: 80, rows: 24 })).rejects.toThrow()
    expect((await run(runner, 'exit 5')).code).toBe(5)
    const sheller = await may('shell')
    await expect(exec(sheller, 'true')).rejects.toThrow()
    runner.end()
    sheller.end()
  })

  test('files to whoever may only run commands', async () => {
    const runner = await may('exec')
    await expect(promise(done => runner.sftp(done))).rejects.toThrow()
    runner.end()
  })

  test('forwarding to whoever may only run commands', async () => {
    const runner = await may('exec')
    await expect(promise(done => runner.forwardOut('', 0, 'localhost', 22, done))).rejects.toThrow(
      /open failure/i,
    )
    await expect(promise(done => runner.forwardIn('127.0.0.1', 0, done))).rejects.toThrow()
    runner.end()
  })

  test('agents, X11 and unknown subsystems', async () => {
    await expect(promise(done => client.subsys('netconf', done))).rejects.toThrow()
    await expect(exec(client, 'true', { x11: true })).rejects.toThrow()
    expect((await run(client, 'exit 5')).code).toBe(5)
  })

  test('a session too many', async () => {
    const open = await Promise.all(Array.from({ length: 10 }, () => exec(client, 'cat')))
    await expect(exec(client, 'true')).rejects.toThrow()
    for (const channel of open) channel.end()
    await Promise.all(open.map(ended))
    expect((await run(client, 'exit 5')).code).toBe(5)
  })
})

describe('logging in', () => {
  const stranger = newKeys(6)

  test('shows the host key that is published', async () => {
    let seen: Buffer | null = null
    const hostVerifier = (key: Buffer) => {
      seen = key
      return true
    }
    const other = await login(server, {}, { hostVerifier })
    expect(sha256(seen!)).toEqual(hostKey.fingerprint)
    other.end()
  })

  test('works with the announced key, of each usual kind', async () => {
    for (const type of ['rsa', 'ecdsa'] as const) {
      const keys =
        type === 'rsa'
          ? ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 })
          : ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 })
      const publicKey = publicBlob(keys.public)
      const other = await login(server, { publicKey }, { privateKey: keys.private })
      expect((await run(other, 'exit 6')).code).toBe(6)
      other.end()
    }
  })

  test('is refused to another key, a password, and nothing at all', async () => {
    for (const config of [
      { privateKey: stranger.private },
      { privateKey: undefined, password: 'secret' },
      { privateKey: undefined },
    ])
      await expect(login(server, {}, config as object)).rejects.toThrow(/authentication/i)
  })

  test('is refused to whoever shows the right key without having it', async () => {
    const parsed = ssh2.utils.parseKey(stranger.private) as ssh2.ParsedKey
    const shown = ssh2.utils.parseKey(KEYS.public) as ssh2.ParsedKey
    class Thief extends ssh2.BaseAgent {
      override getIdentities(done: (error: undefined, keys: ssh2.ParsedKey[]) => void): void {
        done(undefined, [shown])
      }
      override sign(...args: unknown[]): void {
        const data = args[1] as Buffer
        const done = args.at(-1) as (error: undefined, signature: Buffer) => void
        done(undefined, parsed.sign(data) as Buffer)
      }
    }
    const agent = new Thief() as never
    await expect(login(server, {}, { privateKey: undefined, agent } as object)).rejects.toThrow()
  })

  test('takes thirty seconds at most', async () => {
    const world = new World(1)
    const slow = newServer(world)
    const [near, far] = streamPair()
    await slow.serve(far, CALLER)
    const closed = closing(near)
    world.run(29_000)
    expect(far.destroyed).toBe(false)
    world.run(1_000)
    await closed
    expect(slow.size).toBe(0)
    expect(world.pending).toBe(0)
  })

  test('and then doing nothing for a day ends the connection', async () => {
    const world = new World(1)
    const slow = newServer(world)
    const other = await login(slow)
    const closed = new Promise<void>(resolve => other.once('close', () => resolve()))
    world.run(23 * 3_600_000)
    expect((await run(other, 'exit 5')).code).toBe(5)
    await new Promise(resolve => setTimeout(resolve, 50))
    world.run(24 * 3_600_000)
    await closed
    expect(world.pending).toBe(0)
  })
})

describe('the server', () => {
  test('outlives noise', async () => {
    for (const noise of [
      '',
      'GET / HTTP/1.0\r\n\r\n',
      'SSH-2.0-x\r\n\0\0\0\0',
      randomBytes(5_000),
    ]) {
      const [near, far] = streamPair()
      await server.serve(far, CALLER)
      const closed = closing(near)
      near.end(noise)
      await closed
    }
    expect((await run(client, 'exit 5')).code).toBe(5)
  })

  test('does not wait for a client that is gone', async () => {
    const world = new World(1)
    const deaf = newServer(world)
    const [near, far] = streamPair()
    await deaf.serve(far, CALLER)
    near.pause() // As a machine that lost its power: it neither reads nor closes.
    const closed = deaf.close()
    await new Promise(resolve => setTimeout(resolve, 20))
    world.run(1_000)
    await closed
    expect(world.pending).toBe(0)
  })

  test('ends all when it is closed', async () => {
    const closed = new Promise<void>(resolve => client.once('close', () => resolve()))
    const channel = await exec(client, 'echo $$; sleep 60')
    const pid = await new Promise<number>(resolve => {
      channel.once('data', (chunk: Buffer) => resolve(Number(chunk)))
    })
    await server.close()
    await closed
    await gone(pid)
    expect(server.size).toBe(0)
  })
})

const closing = (stream: Duplex): Promise<void> =>
  new Promise(resolve => {
    stream.on('error', () => {})
    stream.once('close', () => resolve())
    stream.resume()
  })

const promise = <T>(begin: (done: (error: Error | undefined, value: T) => void) => void) =>
  new Promise<T>((resolve, reject) =>
    begin((error, value) => (error ? reject(error) : resolve(value))),
  )
