import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Listener } from '../../src/base/stream.ts'
import { isLocalHost, servePage } from '../../src/sys/http-server.ts'

let serving: Listener
let asked = 0

beforeEach(async () => {
  asked = 0
  serving = await servePage(
    { host: '127.0.0.1', port: 0 },
    { path: '/metrics', type: 'text/plain', text: () => `asked ${++asked}\n` },
  )
})

afterEach(() => serving.close())

/** Everything that comes back for these bytes, until the server closes. */
function exchange(request: string): Promise<string> {
  const { host, port } = serving.local
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, host, () => socket.write(request))
    socket.on('data', chunk => {
      text += chunk
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}

const statusOf = async (line: string, host = 'localhost', more = '') =>
  (await exchange(`${line} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n${more}\r\n`)).slice(
    9,
    12,
  )

describe('a page for this machine', () => {
  test('is made anew for each request, and never kept', async () => {
    const url = `http://127.0.0.1:${serving.local.port}/metrics`
    expect(await (await fetch(url)).text()).toBe('asked 1\n')
    const again = await fetch(url)
    expect(again.headers.get('cache-control')).toBe('no-store')
    expect(await again.text()).toBe('asked 2\n')
  })

  test('is not given to a site that has its name point here', async () => {
    expect(await statusOf('GET /metrics', 'attacker.example')).toBe('421')
    expect(await statusOf('GET /metrics', '127.0.0.1.attacker.example:80')).toBe('421')
    expect(await statusOf('GET /metrics', '[::1]:9464')).toBe('200')
    expect(asked).toBe(1)
  })

  test('is all there is, and cannot be written', async () => {
    expect(await statusOf('GET /metrics/../etc/passwd')).toBe('404')
    expect(await statusOf('POST /metrics', 'localhost', 'content-length: 3\r\n')).toBe('405')
    expect(await statusOf('HEAD /metrics')).toBe('200')
  })

  test('waits for nobody who sends a request drop by drop, and takes no endless header', async () => {
    const endless = `x: ${'a'.repeat(20_000)}\r\n`
    expect(await statusOf('GET /metrics', 'localhost', endless)).toBe('431')
    const slow = await exchange('GET /metrics HTTP/1.1\r\nhost: localh')
    expect(slow === '' || slow.startsWith('HTTP/1.1 408')).toBe(true)
    expect(asked).toBe(0)
  })

  test('is refused to other machines', async () => {
    const page = { path: '/', type: 'text/plain', text: () => '' }
    const everywhere = servePage({ host: '0.0.0.0', port: 0 }, page)
    await expect(everywhere).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(servePage(serving.local, page)).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  })
})

test.each([
  ['localhost', true],
  ['LOCALHOST:80', true],
  ['127.1.2.3:9', true],
  ['[::1]', true],
  ['::1', false],
  ['', false],
  [undefined, false],
  ['localhost.example', false],
  ['localhost:80:80', false],
  ['[::1].example', false],
])('the Host %s is this machine: %s', (host, is) => {
  expect(isLocalHost(host)).toBe(is)
})
