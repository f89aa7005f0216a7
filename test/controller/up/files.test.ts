import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { House } from './house.ts'

const house = new House()
let url = ''
let place = ''

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
  place = mkdtempSync(join(tmpdir(), 'box-files-'))
})
afterAll(async () => {
  await house.stop()
  rmSync(place, { recursive: true })
})

const FILES = '/v1/devices/kitchen/files'
const headers = () => ({ authorization: `Bearer ${house.token}` })
const query = (values: Record<string, string>) => `?${new URLSearchParams(values)}`

const get = (word: string, values: Record<string, string>, more: Record<string, string> = {}) =>
  fetch(`${url}${FILES}${word}${query(values)}`, { headers: { ...headers(), ...more } })
const put = (
  values: Record<string, string>,
  body: string | Uint8Array<ArrayBuffer>,
  type = 'application/octet-stream',
) =>
  fetch(`${url}${FILES}/content${query(values)}`, {
    ...{ method: 'PUT', body, duplex: 'half' },
    headers: { ...headers(), 'content-type': type },
  })
const post = (word: string, body: object) => house.ask('POST', `${FILES}/${word}`, body)
const remove = (values: Record<string, string>) => house.ask('DELETE', `${FILES}${query(values)}`)
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const errorOf = async (answer: Response) => {
  const { error } = (await answer.json()) as { error: { code: string; message: string } }
  return { status: answer.status, code: error.code, message: error.message }
}

describe('a directory of a device', () => {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(place, 'dir-'))
  })

  test('is listed by name, with what each is and where links lead', async () => {
    mkdirSync(join(directory, 'sub'))
    writeFileSync(join(directory, 'ä b'), 'four', { mode: 0o640 })
    symlinkSync('sub', join(directory, 'link'))
    symlinkSync('nowhere', join(directory, 'broken'))
    const listing = (await (await get('', { path: directory })).json()) as { entries: object[] }
    expect(listing).toMatchObject({ path: directory, next: null, is_whole: true })
    expect(listing.entries).toMatchObject([
      { name: 'broken', kind: 'link', leads_to: null },
      { name: 'link', kind: 'link', leads_to: 'directory' },
      { name: 'sub', kind: 'directory', leads_to: null },
      { name: 'ä b', kind: 'file', size: 4, mode: '0640', leads_to: null },
    ])
    const entry = await (await get('/entry', { path: join(directory, 'link') })).json()
    expect(entry).toMatchObject({ path: join(directory, 'sub'), kind: 'directory' })
  })

  test('is listed a page at a time, each name once', async () => {
    for (let i = 0; i < 250; i++) writeFileSync(join(directory, `f${i}`), '')
    const names: string[] = []
    let after: string | null = null
    do {
      const more: Record<string, string> = after === null ? {} : { after }
      const answer = await get('', { path: directory, limit: '100', ...more })
      const page = (await answer.json()) as { entries: { name: string }[]; next: string | null }
      names.push(...page.entries.map(({ name }) => name))
      after = page.next
    } while (after !== null)
    expect(names).toEqual(readdirSync(directory).sort())
    for (const limit of ['0', '1001', '-1', 'x'])
      expect((await get('', { path: directory, limit })).status, limit).toBe(400)
  })

  test('is made, renamed and removed; nothing is overwritten unless it was said', async () => {
    const path = join(directory, 'new')
    expect((await post('directories', { path })).json()).toEqual({ path })
    expect(statSync(path).isDirectory()).toBe(true)
    const again = await post('directories', { path })
    expect([again.statusCode, again.json().error.code]).toEqual([409, 'FILE_EXISTS'])
    const [a, b] = [join(directory, 'a'), join(directory, 'b')]
    writeFileSync(a, 'a')
    writeFileSync(b, 'b')
    const taken = await post('rename', { path: a, to: b })
    expect([taken.statusCode, taken.json().error.code]).toEqual([409, 'FILE_EXISTS'])
    expect((await post('rename', { path: a, to: b, replace: true })).statusCode).toBe(200)
    expect([existsSync(a), readFileSync(b, 'utf8')]).toEqual([false, 'a'])
    expect((await remove({ path: b })).statusCode).toBe(200)
    expect(existsSync(b)).toBe(false)
    const gone = await remove({ path: b })
    expect([gone.statusCode, gone.json().error.code]).toEqual([404, 'FILE_UNKNOWN'])
  })

  test('is removed with what is in it only where that was said; links in it are not followed', async () => {
    const [tree, beside] = [join(directory, 'tree'), join(directory, 'beside')]
    mkdirSync(join(tree, 'deep', 'er'), { recursive: true })
    mkdirSync(beside)
    writeFileSync(join(beside, 'stays'), 'x')
    writeFileSync(join(tree, 'deep', 'er', 'file'), 'x')
    symlinkSync(beside, join(tree, 'deep', 'link'))
    const full = await remove({ path: tree })
    expect([full.statusCode, full.json().error.code]).toEqual([409, 'FILE_UNUSABLE'])
    expect((await remove({ path: tree, recursive: 'true' })).statusCode).toBe(200)
    expect([existsSync(tree), existsSync(join(beside, 'stays'))]).toEqual([false, true])
    for (const path of ['/', '//', '/../', '/etc/..'])
      expect((await remove({ path, recursive: 'true' })).statusCode, path).toBe(400)
  })
})

