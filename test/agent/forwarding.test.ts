import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Caller, SshServer } from '../../agent/ssh-server.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { login, newServer, run } from './ssh-fixture.ts'

let folder: string
let server: SshServer
let client: Client
const open = new Set<Server | Socket>()
const at = (name: string) => join(folder, name)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'box-fwd-'))
  server = newServer()
  client = await enter()
})

afterEach(async () => {
  client.end()
  await server.close()
  for (const one of open) 'destroy' in one ? one.destroy() : one.close()
  open.clear()
  rmSync(folder, { recursive: true, force: true })
})

/** ssh2 asks for Unix sockets only where the server says that it is OpenSSH, unless told. */
const enter = (caller: Partial<Caller> = {}): Promise<Client> =>
  login(server, caller, { strictVendor: false })

/** Listens on a Unix socket. */
const target = (name: string, serve: (socket: Socket) => void): Promise<string> =>
  new Promise(resolve => {
    const made = createServer({ allowHalfOpen: true }, socket => {
      open.add(socket)
      socket.on('error', () => {})
      serve(socket)
    })
    open.add(made)
    made.listen(at(name), () => resolve(at(name)))
  })

const lead = (from: Client, path: string): Promise<ClientChannel> =>
  new Promise((resolve, reject) => {
    from.openssh_forwardOutStreamLocal(path, (error, channel) =>
      error ? reject(error) : resolve(channel),
    )
  })

const leadTcp = (from: Client, host: string, port: number): Promise<ClientChannel> =>
  new Promise((resolve, reject) => {
    from.forwardOut('', 0, host, port, (error, channel) =>
      error ? reject(error) : resolve(channel),
    )
  })

const listenAt = (from: Client, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    from.openssh_forwardInStreamLocal(path, error => (error ? reject(error) : resolve()))
  })

const unlisten = (from: Client, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    from.openssh_unforwardInStreamLocal(path, error => (error ? reject(error) : resolve()))
  })

