import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TOKEN_FILE } from '../../../controller/up/token.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { systemRandom } from '../../../src/sys/random.ts'
import { encodeBase32 } from '../../../src/wire/base32.ts'
import { House } from './house.ts'

const house = new House()
let url = ''

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => house.stop())

const authorization = () => ({ authorization: `Bearer ${house.token}` })

/** Reads server-sent events until one satisfies. */
async function untilEvent(
  events: AsyncIterator<Uint8Array>,
  holds: (event: string, data: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  let text = ''
  for (;;) {
    const { value, done } = await events.next()
    if (done) throw new Error('the events have ended')
    text += new TextDecoder().decode(value)
    const whole = text.split('\n\n')
    text = whole.pop()!
    for (const one of whole) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(one) ?? []
      if (event && holds(event, JSON.parse(data!))) return JSON.parse(data!)
    }
  }
}

const listen = async () => {
  const answer = await fetch(`${url}/v1/events`, { headers: authorization() })
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  return answer.body![Symbol.asyncIterator]()
}

describe('the local API', () => {
  test('describes itself by a valid OpenAPI document, in which nothing has no schema', async () => {
    const answer = await house.ask('GET', '/openapi.json', undefined, { authorization: '' })
    expect(answer.statusCode).toBe(200)
    const { valid, errors } = await new Validator().validate(answer.json())
    expect(errors ?? []).toEqual([])
    expect(valid).toBe(true)
    const paths = Object.entries(answer.json().paths as Record<string, Record<string, unknown>>)
    expect(paths.length).toBeGreaterThan(8)
    for (const [path, methods] of paths)
      for (const route of Object.values(methods) as { responses: Record<string, object> }[])
        for (const status of ['200', '4XX', '5XX'])
          expect(route.responses[status], path).toHaveProperty('content')
  })

  test('tells how the fleet is, one device of it, and what runs', async () => {
    await untilEvent(await listen(), (event, data) => event === 'device' && data.stale === false)
    const { devices } = (await house.ask('GET', '/v1/devices')).json()
    expect(devices).toMatchObject([
      { name: 'kitchen', tags: ['routers'], stale: false, error: null, age_ms: 0 },
    ])
    expect(devices[0].status.memory.total).toBeGreaterThan(2 ** 24)
    expect((await house.ask('GET', '/v1/devices/kitchen')).json()).toEqual(devices[0])
    expect((await house.ask('GET', '/v1/about')).json()).toMatchObject({ name: 'home' })
    const missing = await house.ask('GET', '/v1/devices/attic')
    expect(missing.statusCode).toBe(404)
    expect(missing.json()).toMatchObject({ error: { code: 'DEVICE_UNKNOWN', family: 'unknown' } })
  })

  test('tells of each change as it happens, also of those made by other commands', async () => {
    const events = await listen()
    await untilEvent(events, event => event === 'complete')
    const tagged = await house.ask('POST', '/v1/devices/kitchen/tags', { add: ['lab'] })
    expect(tagged.json()).toEqual({ tags: ['lab', 'routers'] })
    await untilEvent(events, (_, { tags }) => `${tags}` === 'lab,routers')
    await house.context.fleet.rename('kitchen', 'cellar')
    expect(await untilEvent(events, event => event === 'removed')).toEqual({ name: 'kitchen' })
    await house.context.fleet.rename('cellar', 'kitchen')
    await untilEvent(events, (event, { name }) => event === 'device' && name === 'kitchen')
    await events.return!()
  })

  test('runs a command, and hands on what it prints and how it ends', async () => {
    const body = { selector: '@routers', command: 'cat; echo oh >&2; exit 3', input: 'hütte\n' }
    const answer = await house.ask('POST', '/v1/exec', body)
    expect(answer.headers['content-type']).toBe('application/x-ndjson; charset=utf-8')
    const lines = answer.payload
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines).toContainEqual({ name: 'kitchen', stream: 'out', data: 'hütte\n' })
    expect(lines).toContainEqual({ name: 'kitchen', stream: 'err', data: 'oh\n' })
    expect(lines.at(-1)).toMatchObject({ name: 'kitchen', exit_code: 3, error: null })
    const nobody = await house.ask('POST', '/v1/exec', { selector: '@none', command: 'true' })
    expect(nobody.statusCode).toBe(404)
  })

  test('runs the next command over the connection of the one before, and each as far as is granted', async () => {
    const run = async (command: string) => {
      const answer = await house.ask('POST', '/v1/exec', { selector: 'kitchen', command })
      return answer.payload
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    }
    const logins = () =>
      house.home.audit.entries().filter(entry => JSON.stringify(entry).includes('login'))
    await run('true')
    const before = logins().length
    for (const word of ['one', 'two'])
      expect((await run(`echo ${word}`))[0]).toMatchObject({ data: `${word}\n` })
    expect(logins()).toHaveLength(before)
    // Beside each other as well: a few over one, the others over their own.
    const many = await Promise.all(Array.from({ length: 6 }, (_, i) => run(`sleep 0.2; exit ${i}`)))
    expect(many.map(lines => lines.at(-1).exit_code)).toEqual([0, 1, 2, 3, 4, 5])
    await expect.poll(() => house.home.agent.status().ssh_connections).toBe(1)
  })

  test('ends a command that nobody waits for any more', async () => {
    const gone = new AbortController()
    const answer = await fetch(`${url}/v1/exec`, {
      method: 'POST',
      signal: gone.signal,
      headers: { ...authorization(), 'content-type': 'application/json' },
      body: JSON.stringify({ selector: 'kitchen', command: 'echo on; sleep 60' }),
    })
    await answer.body!.getReader().read()
    gone.abort()
    await expect.poll(() => house.home.agent.status().ssh_connections).toBe(0)
  })

  test('runs a command as a user of the device, and says why not where there is none', async () => {
    const own = userInfo().username
    const run = async (user: string) => {
      const body = { selector: 'kitchen', command: 'id -un', user }
      const { payload } = await house.ask('POST', '/v1/exec', body)
      return payload
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    }
    expect(await run(own)).toMatchObject([{ data: `${own}\n` }, { exit_code: 0 }])
    const [nobody] = await run('no-such-user')
    expect(nobody).toMatchObject({
      exit_code: null,
      error: { code: expect.stringMatching(/^USER_/) },
    })
  })

  test('tells grants, the audit journal and whether it is whole, and of a name why not', async () => {
    const { grants } = (await house.ask('GET', '/v1/devices/kitchen/grants')).json()
    expect(grants).toMatchObject([{ holder: 'home', until: null, scope: { users: null } }])
    const audit = (await house.ask('GET', '/v1/devices/kitchen/audit?last=1')).json()
    expect(audit).toMatchObject({ fault: null, entries: [{ who: 'home' }] })
    const bad = await house.ask('GET', '/v1/devices/kitchen/audit?last=0')
    expect(bad.statusCode).toBe(400)
    expect(bad.json()).toMatchObject({ error: { code: 'INPUT_INVALID' } })
    const recordings = await house.ask('GET', '/v1/devices/kitchen/recordings')
    expect(recordings.json()).toEqual({ recordings: [] })
    const nobody = await house.ask('GET', '/v1/names/kitchen.home')
    expect([nobody.statusCode, nobody.json().error.code]).toEqual([504, 'NO_HUB'])
  })

  test('lets somebody in and out again, and narrows only what it grants', async () => {
    const person = zoneToText(ZoneSecret.generate('EDKEY', systemRandom).zone)
    const path = '/v1/devices/kitchen/grants'
    const narrowed = { users: ['www'], commands: ['uptime'] }
    const grant = { person, as: 'ada', rights: ['status', 'exec'], ...narrowed }
    const given = await house.ask('POST', path, { ...grant, recorded: true, until: '2999-01-31' })
    const until = '2999-01-31T00:00:00.000Z'
    const scope = { ...narrowed, paths: null, targets: null }
    const held = { holder: 'ada', rights: ['status', 'exec'], scope, recorded: true, until }
    expect(given.json()).toEqual({ ...held, approved: false })
    expect((await house.ask('GET', path)).json().grants).toContainEqual(
      expect.objectContaining({ ...held, holder_zone: person }),
    )
    for (const wrong of [
      { ...grant, rights: ['status'] },
      { ...grant, rights: ['status'], commands: undefined },
      { ...grant, rights: ['all'] },
      { ...grant, rights: [] },
      { ...grant, until: '2001-01-01' },
      { ...grant, until: 'soon' },
      { ...grant, person: 'ada' },
      { ...grant, users: ['no such name!'] },
      { ...grant, users: [] },
      { ...grant, rights: ['exec', 'push'], approved: true },
      { ...grant, rights: ['files'], commands: undefined, paths: ['srv'] },
    ])
      expect((await house.ask('POST', path, wrong)).statusCode, JSON.stringify(wrong)).toBe(400)
    const revoke = () => house.ask('POST', '/v1/devices/kitchen/revoke', { person: 'ada' })
    expect((await revoke()).json()).toEqual({ holder: 'ada', holder_zone: person })
    expect((await revoke()).statusCode).toBe(400)
    expect((await house.ask('GET', path)).json().grants).toHaveLength(1)
  })

  test('tells what waits for another person, and takes a verdict about nothing else', async () => {
    const path = '/v1/devices/kitchen/approvals'
    expect((await house.ask('GET', path)).json()).toEqual({ approvals: [] })
    const verdict = await house.ask('POST', path, { id: '7Q3X', verdict: 'approve' })
    expect([verdict.statusCode, verdict.json().error.code]).toEqual([404, 'APPROVAL_UNKNOWN'])
    for (const wrong of [
      { id: '7Q3X' },
      { id: '7Q3X', verdict: 'perhaps' },
      { id: '7', verdict: 'deny' },
    ])
      expect((await house.ask('POST', path, wrong)).statusCode, JSON.stringify(wrong)).toBe(400)
  })

  test('queues a command, tells what came of it, and takes one back', async () => {
    const wrong = await house.ask('POST', '/v1/jobs', {
      ...{ selector: 'kitchen', command: 'true', every: 'now and then' },
    })
    expect([wrong.statusCode, wrong.json().error.code]).toEqual([400, 'INPUT_INVALID'])
    const later = { selector: '@routers', command: 'echo warm', every: 'daily 03:30' }
    const { jobs } = (await house.ask('POST', '/v1/jobs', later)).json()
    expect(jobs).toMatchObject([{ device: 'kitchen', line: 'echo warm', every: 'daily 03:30' }])
    const all = () => house.ask('GET', '/v1/jobs?device=kitchen')
    expect((await all()).json().jobs).toMatchObject([{ id: jobs[0].id, cancelling: false }])
    const taken = await house.ask('POST', `/v1/jobs/${jobs[0].id}/cancel`, {})
    expect(taken.json().jobs).toMatchObject([{ id: jobs[0].id }])
    const [job] = (await all()).json().jobs
    expect(job.cancelling || ['cancelled', 'refused'].includes(job.state), job.state).toBe(true)
    expect((await house.ask('GET', '/v1/jobs?device=attic')).json()).toEqual({ jobs: [] })
    const nobody = await house.ask('POST', '/v1/jobs/0000/cancel', {})
    expect([nobody.statusCode, nobody.json().error.code]).toEqual([404, 'JOB_UNKNOWN'])
  })

  test('gives a device another name, and forgets one', async () => {
    const { zone } = ZoneSecret.generate('EDKEY', systemRandom)
    const attic = { name: 'attic', zone, tags: [], pairedAt: 0, last: null }
    await house.context.fleet.add(attic)
    const renamed = await house.ask('POST', '/v1/devices/attic/rename', { to: 'loft' })
    expect(renamed.json()).toEqual({ name: 'loft', was: 'attic', zone: zoneToText(zone) })
    const taken = await house.ask('POST', '/v1/devices/loft/rename', { to: 'kitchen' })
    expect([taken.statusCode, taken.json().error.code]).toEqual([400, 'NAME_TAKEN'])
    const forgotten = await house.ask('DELETE', '/v1/devices/loft')
    expect(forgotten.json()).toEqual({ name: 'loft', zone: zoneToText(zone) })
    expect((await house.ask('DELETE', '/v1/devices/loft')).statusCode).toBe(404)
    expect(house.context.fleet.devices()).toHaveLength(1)
  })

  test('tells the ways to devices, and how they were by the minute', async () => {
    const peer = encodeBase32(house.home.deviceMesh.self)
    expect((await house.ask('GET', '/v1/map')).json()).toMatchObject({
      devices: [{ name: 'kitchen', stale: false, hubs: [], peer }],
    })
    const { at, series } = (await house.ask('GET', '/v1/devices/kitchen/history')).json()
    expect(series.memory).toHaveLength(at.length)
    expect(series.memory.at(-1)).toBeGreaterThan(0)
    expect((await house.ask('GET', '/v1/devices/attic/history')).statusCode).toBe(404)
  })

  test('asks for no bundle that is none, and says what is wrong with it', async () => {
    const bundle = join(house.directory, 'bundle')
    mkdirSync(bundle)
    writeFileSync(join(bundle, 'bundle.yaml'), 'nonsense: 1\n')
    const wrong = await house.ask('POST', '/v1/plan', { selector: 'kitchen', bundle })
    expect([wrong.statusCode, wrong.json().error.code]).toEqual([400, 'BUNDLE_INVALID'])
    for (const path of ['/v1/plan', '/v1/push']) {
      const near = await house.ask('POST', path, { selector: 'kitchen', bundle: 'here' })
      expect([near.statusCode, near.json().error.code]).toEqual([400, 'INPUT_INVALID'])
      const bad = await house.ask('POST', path, { selector: 'kitchen', bundle })
      expect([bad.statusCode, bad.json().error.code]).toEqual([400, 'BUNDLE_INVALID'])
    }
    const nowhere = await house.ask('POST', '/v1/devices/attic/rollback', {})
    expect(nowhere.statusCode).toBe(404)
  })
})