describe('a file of a device', () => {
  const bytes = new Uint8Array(randomBytes(3_000_000))
  const small = (name: string, text: string) => {
    writeFileSync(join(place, name), text)
    return join(place, name)
  }

  test('is read whole, as an attachment that no browser shows', async () => {
    const path = join(place, 'l’été "1".html')
    writeFileSync(path, bytes)
    const answer = await get('/content', { path })
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '3000000',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
      'content-disposition': `attachment; filename="l__t___1_.html"; filename*=UTF-8''l%E2%80%99%C3%A9t%C3%A9%20%221%22.html`,
    })
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes))
  })

  test('is read in part, and gone on with only while it is the same', async () => {
    const path = small('part', '0123456789')
    const part = async (range: string, more: Record<string, string> = {}) => {
      const answer = await get('/content', { path }, { range, ...more })
      return [answer.status, answer.headers.get('content-range'), await answer.text()]
    }
    expect(await part('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234'])
    expect(await part('bytes=8-')).toEqual([206, 'bytes 8-9/10', '89'])
    expect(await part('bytes=-3')).toEqual([206, 'bytes 7-9/10', '789'])
    expect((await part('bytes=10-')).slice(0, 2)).toEqual([416, 'bytes */10'])
    expect(await part('bytes=0-1,4-5')).toEqual([200, null, '0123456789'])
    const etag = (await get('/content', { path })).headers.get('etag')!
    expect((await part('bytes=9-', { 'if-range': etag }))[0]).toBe(206)
    expect((await part('bytes=9-', { 'if-range': '"other"' }))[0]).toBe(200)
  })

  test('is read to its end where its size is not known before, and is none where it is no file', async () => {
    const version = await get('/content', { path: '/proc/version' })
    expect(await version.text()).toBe(readFileSync('/proc/version', 'utf8'))
    expect(await (await get('/content', { path: small('empty', '') })).text()).toBe('')
    expect(await errorOf(await get('/content', { path: place }))).toMatchObject({
      ...{ status: 409, code: 'FILE_UNUSABLE' },
    })
    const missing = await errorOf(await get('/content', { path: join(place, 'missing') }))
    expect(missing).toMatchObject({ status: 404, code: 'FILE_UNKNOWN' })
    expect(missing.message).toContain(join(place, 'missing'))
  })

  test('whose reading is given up leaves nothing open, and the device answers on', async () => {
    const path = join(place, 'large')
    writeFileSync(path, Buffer.alloc(40_000_000))
    for (let i = 0; i < 30; i++) {
      const gone = new AbortController()
      const target = `${url}${FILES}/content${query({ path })}`
      const answer = await fetch(target, { headers: headers(), signal: gone.signal })
      await answer.body!.getReader().read()
      gone.abort()
    }
    expect((await get('/entry', { path })).status).toBe(200)
    await expect.poll(() => house.home.agent.status().ssh_connections).toBeLessThan(3)
  })

  test('is written whole, under its name only when all of it is there', async () => {
    const path = join(place, 'written')
    const answer = await put({ path, mode: '600' }, bytes)
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { path, size: bytes.length, sha256: sha256(bytes) },
    ])
    expect(sha256(readFileSync(path))).toBe(sha256(bytes))
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600')
    expect(await errorOf(await put({ path }, 'other'))).toMatchObject({
      ...{ status: 409, code: 'FILE_EXISTS' },
    })
    expect((await put({ path, replace: 'true' }, 'other')).status).toBe(200)
    expect(readFileSync(path, 'utf8')).toBe('other')
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600')
    expect((await put({ path: join(place, 'no', 'such') }, 'x')).status).toBe(404)
    expect(readdirSync(place).filter(name => name.startsWith('.box-part'))).toEqual([])
  })

  test('stays as it was where what should replace it breaks off', async () => {
    const path = small('kept', 'old')
    const target = `${url}${FILES}/content${query({ path, replace: 'true' })}`
    const type = { 'content-type': 'application/octet-stream', 'content-length': 1_000_000 }
    const sending = request(target, { method: 'PUT', headers: { ...headers(), ...type } })
    sending.on('error', () => {})
    sending.write(Buffer.alloc(500_000))
    const parts = () => readdirSync(place).filter(name => name.startsWith('.box-part'))
    await expect.poll(parts).toHaveLength(1)
    sending.destroy()
    await expect.poll(parts).toEqual([])
    expect(readFileSync(path, 'utf8')).toBe('old')
  })

  test('is bytes and nothing else, and no other route takes any', async () => {
    const path = join(place, 'typed')
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x'])
      expect((await put({ path }, '{}', type)).status, type).toBe(415)
    const other = await fetch(`${url}/v1/exec`, {
      ...{ method: 'POST', body: 'x' },
      headers: { ...headers(), 'content-type': 'application/octet-stream' },
    })
    expect(other.status).toBe(415)
    for (const mode of ['9', '0o644', '7777', 'rw'])
      expect((await put({ path, mode }, 'x')).status, mode).toBe(400)
    expect(existsSync(path)).toBe(false)
    const zero = await get('/entry', { path: 'a\0b' })
    expect(zero.status).toBe(400)
    expect((await get('/entry', { path, user: 'not a user' })).status).toBe(400)
  })
})
