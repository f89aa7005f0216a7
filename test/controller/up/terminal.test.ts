import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { House } from './house.ts'

const house = new House()
let url = ''
let cookie = ''
let key = ''

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
  const { host } = new URL(url)
  const link = (await house.ask('POST', '/v1/login-links', undefined, { host })).json()
  const login = await fetch(`${url}/session`, {
    method: 'POST',
    headers: { origin: url, 'content-type': 'application/json' },
    body: JSON.stringify({ code: new URL(link.url).hash.replace('#login=', '') }),
  })
  cookie = login.headers.get('set-cookie')!.split(';')[0]!
  key = ((await login.json()) as { key: string }).key
})
afterAll(() => house.stop())

interface Asked {
  readonly path?: string
  readonly protocols?: readonly string[]
  readonly headers?: Record<string, string>
}

/** What is said and printed, until it ends. */
class Terminal {
  printed = ''
  readonly said: Record<string, unknown>[] = []
  readonly socket: WebSocket
  readonly closed: Promise<number>

  constructor({ path = '/v1/devices/kitchen/terminal', protocols, headers }: Asked = {}) {
    const offered = protocols ?? ['box-terminal', key]
    this.socket = new WebSocket(url.replace('http', 'ws') + path, [...offered], {
      headers: headers ?? { cookie, origin: url },
    })
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.printed += data.toString()
      else this.said.push(JSON.parse(data.toString()))
    })
    // 0 where it was never open: the status of the refusal is in `refused`.
    this.closed = new Promise(resolve => this.socket.once('close', code => resolve(code)))
    this.socket.on('error', () => {})
  }

  static async open(first: object = { rows: 24, columns: 80 }, asked?: Asked): Promise<Terminal> {
    const one = new Terminal(asked)
    await new Promise((resolve, reject) => one.socket.once('open', resolve).once('error', reject))
    one.tell(first)
    return one
  }

  tell(value: object): void {
    this.socket.send(JSON.stringify(value))
  }

  type(text: string): void {
    this.socket.send(new TextEncoder().encode(text))
  }

  async until(holds: () => boolean): Promise<void> {
    await expect.poll(holds, { timeout: 15_000, interval: 20 }).toBe(true)
  }

  get id(): string {
    return `${this.said.find(({ is }) => is === 'open')?.id}`
  }
}

const refused = (asked: Asked): Promise<number | undefined> =>
  new Promise(resolve => {
    const { socket } = new Terminal(asked)
    socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode))
    socket.once('open', () => resolve(101))
  })

describe('a terminal of the page', () => {
  test('is a shell on the device: typed into, of the size that was said, with its exit code', async () => {
    const terminal = await Terminal.open({ rows: 30, columns: 100 })
    terminal.type('stty size; echo "a$((40 + 2))b"\n')
    await terminal.until(() => /30 100[\s\S]*a42b/.test(terminal.printed))
    terminal.tell({ rows: 11, columns: 70 })
    terminal.type('stty size\n')
    await terminal.until(() => terminal.printed.includes('11 70'))
    terminal.type('exit 7\n')
    await terminal.closed
    expect(terminal.said.at(-1)).toEqual({ is: 'ended', code: 7 })
  })

  test('is kept when its socket breaks off, and gone on with', async () => {
    const terminal = await Terminal.open()
    terminal.type('secret=4711; echo re""ady\n')
    await terminal.until(() => terminal.printed.includes('ready'))
    terminal.socket.terminate()
    const again = await Terminal.open({ rows: 24, columns: 80, resume: terminal.id })
    again.type('echo "again $secret"\n')
    await again.until(() => again.printed.includes('again 4711'))
    expect(again.said).toEqual([{ is: 'open', id: terminal.id, resumed: true }])
    again.tell({ leave: true })
    await again.closed
    const gone = await Terminal.open({ rows: 24, columns: 80, resume: terminal.id })
    await gone.until(() => gone.said.length > 0)
    expect(gone.said[0]).toMatchObject({ is: 'open', resumed: false })
    gone.tell({ leave: true })
    await gone.closed
  })

  test('is of the user that was named, and of nobody else where that is none', async () => {
    const { username } = userInfo()
    const terminal = await Terminal.open({ rows: 24, columns: 80, user: username })
    terminal.type('echo "<$(id -un)>"\n')
    await terminal.until(() => terminal.printed.includes(`<${username}>`))
    terminal.tell({ leave: true })
    await terminal.closed
    for (const user of ['', 'not a user', 4, null, 'nosuchuser']) {
      const refused = await Terminal.open({ rows: 24, columns: 80, user })
      await refused.closed
      expect(refused.said, `${user}`).toMatchObject([{ is: 'failed' }])
    }
  })

  test('waits on the device while nothing of it is shown', async () => {
    const terminal = await Terminal.open()
    terminal.type('yes 0123456789 | head -c 4000000; echo do""ne\n')
    await terminal.until(() => terminal.printed.length > 200_000)
    await new Promise(resolve => setTimeout(resolve, 500))
    const { length } = terminal.printed
    expect(length).toBeLessThan(2_000_000)
    terminal.tell({ taken: length })
    await terminal.until(() => terminal.printed.length > length)
    terminal.tell({ leave: true })
    await terminal.closed
  })

  test('is refused to a page of another site, to half a session, and where there is no such device', async () => {
    expect(await refused({ headers: { cookie } })).toBe(403)
    expect(await refused({ headers: { cookie, origin: 'http://attacker.example' } })).toBe(403)
    expect(await refused({ headers: { cookie, origin: 'http://127.0.0.1:1' } })).toBe(403)
    expect(await refused({ headers: { origin: url } })).toBe(401)
    expect(await refused({ protocols: ['box-terminal'] })).toBe(401)
    expect(await refused({ protocols: ['box-terminal', 'x'] })).toBe(401)
    expect(await refused({ protocols: [key] })).toBe(404)
    expect(await refused({ path: '/v1/devices/attic/terminal' })).toBe(404)
    expect(await refused({ path: '/v1/devices/%ff/terminal' })).toBe(404)
    expect(await refused({ path: '/v1/../../etc/passwd' })).toBe(404)
    const headers = { host: 'attacker.example', cookie, origin: 'http://attacker.example' }
    expect(await refused({ headers })).toBe(421)
    const bearer = { authorization: `Bearer ${house.token}` }
    expect(await refused({ headers: bearer, protocols: ['box-terminal'] })).toBe(101)
  })

  test('ends where what is said makes no sense, is too long, or does not come', {
    timeout: 30_000,
  }, async () => {
    for (const first of [
      {},
      { rows: 0, columns: 80 },
      { rows: 24, columns: 1e9 },
      [],
      { rows: '24' },
    ]) {
      const terminal = await Terminal.open(first)
      await terminal.closed
      expect(terminal.said, JSON.stringify(first)).toEqual([])
    }
    const long = await Terminal.open()
    long.type('x'.repeat(70_000))
    expect(await long.closed).toBe(1_009)
    const { port } = new URL(url)
    const slow = connect(Number(port), '127.0.0.1', () =>
      slow.write('GET /v1/devices/kitchen/terminal HTTP/1.1\r\nupgrade: webs'),
    )
    const silent = new Terminal()
    await Promise.all([silent.closed, new Promise(resolve => slow.resume().once('close', resolve))])
    expect((await house.ask('GET', '/v1/about')).statusCode).toBe(200)
  })
})
