import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { socksRequest } from '../../controller/socks.ts'
import { parseSocks, parseTunnel } from '../../controller/tunnels.ts'

describe('a tunnel is written as ssh has it:', () => {
  test.for([
    ['8080:printer:80', { host: '', port: 8080 }, { host: 'printer', port: 80 }],
    ['0.0.0.0:8080:printer:80', { host: '0.0.0.0', port: 8080 }, { host: 'printer', port: 80 }],
    ['[::1]:1:[2001:db8::1]:2', { host: '::1', port: 1 }, { host: '2001:db8::1', port: 2 }],
    [':8080:printer:80', { host: '', port: 8080 }, { host: 'printer', port: 80 }],
  ] as const)('%s', ([text, from, to]) => {
    expect(parseTunnel('local', text)).toEqual({ is: 'local', from, to })
  })

  test.for(['', '80', '80:x', '80:x:y', '1:2:3:4:5', '70000:x:1', 'a:b:c'])('not %s', text => {
    expect(() => parseTunnel('remote', text)).toThrow(/port/)
  })

  test('a proxy is a port, and perhaps where to listen', () => {
    expect(parseSocks('1080')).toEqual({ is: 'socks', from: { host: '', port: 1080 } })
    expect(parseSocks('[::1]:1080').from).toEqual({ host: '::1', port: 1080 })
    expect(() => parseSocks('x')).toThrow(/port/)
  })
})

describe('SOCKS 5', () => {
  let folder: string
  let server: Server
  const sockets: Socket[] = []

  /** What the server makes of bytes that come in pieces of `size`, and what it answers. */
  async function talk(bytes: readonly number[], size = 100) {
    const answered: number[] = []
    const request = new Promise<Awaited<ReturnType<typeof socksRequest>>>((resolve, reject) => {
      server.once('connection', socket => {
        sockets.push(socket)
        socketHere = socket
        socksRequest(socket).then(resolve, reject)
      })
    })
    request.catch(() => {})
    let socketHere: Socket | null = null
    const socket = connect(join(folder, 's'))
    sockets.push(socket)
    socket.on('data', chunk => answered.push(...chunk))
    for (let at = 0; at < bytes.length; at += size) {
      socket.write(Uint8Array.from(bytes.slice(at, at + size)))
      await new Promise(resolve => setImmediate(resolve))
    }
    return { request, answered, socket, here: () => socketHere! }
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'box-socks-'))
    server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
    await new Promise<void>(resolve => server.listen(join(folder, 's'), resolve))
  })

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const NAMED = [5, 1, 0, 5, 1, 0, 3, 3, 0x62, 0x6f, 0x78, 0x1f, 0x90]

  test.for([1, 3, 100])('asks for a name, in pieces of %i bytes', async size => {
    const { request, answered, here } = await talk([...NAMED, 0x68, 0x69], size)
    const { host, port, granted } = await request
    expect([host, port]).toEqual(['box', 8080])
    granted()
    await expect.poll(() => answered).toEqual([5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    let rest = ''
    here().on('data', chunk => {
      rest += chunk
    })
    here().resume()
    await expect.poll(() => rest).toBe('hi')
  })

  test('asks for addresses', async () => {
    const four = await talk([5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
    expect(await four.request).toMatchObject({ host: '192.0.2.1', port: 80 })
    const six = await talk([
      5,
      1,
      0,
      5,
      1,
      0,
      4,
      0x20,
      1,
      0xd,
      0xb8,
      ...Array(11).fill(0),
      1,
      0,
      80,
    ])
    expect(await six.request).toMatchObject({ host: '2001:db8:0:0:0:0:0:1', port: 80 })
  })

  test('that is something else is refused', async () => {
    for (const bytes of [
      [4, 1, 0, 80],
      [5, 1, 2],
      [5, 1, 0, 5, 2, 0, 1, 1, 1, 1, 1, 0, 80],
      [...Buffer.from('GET / HTTP/1.1\r\n')],
    ])
      await expect((await talk(bytes)).request).rejects.toThrow()
    const cut = await talk([5, 1, 0, 5])
    cut.socket.end()
    await expect(cut.request).rejects.toThrow(/too little/)
  })
})
