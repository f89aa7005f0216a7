/** The end of a zone in GNS over the API. The process that works is a small one, which does as it is told. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  beginRevocation,
  keepRevocation,
  keptRevocation,
} from '../../../controller/revocation-book.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { revocationTime, signIntent } from '../../../src/gns/revocation.ts'
import { systemRandom } from '../../../src/sys/random.ts'
import { PushHouse } from '../push/house.ts'
import { askOf, linesOf, type Up, upOver } from './up-over.ts'

/** A process, on a machine that may have much else to do. */
const STARTED = { timeout: 30_000 }

let house: PushHouse
let up: Up
let place: string

/** Says with which words it was started, and ends as its file `end` says, or when it is interrupted. */
const WORKER = `
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
const [, , place, ...words] = process.argv
process.on('SIGINT', () => process.exit(130))
writeFileSync(place + '/words', words.join(' '))
setInterval(() => {
  if (!existsSync(place + '/end')) return
  const { code, error } = JSON.parse(readFileSync(place + '/end', 'utf8'))
  if (error) console.error(JSON.stringify({ error }))
  process.exit(code)
}, 20)
`

beforeEach(async () => {
  house = await PushHouse.open()
  await house.device('attic')
  place = mkdtempSync(join(tmpdir(), 'box-worker-'))
  writeFileSync(join(place, 'worker.mjs'), WORKER)
  const box = [process.execPath, join(place, 'worker.mjs'), place]
  up = await upOver({ ...house.controller.context, box })
})
afterEach(async () => {
  await up.close()
  await house.close()
  rmSync(place, { recursive: true })
})

const context = () => house.controller.context
const own = () => context().ego().secret
const post = (path: string, body: object) => askOf(up, 'POST', path, body)
const state = async (query = '') => (await askOf(up, 'GET', `/v1/revocation${query}`)).json()
const words = () => {
  try {
    return readFileSync(join(place, 'words'), 'utf8')
  } catch {
    return null
  }
}
const end = (how: object) => writeFileSync(join(place, 'end'), JSON.stringify(how))

/** The certificate for ourselves, with so many tries. */
async function tried(tries: number): Promise<void> {
  const intent = signIntent(own(), revocationTime(Date.now()))
  const kept =
    keptRevocation(context().state, own().zone) ?? beginRevocation(intent, 1, systemRandom)
  for (let i = 0; i < tries; i++) kept.work.step()
  await keepRevocation(context().state, kept)
}

test('the work is done beside us, once, tells how far it is, and is stopped', async () => {
  const working = post('/v1/revocation/make', { years: 2 })
  await expect.poll(words, STARTED).toBe('revocation make --years 2 --json')
  await tried(5)
  expect(await state()).toMatchObject({
    ...{ name: 'home', zone: zoneToText(own().zone), revoked: false, revoked_until: null },
    ...{ working: true, certificate: { ready: false, tries: 5 } },
  })
  expect((await post('/v1/revocation/make', {})).statusCode).toBe(409)
  expect((await post('/v1/revocation/stop', { device: 'attic' })).statusCode).toBe(409)
  expect((await post('/v1/revocation/stop', {})).statusCode).toBe(200)
  const lines = linesOf(await working)
  expect(lines[0]).toMatchObject({ tries: 5, expected_tries: 16, done_percent: expect.any(Number) })
  expect(lines.at(-1)).toEqual({ exit_code: 130 })
  expect((await state()).working).toBe(false)
  expect((await post('/v1/revocation/stop', {})).statusCode).toBe(409)
})

test('what goes wrong in it is said as the command says it', async () => {
  const working = post('/v1/revocation/make', { device: 'attic' })
  await expect.poll(words, STARTED).toBe('revocation make attic --years 1 --json')
  const message = 'The peer did not answer in time. attic is off.'
  end({ code: 75, error: { code: 'PEER_TIMEOUT', family: 'unreachable', message } })
  expect(linesOf(await working)).toEqual([
    { error: { code: 'PEER_TIMEOUT', family: 'unreachable', message } },
  ])
  expect((await post('/v1/revocation/make', { device: 'nobody' })).statusCode).toBe(404)
  expect((await post('/v1/revocation/make', { years: 9 })).statusCode).toBe(400)
})

test('a zone is ended by its name said again, with a certificate that is ready, and for good', async () => {
  const publish = (body: object) => post('/v1/revocation/publish', body)
  const notReady = await publish({ confirm: 'home' })
  expect([notReady.statusCode, notReady.json().error.code]).toEqual([400, 'INPUT_INVALID'])
  await tried(32)
  expect((await state()).certificate).toMatchObject({ ready: true, years: 1, tries: 32 })
  expect(JSON.stringify(await state())).not.toContain('nonce')
  for (const body of [
    {},
    { confirm: '' },
    { confirm: 'attic' },
    { device: 'attic', confirm: 'home' },
  ])
    expect((await publish(body)).statusCode, JSON.stringify(body)).toBe(400)
  expect((await state()).revoked).toBe(false)
  const answer = await publish({ confirm: 'home' })
  expect(answer.json()).toEqual({
    ...{ name: 'home', zone: zoneToText(own().zone), until: expect.stringMatching(/^20/) },
  })
  expect(await state()).toMatchObject({ revoked: true, revoked_until: answer.json().until })
})

test('the work ends with box up', async () => {
  const working = post('/v1/revocation/make', {})
  await expect.poll(words, STARTED).not.toBeNull()
  const [answer] = await Promise.all([working.catch(() => null), up.app.close()])
  expect(answer === null || linesOf(answer).at(-1)?.exit_code === 130).toBe(true)
})