async function all(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('a connection to where the device reaches', () => {
  test('carries every byte, both ways at once', async () => {
    const bytes = randomBytes(5_000_000)
    const path = await target('echo', socket => void socket.pipe(socket))
    const channel = await lead(client, path)
    const back = all(channel)
    channel.end(bytes)
    expect((await back).equals(bytes)).toBe(true)
  })

  test('goes on in one direction when the other has ended', async () => {
    const path = await target('later', socket => {
      socket.on('end', () => void setTimeout(() => socket.end('answer'), 50))
      socket.resume()
    })
    const channel = await lead(client, path)
    channel.end('question')
    expect((await all(channel)).toString()).toBe('answer')
  })

  test('still takes what the client says after the target has ended', async () => {
    let heard = ''
    const path = await target('deaf', socket => {
      socket.on('data', chunk => {
        heard += chunk
      })
      socket.end('bye')
    })
    const channel = await lead(client, path)
    await new Promise(resolve => channel.once('data', resolve))
    await new Promise(resolve => setTimeout(resolve, 50))
    channel.end('last words')
    await expect.poll(() => heard).toBe('last words')
  })

  test('makes a fast target wait for a slow client', async () => {
    let sent = 0
    const path = await target('flood', socket => {
      const more = () => {
        do sent += 65_536
        while (sent < 200_000_000 && socket.write(Buffer.alloc(65_536)))
      }
      socket.on('drain', more)
      more()
    })
    const channel = await lead(client, path)
    await new Promise(resolve => setTimeout(resolve, 500))
    expect(sent).toBeLessThan(20_000_000)
    channel.destroy()
  })

  test('that cannot be made is refused', async () => {
    await expect(lead(client, at('nobody'))).rejects.toThrow(/open failure/i)
    expect((await run(client, 'exit 5')).code).toBe(5)
  })

  test('ends when the target breaks it off', async () => {
    const path = await target('rude', socket => {
      socket.once('data', () => socket.destroy())
    })
    const channel = await lead(client, path)
    const closed = new Promise(resolve => channel.once('close', resolve))
    channel.write('x')
    channel.resume()
    channel.on('end', () => channel.end())
    await closed
  })

  test('is one of 128 at most', async () => {
    const path = await target('many', socket => void socket.resume().on('end', () => socket.end()))
    const channels = await Promise.all(Array.from({ length: 128 }, () => lead(client, path)))
    await expect(lead(client, path)).rejects.toThrow()
    channels[0]!.end()
    channels[0]!.resume()
    await expect
      .poll(() =>
        lead(client, path).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
  })
})

describe('a listener on the device', () => {
  test('hands what comes to the client, both ways, and is for the own user only', async () => {
    await listenAt(client, at('in'))
    expect(statSync(at('in')).mode & 0o777).toBe(0o600)
    client.on('unix connection', (_info, accept) => {
      const channel = accept()
      channel.pipe(channel)
    })
    const bytes = randomBytes(500_000)
    const socket = connect({ path: at('in'), allowHalfOpen: true })
    open.add(socket)
    const back = all(socket)
    socket.end(bytes)
    expect((await back).equals(bytes)).toBe(true)
  })

  test('ends when the client says so, and with its connection', async () => {
    await listenAt(client, at('in'))
    await unlisten(client, at('in'))
    await expect(unlisten(client, at('in'))).rejects.toThrow()
    const gone = () => refuses(at('in'))
    expect(await gone()).toBe(true)
    await listenAt(client, at('in'))
    expect(await gone()).toBe(false)
    client.end()
    await expect.poll(gone).toBe(true)
  })

  test('takes no place that is taken, and there are sixteen at most', async () => {
    await listenAt(client, at('in'))
    await expect(listenAt(client, at('in'))).rejects.toThrow()
    for (let i = 1; i < 16; i++) await listenAt(client, at(`in${i}`))
    await expect(listenAt(client, at('in16'))).rejects.toThrow()
  })

  test('is one of sixteen, also of many that are asked for at once', async () => {
    const listen = () =>
      new Promise<number>((resolve, reject) => {
        client.forwardIn('localhost', 0, (error, port) => (error ? reject(error) : resolve(port)))
      })
    // In one piece, as a busy network brings it.
    const { _sock: carrier } = client as unknown as { _sock: Duplex }
    const pieces: Buffer[] = []
    const { write } = carrier
    carrier.write = (piece: Buffer) => pieces.push(piece) > 0
    const asking = Array.from({ length: 40 }, listen)
    carrier.write = write
    carrier.write(Buffer.concat(pieces))
    const asked = await Promise.allSettled(asking)
    const made = asked.filter(one => one.status === 'fulfilled')
    expect(made).toHaveLength(16)
    await new Promise(resolve => client.unforwardIn('localhost', made[0]!.value, resolve))
    await listen()
  })

  test('without a path is none, and leaves to others what they make', async () => {
    const before = process.umask()
    await expect(listenAt(client, '')).rejects.toThrow()
    const after = process.umask(before)
    expect(after).toBe(before)
  })
})

describe('a grant', () => {
  const scoped = (targets: readonly string[]) =>
    enter({ scope: () => ({ ...WHOLE_SCOPE, targets }) })

  test('without the right to forward allows none of it', async () => {
    const path = await target('echo', socket => void socket.pipe(socket))
    const other = await enter({ allows: right => right !== 'forward' })
    await expect(lead(other, path)).rejects.toThrow()
    await expect(leadTcp(other, 'localhost', 22)).rejects.toThrow()
    await expect(listenAt(other, at('in'))).rejects.toThrow()
    expect((await run(other, 'exit 5')).code).toBe(5)
    other.end()
  })

  test('may name the targets', async () => {
    const path = await target('echo', socket => void socket.pipe(socket))
    await target('other', socket => void socket.pipe(socket))
    const other = await scoped([path, 'printer:631'])
    const channel = await lead(other, path)
    channel.end()
    await expect(lead(other, at('other'))).rejects.toThrow()
    await expect(leadTcp(other, 'printer', 632)).rejects.toThrow()
    await expect(listenAt(other, path)).rejects.toThrow()
    other.end()
  })

  test('may name where to listen', async () => {
    const other = await scoped([`listen:${at('in')}`])
    await listenAt(other, at('in'))
    await expect(listenAt(other, at('out'))).rejects.toThrow()
    await expect(lead(other, at('in'))).rejects.toThrow()
    other.end()
  })

  test('that is revoked while a listener is open lets nobody in any more', async () => {
    let allowed = true
    const other = await enter({ allows: () => allowed })
    await listenAt(other, at('in'))
    let came = 0
    other.on('unix connection', (_info, accept) => {
      came++
      accept().end()
    })
    const knock = () =>
      new Promise<void>(resolve => {
        const socket = connect(at('in'))
        open.add(socket)
        socket.resume()
        socket.once('close', () => resolve())
      })
    await knock()
    allowed = false
    await knock()
    expect(came).toBe(1)
    other.end()
  })
})

/** Whether nobody listens there. */
const refuses = (path: string): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(path)
    open.add(socket)
    socket.once('error', () => resolve(true))
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })
