import { createHash } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Address } from '../../src/base/stream.ts'
import { CLOSE_GRACE_MS, CONNECT_TIMEOUT_MS, dialledStream } from '../../src/sys/socket-stream.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { Owner } from './owner.ts'

const LOOPBACK: Address = { host: '127.0.0.1', port: 0 }
const hasIpv6 = Object.values(networkInterfaces()).some(all =>
  all?.some(one => one.address === '::1'),
)

const text = (value: string) => new TextEncoder().encode(value)

function dial(to: Address): Owner {
  const owner = new Owner()
  owner.stream = tcpNetwork.dial(to, owner)
  onTestFinished(() => owner.stream.close())
  return owner
}

async function serve(at = LOOPBACK) {
  const accepted: Owner[] = []
  let came = () => {}
  const listener = await tcpNetwork.listen(at, stream => {
    const owner = new Owner()
    owner.stream = stream
    accepted.push(owner)
    came()
    return owner
  })
  onTestFinished(() => {
    listener.close()
    for (const owner of accepted) owner.stream.close()
  })
  const next = async () => {
    if (accepted.length === 0) await new Promise<void>(resolve => (came = resolve))
    return accepted[0]!
  }
  return { listener, next }
}

async function pair(at = LOOPBACK) {
  const { listener, next } = await serve(at)
  const near = dial(listener.local)
  const far = await next()
  await near.until(() => near.story.includes('opened'))
  return { near, far, listener }
}

/** A plain Node server, for what no well-behaved stream does. */
async function rawServer(onSocket: (socket: Socket) => void): Promise<Address> {
  const server: Server = createServer({ allowHalfOpen: true }, onSocket)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port }
}

describe('a TCP stream', () => {
  test.for(['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])])(
    'carries bytes both ways over %s',
    async host => {
      const { near, far } = await pair({ host, port: 0 })
      expect(near.stream.remote.host).toBe(host)
      expect(far.stream.remote).toEqual(near.stream.local)
      expect(near.stream.remote).toEqual(far.stream.local)
      near.stream.write(text('question'))
      await far.until(() => far.text === 'question')
      far.stream.write(text('answer'))
      await near.until(() => near.text === 'answer')
      expect(near.chunks[0]!.constructor).toBe(Uint8Array)
    },
  )

  test.runIf(hasIpv6)('names an IPv4 caller of an IPv6 socket by its IPv4 address', async () => {
    const { listener, next } = await serve({ host: '::', port: 0 })
    dial({ host: '127.0.0.1', port: listener.local.port })
    expect((await next()).stream.remote.host).toBe('127.0.0.1')
  })

  test('sends what was written in one turn as one piece', async () => {
    const { near, far } = await pair()
    for (let i = 0; i < 200; i++) near.stream.write(text(`message ${i};`))
    await far.until(() => far.text.endsWith('message 199;'))
    expect(far.chunks).toHaveLength(1)
  })

  test.for(['who dialled', 'who was dialled'])(
    'holds %s back, loses nothing, and lets it go on',
    async writer => {
      const ends = await pair()
      const [near, far] = writer === 'who dialled' ? [ends.near, ends.far] : [ends.far, ends.near]
      far.stream.pause()
      const sent = createHash('sha256')
      let written = 0
      for (let round = 0; round < 3; round++) {
        let more = true
        while (more) {
          const part = new Uint8Array(50_000).fill(written % 251)
          more = near.stream.write(part)
          sent.update(part)
          written += part.length
          expect(written).toBeLessThan(100_000_000)
        }
        if (round === 1) far.stream.resume()
        if (round > 0)
          await near.until(() => near.story.filter(s => s === 'drained').length >= round)
      }
      await far.until(() => far.chunks.reduce((sum, chunk) => sum + chunk.length, 0) === written)
      expect(createHash('sha256').update(far.got).digest('hex')).toBe(sent.digest('hex'))
    },
  )

  test('that is paused before it is connected takes one piece at most, and then the rest', async () => {
    const size = 30_000_000
    let sender!: Socket
    const near = dial(
      await rawServer(socket => {
        sender = socket
        socket.write(new Uint8Array(size))
      }),
    )
    near.stream.pause()
    await near.until(() => near.story.includes('opened'))
    // The system takes some of it, and then no more.
    let taken = -1
    while (sender === undefined || taken !== sender.writableLength) {
      taken = sender?.writableLength ?? -1
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    const received = () => near.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    expect(received()).toBeLessThanOrEqual(64 * 1_024)
    near.stream.resume()
    await near.until(() => received() === size)
  })

  test('says what was written before it closes, and both sides end in good order', async () => {
    const { near, far } = await pair()
    near.stream.write(new Uint8Array(1_000_000).fill(7))
    near.stream.close()
    near.stream.close()
    expect(near.stream.write(text('too late'))).toBe(true)
    await far.whenClosed()
    await near.whenClosed()
    expect(far.got).toHaveLength(1_000_000)
    expect([near.error, far.error]).toEqual([null, null])
    expect(near.story.filter(s => s === 'closed')).toHaveLength(1)
  })

  test('hears nothing more after its own close', async () => {
    const { near, far } = await pair()
    far.stream.write(text('on its way'))
    near.stream.close()
    await near.whenClosed()
    expect(near.got).toHaveLength(0)
  })

  test('tells of a reset', async () => {
    const near = dial(await rawServer(socket => socket.on('data', () => socket.resetAndDestroy())))
    near.stream.write(text('hello'))
    await near.whenClosed()
    expect(near.error).toMatchObject({ code: 'CHANNEL_LOST' })
  })
})

describe('dialling', () => {
  test('fails as an event: nobody listens, no address, no port', async () => {
    const { listener } = await serve()
    listener.close()
    for (const to of [
      listener.local,
      { host: 'example.org', port: 80 },
      { host: '::1', port: 70_000 },
    ]) {
      const owner = dial(to)
      expect(owner.story).toEqual([])
      await owner.whenClosed()
      expect(owner.story).toEqual(['closed'])
      expect(owner.error).toMatchObject({ code: 'PEER_UNREACHABLE' })
    }
  })

  test('gives up after a while', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const owner = new Owner()
    const remote = { host: '192.0.2.1', port: 1 }
    owner.stream = dialledStream(
      () => {},
      remote,
      () => remote,
      owner,
    )
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS)
    await owner.whenClosed()
    expect(owner.error).toMatchObject({ code: 'PEER_TIMEOUT' })
  })

  test('can be given up by its owner', async () => {
    const { listener } = await serve()
    const owner = dial(listener.local)
    owner.stream.close()
    await owner.whenClosed()
    expect([owner.story, owner.error]).toEqual([['closed'], null])
  })

  test('a listener that cannot be says why', async () => {
    const { listener } = await serve()
    for (const at of [listener.local, { host: '192.0.2.1', port: 0 }])
      await expect(tcpNetwork.listen(at, () => new Owner())).rejects.toMatchObject({
        code: 'ADDRESS_IN_USE',
        message: expect.stringContaining(at.host),
      })
  })
})

test('a stream whose other side never ends is ended after a grace', async () => {
  const sockets: Socket[] = []
  const to = await rawServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {}).resume()
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  const owner = dial(to)
  await owner.until(() => owner.story.includes('opened'))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  owner.stream.close()
  vi.advanceTimersByTime(CLOSE_GRACE_MS)
  await owner.whenClosed()
  expect(owner.error).toBeNull()
})

test('a caller that ends its direction but reads no more is ended after a grace', async () => {
  const { listener, next } = await serve()
  const { port } = listener.local
  const caller = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void caller.destroy())
  const far = await next()
  while (far.stream.write(new Uint8Array(60_000)));
  await new Promise(resolve => setImmediate(resolve))
  while (far.stream.write(new Uint8Array(1_000_000)));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  caller.end()
  while (vi.getTimerCount() === 0) await new Promise(resolve => setImmediate(resolve))
  vi.advanceTimersByTime(CLOSE_GRACE_MS)
  await far.whenClosed()
})
