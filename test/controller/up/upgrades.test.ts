/** Upgrades through the API, of devices with real versions and the real launcher (test/controller/upgrade/town.ts). */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ReleaseShelf } from '../../../controller/up/release-shelf.ts'
import { EXECUTABLE_BYTES_MAX } from '../../../src/box/executable-release.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import { releaseFile } from '../../agent/small-release.ts'
import { large, UpgradeTown } from '../upgrade/town.ts'
import { askOf, linesOf, type Up, upOver } from './up-over.ts'

let town: UpgradeTown
let releases: string
let up: Up
let url: string

beforeEach(async () => {
  town = await UpgradeTown.open()
  releases = mkdtempSync(join(tmpdir(), 'box-releases-'))
  up = await upOver(context())
  url = await up.app.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(async () => {
  await up.close()
  await town.close()
  rmSync(releases, { recursive: true, force: true })
})

const context = () => town.house.controller.context
const kept = () => {
  const directory = join(context().state.directory, '.releases')
  return existsSync(directory) ? readdirSync(directory) : []
}
const release = (version: string, more: Parameters<typeof releaseFile>[1] = {}) => {
  const path = join(releases, `${version}.release`)
  return new Uint8Array(
    readFileSync(releaseFile(version, { content: large(version), path, ...more })),
  )
}

async function upload(body: Uint8Array | AsyncIterable<Uint8Array>, headers: object = {}) {
  const answer = await fetch(`${url}/v1/releases`, {
    ...{ method: 'POST', body: body as Uint8Array<ArrayBuffer>, duplex: 'half' },
    headers: {
      authorization: `Bearer ${up.token}`,
      'content-type': 'application/octet-stream',
      ...headers,
    },
  })
  const said = (await answer.json()) as { id: string; error?: { code: string; message: string } }
  return { status: answer.status, said }
}
const post = (path: string, body: object = {}) => askOf(up, 'POST', path, body)
const last = async () => (await askOf(up, 'GET', '/v1/upgrade')).json().upgrade

test('a release that is handed over is planned with, brought, proven, and taken away at the end', async () => {
  await town.device('attic')
  await town.device('cellar')
  expect(await last()).toBeNull()
  const { status, said } = await upload(release('1.1.0'))
  expect(status).toBe(200)
  expect(said).toMatchObject({ version: '1.1.0', machine: 'linux-x64' })
  expect((await askOf(up, 'GET', '/v1/releases')).json()).toEqual({ releases: [said] })
  expect(kept()).toEqual([`${said.id}.release`])
  const wanted = { selector: '@all', releases: [said.id] }
  const planned = { does: 'upgrade', machine: 'linux-x64', version: '1.0.0', to: '1.1.0' }
  expect((await post('/v1/upgrade/plan', wanted)).json()).toEqual({
    devices: ['attic', 'cellar'].map(name => ({ name, ...planned, gave_way: false, error: null })),
  })
  expect(town.taken).toEqual([])
  const lines = linesOf(await post('/v1/upgrade', wanted))
  const results = lines.filter(line => 'result' in line)
  const result = { result: 'upgraded', version: '1.1.0', before: '1.0.0', error: null }
  expect(results).toEqual([
    { name: 'attic', ...result },
    { name: 'cellar', ...result },
  ])
  expect(lines).toContainEqual({ name: 'attic', doing: 'waiting for the new version' })
  expect([town.version('attic'), town.version('cellar')]).toEqual(['1.1.0', '1.1.0'])
  expect(await last()).toMatchObject({
    ...{ running: false, stopping: false, downgrade: false },
    releases: [{ version: '1.1.0', machine: 'linux-x64' }],
    devices: [{ name: 'attic', doing: null, ...result }, { name: 'cellar' }],
  })
  expect((await post('/v1/upgrade/plan', wanted)).json().devices[0].does).toBe('unchanged')
  expect((await askOf(up, 'DELETE', `/v1/releases/${said.id}`)).statusCode).toBe(200)
  expect(kept()).toEqual([])
  expect((await post('/v1/upgrade', wanted)).statusCode).toBe(400)
})

test('a version that nobody reaches gives way, which is told, and is told beforehand the next time', async () => {
  await town.device('attic')
  town.unreachable.add('1.1.0')
  const { said } = await upload(release('1.1.0'))
  const wanted = { selector: 'attic', releases: [said.id] }
  expect(linesOf(await post('/v1/upgrade', wanted)).at(-1)).toEqual({
    ...{ name: 'attic', result: 'gave_way', version: '1.1.0', before: '1.0.0', error: null },
  })
  expect((await post('/v1/upgrade/plan', wanted)).json().devices).toMatchObject([
    { name: 'attic', does: 'upgrade', version: '1.0.0', to: '1.1.0', gave_way: true },
  ])
})

test('what is no release, or not whole, or damaged, is refused, and nothing of it stays', async () => {
  const good = release('1.1.0')
  const damaged = good.slice()
  damaged[damaged.length - 1]! ^= 1
  const refused = async (body: Parameters<typeof upload>[0], headers: object = {}) => {
    const { status, said } = await upload(body, headers)
    expect(kept()).toEqual([])
    return [status, said.error?.message]
  }
  const not = 'The release is not taken.'
  expect(await refused(new Uint8Array(5_000))).toEqual([403, `${not} It is of another kind.`])
  expect(await refused(new Uint8Array(0))).toEqual([403, `${not} It is of another kind.`])
  expect(await refused(good.slice(0, -1))).toEqual([403, `${not} It is not whole.`])
  expect(await refused(damaged)).toEqual([
    403,
    `${not} It is damaged: it is not what its head says.`,
  ])
  const longer = new Uint8Array([...good, 0])
  expect(await refused(longer)).toEqual([403, `${not} It is longer than its head says.`])
  expect((await upload(good, { 'content-type': 'application/json' })).status).toBe(415)
  const huge = { 'content-length': `${EXECUTABLE_BYTES_MAX * 2}` }
  const inject = await up.app.inject({
    ...{ method: 'POST', url: '/v1/releases', payload: Buffer.from('x') },
    headers: {
      ...{ host: 'localhost', authorization: `Bearer ${up.token}`, ...huge },
      'content-type': 'application/octet-stream',
    },
  })
  expect([inject.statusCode, inject.json().error.code]).toEqual([413, 'RELEASE_REFUSED'])
  expect((await askOf(up, 'GET', '/v1/releases')).json()).toEqual({ releases: [] })
})

test('a body that breaks off leaves nothing behind', async () => {
  const good = release('1.1.0')
  const breaking = (async function* () {
    yield good.subarray(0, 100_000)
    await expect.poll(kept).toHaveLength(1)
    throw new Error('the program has died')
  })()
  await expect(upload(breaking)).rejects.toThrow()
  await expect.poll(kept).toEqual([])
})

test('a signature that no device knows is refused by the device, an older version unless it is meant', async () => {
  await town.device('attic')
  const stranger = SigningKey.fromSeed(new Uint8Array(32).fill(9))
  const foreign = await upload(release('1.1.0', { key: stranger }))
  const run = async (id: string, more: object = {}) =>
    linesOf(await post('/v1/upgrade', { selector: 'attic', releases: [id], ...more })).at(-1)
  expect(await run(foreign.said.id)).toMatchObject({
    result: 'refused',
    error: { code: 'RELEASE_REFUSED', message: expect.stringContaining('No pinned key') },
  })
  const older = await upload(release('0.9.0'))
  const wanted = { selector: 'attic', releases: [older.said.id] }
  const plan = async () => (await post('/v1/upgrade/plan', wanted)).json().devices
  expect(await plan()).toMatchObject([{ does: 'downgrade', to: '0.9.0' }])
  expect(await run(older.said.id)).toMatchObject({ result: 'refused' })
  expect(await run(older.said.id, { downgrade: true })).toMatchObject({ result: 'upgraded' })
  const arm = await upload(release('1.2.0', { machine: 'linux-arm64' }))
  expect(
    (await post('/v1/upgrade/plan', { selector: 'attic', releases: [arm.said.id] })).json(),
  ).toMatchObject({ devices: [{ does: 'refused', version: '0.9.0', to: null }] })
  const both = { selector: 'attic', releases: [older.said.id, foreign.said.id] }
  expect((await post('/v1/upgrade', both)).json().error.message).toContain('Two of the releases')
})

test('one goes on at a time; stopped, it begins with no other device, and a reader who leaves stops nothing', async () => {
  for (const name of ['attic', 'cellar', 'hut']) await town.device(name)
  const { said } = await upload(release('1.1.0'))
  const wanted = { selector: '@all', releases: [said.id], batch: 1 }
  const gone = new AbortController()
  const answer = await fetch(`${url}/v1/upgrade`, {
    ...{ method: 'POST', signal: gone.signal, body: JSON.stringify(wanted) },
    headers: { authorization: `Bearer ${up.token}`, 'content-type': 'application/json' },
  })
  await answer.body!.getReader().read()
  gone.abort()
  const again = await post('/v1/upgrade', wanted)
  expect([again.statusCode, again.json().error.code]).toEqual([409, 'API_REFUSED'])
  expect((await askOf(up, 'DELETE', `/v1/releases/${said.id}`)).statusCode).toBe(409)
  await expect.poll(() => town.taken, { timeout: 30_000 }).toEqual(['attic'])
  expect((await post('/v1/upgrade/stop')).statusCode).toBe(200)
  expect(await last()).toMatchObject({ running: true, stopping: true })
  await expect.poll(async () => (await last()).running, { timeout: 30_000 }).toBe(false)
  expect((await last()).devices.map(({ result }: { result: string }) => result)).toEqual([
    ...['upgraded', 'not_tried', 'not_tried'],
  ])
  expect(town.version('attic')).toBe('1.1.0')
  expect(town.taken).toEqual(['attic'])
  expect((await post('/v1/upgrade/stop')).statusCode).toBe(409)
})

test('no more than four are kept, what a process before left is taken away, and the end takes all', async () => {
  for (let i = 1; i <= 4; i++) expect((await upload(release(`1.${i}.0`))).status).toBe(200)
  const { status, said } = await upload(release('1.9.0'))
  expect([status, said.error!.code]).toEqual([409, 'API_REFUSED'])
  expect(kept()).toHaveLength(4)
  // As after a kill.
  new ReleaseShelf(context())
  expect(kept()).toEqual([])
  await upload(release('1.9.0')).catch(() => {})
  await up.app.close()
  expect(kept()).toEqual([])
})
