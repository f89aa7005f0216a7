import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { House } from './house.ts'

const house = new House()

let url = ''

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => house.stop())

const HOST = 'localhost:7447'
const ORIGIN = `http://${HOST}`

type Ask = { method?: 'GET' | 'POST' | 'DELETE'; payload?: object; headers?: object }

const ask = (url: string, { method = 'GET', payload, headers = {} }: Ask = {}) =>
  house.app.inject({
    ...{ method, url },
    ...(payload && { payload }),
    headers: { host: HOST, ...headers },
  })

const link = async (): Promise<string> =>
  (await house.ask('POST', '/v1/login-links', undefined, { host: HOST })).json().url

const codeOf = (url: string) => new URL(url).hash.replace('#login=', '')

/** What a browser sends that has logged in. */
async function loggedIn() {
  const payload = { code: codeOf(await link()) }
  const answer = await ask('/session', { method: 'POST', payload, headers: { origin: ORIGIN } })
  expect(answer.statusCode).toBe(200)
  const cookie = `${answer.headers['set-cookie']}`
  return { attributes: cookie, cookie: cookie.split(';')[0]!, 'x-box-key': answer.json().key }
}

const statusOf = async (url: string, asked: Ask = {}) => (await ask(url, asked)).statusCode

describe('the page', () => {
  test('is there for everybody on this machine, by its exact names, and lets nothing else in', async () => {
    for (const path of ['/', '/index.html', '/page.js']) {
      const answer = await ask(path)
      expect(answer.statusCode, path).toBe(200)
      const policy = `${answer.headers['content-security-policy']}`
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).not.toMatch(/unsafe|\*|https?:|data:/)
      expect(answer.headers['x-content-type-options']).toBe('nosniff')
    }
    expect((await ask('/page.js')).headers['content-type']).toBe('text/javascript; charset=utf-8')
    const { etag } = (await ask('/page.js')).headers
    expect(await statusOf('/page.js', { headers: { 'if-none-match': etag } })).toBe(304)
    const keeping = async (path: string) => (await ask(path)).headers['cache-control']
    expect(await keeping('/page.js')).toBe('no-cache')
    expect(await keeping('/part-AB12CD34.js')).toMatch(/immutable/)
    expect(await statusOf('/', { headers: { host: 'attacker.example' } })).toBe(421)
    expect(await statusOf('/', { headers: { 'sec-fetch-site': 'cross-site' } })).toBe(403)
    for (const path of [
      '/../package.json',
      '/page.js/../../x',
      '/%2e%2e/x',
      '/page.ts',
      '//page.js',
      '/page.js%00',
    ])
      expect(await statusOf(path), path).toBe(401)
    expect(await statusOf('/page.js', { method: 'POST' })).toBe(401)
  })

  test('opens by a link that has the code where no log sees it', async () => {
    const url = await link()
    expect(url).toMatch(/^http:\/\/localhost:7447\/#login=[0-9A-Z]{52}$/)
    expect(await statusOf('/v1/login-links', { method: 'POST' })).toBe(401)
  })

  test('has a cookie that no script reads and no other site sends', async () => {
    const { attributes, ...headers } = await loggedIn()
    expect(attributes).toMatch(
      /^box-7447=[0-9A-Z]{52}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    )
    expect(await statusOf('/v1/devices', { headers })).toBe(200)
  })

  test('logs in for a good code from its own origin only, once', async () => {
    const payload = { code: codeOf(await link()) }
    const post = (headers: object, body: object = payload) =>
      statusOf('/session', { method: 'POST', payload: body, headers })
    expect(await post({})).toBe(403)
    expect(await post({ origin: 'http://localhost:1' })).toBe(403)
    expect(await post({ origin: 'http://attacker.example' })).toBe(403)
    expect(await post({ origin: ORIGIN }, { code: 'x' })).toBe(403)
    expect(await post({ origin: ORIGIN }, { code: 'x'.repeat(200) })).toBe(400)
    expect(await post({ origin: ORIGIN }, { code: 'x'.repeat(2 ** 21) })).toBe(413)
    expect(await post({ origin: ORIGIN })).toBe(200)
    expect(await post({ origin: ORIGIN })).toBe(403)
  })

  test('refuses a stolen cookie, another key, and what changes something from nowhere', async () => {
    const { attributes: _, ...headers } = await loggedIn()
    const { cookie } = headers
    expect(await statusOf('/v1/devices', { headers: { cookie } })).toBe(401)
    expect(await statusOf('/v1/devices', { headers: { cookie, 'x-box-key': 'x' } })).toBe(401)
    expect(await statusOf('/v1/devices', { headers: { 'x-box-key': headers['x-box-key'] } })).toBe(
      401,
    )
    const other = { ...headers, cookie: cookie.replace('7447', '7448') }
    expect(await statusOf('/v1/devices', { headers: other })).toBe(401)
    const tag = (more: object) =>
      statusOf('/v1/devices/kitchen/tags', {
        ...{ method: 'POST', payload: { add: ['lab'] } },
        headers: { ...headers, ...more },
      })
    expect(await tag({})).toBe(403)
    expect(await tag({ origin: 'null' })).toBe(403)
    expect(await tag({ origin: 'http://localhost:1' })).toBe(403)
    expect(await tag({ origin: ORIGIN, 'sec-fetch-site': 'same-site' })).toBe(403)
    expect(await tag({ origin: ORIGIN, 'sec-fetch-site': 'same-origin' })).toBe(200)
    // A wrong token is not made good by a session.
    expect(
      await statusOf('/v1/devices', { headers: { ...headers, authorization: 'Bearer x' } }),
    ).toBe(401)
  })

  test('has no path that changes something for another site, or for whoever has half of a session', async () => {
    const { attributes: _, cookie, ...key } = await loggedIn()
    const { paths } = (await ask('/openapi.json')).json()
    const changing = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter(method => method !== 'get')
        .map(method => [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'kitchen')] as const),
    )
    expect(changing).toContainEqual(['POST', '/v1/devices/kitchen/approvals'])
    expect(changing.length).toBeGreaterThan(20)
    for (const [method, path] of changing) {
      const refusal = (headers: object) =>
        statusOf(path, { method: method as 'POST', payload: {}, headers })
      const from = (origin: string) => ({ ...key, cookie, origin })
      expect(await refusal({ ...key, cookie }), `${path} from nowhere`).toBe(403)
      for (const origin of ['null', 'http://localhost:1', 'http://attacker.example'])
        expect(await refusal(from(origin)), `${path} from ${origin}`).toBe(403)
      const site = { 'sec-fetch-site': 'cross-site' }
      expect(await refusal({ ...from(ORIGIN), ...site }), `${path} from elsewhere`).toBe(403)
      expect(await refusal({ cookie, origin: ORIGIN }), `${path} by the cookie`).toBe(401)
      expect(await refusal({ ...key, origin: ORIGIN }), `${path} by the key`).toBe(401)
    }
  })

  test('follows the fleet in the answer to its code, for as long as the session lasts', async () => {
    const login = (code: string, body: object) =>
      fetch(`${url}/session`, {
        method: 'POST',
        headers: { origin: url, 'content-type': 'application/json' },
        body: JSON.stringify({ code, ...body }),
      })
    const code = codeOf(await link())
    const answer = await login(code, { follow: true })
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const [cookie] = answer.headers.get('set-cookie')!.split(';')
    let text = ''
    const read = (async () => {
      for await (const piece of answer.body!) text += new TextDecoder().decode(piece)
    })()
    await expect.poll(() => text).toContain('event: complete')
    const [, first] = /^event: session\ndata: (.*)\n\nevent: device\n/.exec(text)!
    const { key } = JSON.parse(first!)
    const headers = { cookie: cookie!, 'x-box-key': key, origin: url }
    expect((await fetch(`${url}/v1/about`, { headers })).status).toBe(200)
    const again = await login(code, { follow: true })
    expect([again.status, again.headers.get('set-cookie')]).toEqual([403, null])
    expect((await fetch(`${url}/session`, { method: 'DELETE', headers })).status).toBe(204)
    await expect(read).rejects.toThrow()
    expect((await login(codeOf(await link()), { follow: 'yes' })).status).toBe(400)
  })

  test('logs out, and what goes on in the session is cut off', async () => {
    const { code } = { code: codeOf(await link()) }
    const login = await fetch(`${url}/session`, {
      method: 'POST',
      headers: { origin: url, 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })
    const { key } = (await login.json()) as { key: string }
    const headers = {
      cookie: login.headers.get('set-cookie')!.split(';')[0]!,
      'x-box-key': key,
      origin: url,
    }
    const events = await fetch(`${url}/v1/events`, { headers })
    const read = (async () => {
      for await (const _ of events.body!);
    })()
    expect((await fetch(`${url}/session`, { method: 'DELETE', headers })).status).toBe(204)
    await expect(read).rejects.toThrow()
    expect((await fetch(`${url}/v1/devices`, { headers })).status).toBe(401)
  })
})