describe('whoever is not meant', () => {
  const statusOf = async (headers: object, path = '/v1/devices', method: 'GET' | 'POST' = 'GET') =>
    (await house.ask(method, path, undefined, headers)).statusCode

  test('is refused without the token, with another, and with half of it', async () => {
    for (const authorization of [
      '',
      'Bearer',
      'Bearer x',
      `Bearer ${house.token.slice(0, -1)}`,
      `Basic ${house.token}`,
    ])
      expect(await statusOf({ authorization }), authorization).toBe(401)
    expect(await statusOf({ authorization: '' }, '/nowhere')).toBe(401)
    expect((statSync(join(house.directory, TOKEN_FILE)).mode & 0o777).toString(8)).toBe('600')
  })

  test('is refused under a name that leads here, and from a page of another site', async () => {
    expect(await statusOf({ host: 'attacker.example' })).toBe(421)
    expect(await statusOf({ origin: 'http://attacker.example' })).toBe(403)
    expect(await statusOf({ origin: 'null' })).toBe(403)
    expect(await statusOf({ origin: 'http://localhost:1' })).toBe(403)
    expect(await statusOf({ 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await statusOf({ 'sec-fetch-site': 'same-site' }, '/v1/exec', 'POST')).toBe(403)
    expect(await statusOf({ origin: 'http://localhost', 'sec-fetch-site': 'same-origin' })).toBe(
      200,
    )
  })

  test('finds no other path, and gets no body in that is too long, of another kind or nonsense', async () => {
    for (const path of [
      '/../etc/passwd',
      '/v1/devices/..%2f..%2fetc%2fpasswd',
      '/v1//devices',
      '/v1/devices/%00',
    ])
      expect([400, 404], path).toContain(await statusOf({}, path))
    const post = async (payload: object | string, type = 'application/json') =>
      (
        await house.app.inject({
          ...{ method: 'POST', url: '/v1/exec', payload },
          headers: { host: 'localhost', ...authorization(), 'content-type': type },
        })
      ).statusCode
    expect(await post({ selector: 'kitchen', command: 'true', input: 'x'.repeat(2 ** 20) })).toBe(
      413,
    )
    expect(await post('selector=kitchen&command=true', 'application/x-www-form-urlencoded')).toBe(
      415,
    )
    expect(await post('{"selector":"kitchen","command":"true"}', 'text/plain')).toBe(400)
    expect(await post('{"selector":')).toBe(400)
    expect(await post({ selector: 'kitchen' })).toBe(400)
    expect(await post({ selector: 'kitchen', command: 'true', more: 1 })).toBe(400)
    expect(await post({ selector: 'kitchen', command: 7 })).toBe(400)
    expect(await post('{"__proto__":{"x":1},"selector":"kitchen","command":"true"}')).toBe(400)
  })

  test('holds no place by sending slowly', { timeout: 30_000 }, async () => {
    const { port } = new URL(url)
    const ends = [
      'GET / HTTP/1.1\r\nhost: l',
      'POST /v1/exec HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{',
    ].map(
      text =>
        new Promise<void>(resolve => {
          const socket = connect(Number(port), '127.0.0.1', () => socket.write(text))
          socket.resume().on('close', () => resolve())
        }),
    )
    await Promise.all(ends)
    expect(await statusOf({})).toBe(200)
  })
})
