import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { FileBook } from '../../../controller/files/file-book.ts'
import { getFile } from '../../../controller/files/getting.ts'
import { takeForOffer } from '../../../controller/files/offering.ts'
import { offerCalled, offersKnown } from '../../../controller/files/offers.ts'
import { addHub } from '../../../controller/hubs.ts'
import { create } from '../../../controller/room/owning.ts'
import { addByKey } from '../../../controller/talk/acquaintance.ts'
import type { TalkDesk } from '../../../controller/talk/desk.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { offerId } from '../../../src/social/file-offer.ts'
import { CHUNK_SIZE } from '../../../src/social/file-tree.ts'
import { Friend } from './friend.ts'
import { House } from './house.ts'

// In real time: what others do is looked for every two seconds.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })
const POLL = { timeout: 50_000, interval: 50 }

const house = new House()
/** Several pieces, the last one not full. */
const CONTENT = new Uint8Array(randomBytes(40 * CHUNK_SIZE + 1_234))
let url = ''
let ada: Friend
let desk: TalkDesk
let place = ''

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
  place = mkdtempSync(join(tmpdir(), 'box-offers-'))
  const hub = house.home.net.peer()
  await addHub(house.context.state, hub.hello())
  const mesh = await house.context.mesh()
  mesh.introduce(hub.hello())
  ada = await Friend.at(house, hub, 'ada')
})
afterAll(async () => {
  await ada.stop()
  await house.stop()
  rmSync(place, { recursive: true })
})

interface Listed {
  readonly file: string
  readonly name: string
  readonly state: string
  readonly here: number
  readonly path: string | null
  readonly fetched_by: string[] | null
}

const headers = () => ({ authorization: `Bearer ${house.token}` })
const copies = () => {
  const folder = join(house.directory, '.copies')
  return existsSync(folder) ? readdirSync(folder) : []
}
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const list = async () => (await house.ask('GET', '/v1/files')).json().files as Listed[]
const listed = async (file: string) => (await list()).find(one => one.file === file)

const send = (path: string, name: string, body: Uint8Array<ArrayBuffer> | string, type?: string) =>
  fetch(`${url}${path}/files?${new URLSearchParams({ name })}`, {
    ...{ method: 'POST', body },
    headers: { ...headers(), 'content-type': type ?? 'application/octet-stream' },
  })
const get = (file: string, signal: AbortSignal | null = null) =>
  fetch(`${url}/v1/files/${file}/content?timeout_s=2`, { headers: headers(), signal })
const errorOf = async (answer: Response) => {
  const { error } = (await answer.json()) as { error: { code: string } }
  return [answer.status, error.code]
}

/** What was offered to ada, once she has heard of it. */
async function heardOf(file: string) {
  const { state, random } = ada.context
  const sealed = await SealedState.open(state, random)
  await expect
    .poll(
      async () => (await offersKnown(ada.context, sealed)).map(({ offer }) => offerId(offer)),
      POLL,
    )
    .toContain(file)
  return { sealed, offered: offerCalled(await offersKnown(ada.context, sealed), file) }
}

/** Ada fetches it; the bytes. */
async function fetchedByAda(file: string, timeoutMs = 20_000): Promise<Uint8Array> {
  const { sealed, offered } = await heardOf(file)
  const target = join(mkdtempSync(join(place, 'inbox-')), 'got')
  await getFile(ada.context, sealed, offered, { target, timeoutMs, step: () => {} })
  return readFileSync(target)
}

/** Ada offers it to us; what it is called, once we have heard of it. */
async function offeredByAda(name: string, content: Uint8Array): Promise<string> {
  const path = join(mkdtempSync(join(place, 'outbox-')), name)
  writeFileSync(path, content)
  const home = desk.book.contact('home')
  const { offer } = await takeForOffer(ada.context, desk.files, {
    ...{ path, step: () => {}, circle: { is: 'contact', zone: home.zone } },
  })
  desk.listsChanged()
  await desk.say(home, { is: 'file', offer })
  await expect.poll(() => listed(offerId(offer)), POLL).toBeDefined()
  return offerId(offer)
}

const hers = async (file: string) => {
  const { state, random } = ada.context
  return new FileBook(await SealedState.open(state, random)).find(file)
}

describe('files that people hand out, in the local API', () => {
  test('are none at first, and to ask for them makes nothing', async () => {
    expect(await list()).toEqual([])
    expect((await send('/v1/contacts/ada', 'a', 'x')).status).toBe(404)
    expect((await send('/v1/rooms/ops', 'a', 'x')).status).toBe(404)
    expect((await get('4k7zq0vd')).status).toBe(404)
    expect(copies()).toEqual([])
  })

  test('are offered to a contact as bytes, kept under the state, and handed out from there', async () => {
    await house.ask('POST', '/v1/contacts', { key: ada.key, as: 'ada' })
    await addByKey(ada.context, ada.book, house.home.owner.zone, 'home')
    desk = await ada.come()
    const answer = await send('/v1/contacts/ada', '../pl\u202ean.tar', CONTENT)
    const said = (await answer.json()) as { file: string }
    expect([answer.status, said]).toEqual([
      200,
      {
        ...{ file: expect.stringMatching(/^[0-9a-z]{16}$/), name: '_pl_an.tar' },
        ...{ size: CONTENT.length, to: 'ada', in: 'contact' },
        offer: expect.stringMatching(/^(waits|heard)$/),
      },
    ])
    const mine = (await listed(said.file))!
    expect(mine).toMatchObject({ state: 'yours', here: CONTENT.length, where: 'ada', by: 'home' })
    expect((statSync(mine.path!).mode & 0o777).toString(8)).toBe('600')
    expect((statSync(join(mine.path!, '..')).mode & 0o777).toString(8)).toBe('700')
    expect(sha256(await fetchedByAda(said.file))).toBe(sha256(CONTENT))
    await expect
      .poll(() => listed(said.file), POLL)
      .toMatchObject({ state: 'fetched', fetched_by: [ada.key] })
    const talk = (await house.ask('GET', '/v1/contacts/ada/messages')).json().messages
    expect(talk.at(-1)).toMatchObject({ what: 'file', file: said.file, name: '_pl_an.tar' })
  })

  test('are taken back, and the copy goes with that', async () => {
    const [{ file, path }] = (await list()) as [Listed]
    expect((await house.ask('DELETE', `/v1/files/${file.slice(0, 6)}`)).json()).toEqual({
      ...{ file, name: '_pl_an.tar', at_relay: false },
    })
    expect(existsSync(path!)).toBe(false)
    expect(copies()).toEqual([])
    expect(await listed(file)).toMatchObject({ state: 'taken', here: 0, path: null })
    await expect(fetchedByAda(file, 500)).rejects.toMatchObject({ family: 'unreachable' })
    const again = await house.ask('DELETE', `/v1/files/${file}`)
    expect([again.statusCode, again.json().error.code]).toEqual([404, 'OFFER_UNKNOWN'])
  })

  test('are bytes of a name, and nothing stays of what breaks off or is none', async () => {
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x'])
      expect((await send('/v1/contacts/ada', 'a', '{}', type)).status, type).toBe(415)
    expect((await send('/v1/contacts/ada', '', 'x')).status).toBe(400)
    expect((await send('/v1/contacts/bob', 'a', 'x')).status).toBe(404)
    const from = async (more: Record<string, string>) => {
      const type = { 'content-type': 'application/octet-stream' }
      const target = `${url}/v1/contacts/ada/files?name=a`
      const answer = await fetch(target, {
        method: 'POST',
        body: 'x',
        headers: { ...type, ...more },
      })
      return answer.status
    }
    expect(await from({})).toBe(401)
    expect(await from({ ...headers(), origin: 'http://attacker.example' })).toBe(403)
    expect(await from({ ...headers(), 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(copies()).toEqual([])
    const breaking = (length: number) => {
      const sending = request(`${url}/v1/contacts/ada/files?name=large`, {
        method: 'POST',
        headers: {
          ...{ ...headers(), 'content-type': 'application/octet-stream' },
          'content-length': length,
        },
      })
      sending.on('error', () => {})
      sending.write(Buffer.alloc(500_000))
      return sending
    }
    const sending = breaking(1_000_000)
    await expect.poll(copies).toHaveLength(1)
    sending.destroy()
    await expect.poll(copies).toEqual([])
    const refused = breaking(2 ** 40)
    const answer = await new Promise<number>(resolve =>
      refused.once('response', ({ statusCode }) => resolve(statusCode!)),
    )
    refused.destroy()
    expect(answer).toBe(413)
    expect(copies()).toEqual([])
    expect(await list()).toHaveLength(1)
  })

  test('are swept away where a process was killed in the middle', async () => {
    mkdirSync(join(house.directory, '.copies', 'left'), { recursive: true })
    writeFileSync(join(house.directory, '.copies', 'left', '.part'), 'x')
    const { file } = (await (await send('/v1/contacts/ada', 'empty', '')).json()) as Listed
    expect(copies()).toHaveLength(1)
    expect((await (await get(file)).arrayBuffer()).byteLength).toBe(0)
    await house.ask('DELETE', `/v1/files/${file}`)
  })

  test('are fetched from a contact as an attachment that no browser shows, and leave no copy', async () => {
    const file = await offeredByAda('l’été "1".html', CONTENT)
    expect(await listed(file)).toMatchObject({ state: 'offered', here: 0, by: 'ada' })
    const answer = await get(file)
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': `${CONTENT.length}`,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
      'content-disposition': `attachment; filename="l__t___1_.html"; filename*=UTF-8''l%E2%80%99%C3%A9t%C3%A9%20_1_.html`,
    })
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(CONTENT))
    await expect.poll(copies).toEqual([])
    expect(await listed(file)).toMatchObject({ state: 'offered', path: null })
    await expect.poll(() => hers(file), POLL).toMatchObject({ takenBy: [expect.anything()] })
  })

  test('whose fetching is given up leave what has come, and go on with it', async () => {
    // More than what waits in sockets.
    const large = new Uint8Array(24 * 1_048_576)
    const file = await offeredByAda('large', large)
    const gone = new AbortController()
    const answer = await get(file, gone.signal)
    await answer.body!.getReader().read()
    expect(await errorOf(await get(file))).toEqual([409, 'STATE_LOCKED'])
    gone.abort()
    await expect.poll(() => listed(file)).toMatchObject({ state: 'begun' })
    const { here } = (await listed(file))!
    expect(here).toBeGreaterThan(0)
    await expect
      .poll(async () => {
        const again = await get(file)
        return again.status === 200
          ? sha256(new Uint8Array(await again.arrayBuffer()))
          : again.status
      }, POLL)
      .toBe(sha256(large))
  })

  test('are not begun where nobody is there, and end short of whole where they are something else', async () => {
    const file = await offeredByAda('changes', CONTENT)
    const held = (await hers(file))!
    const forged = Uint8Array.from(CONTENT)
    forged[30 * CHUNK_SIZE]! ^= 1
    writeFileSync(held.path, forged)
    const answer = await get(file)
    if (answer.status === 200) await expect(answer.arrayBuffer()).rejects.toThrow()
    else expect(answer.status).toBe(404)
    await ada.leave()
    expect((await errorOf(await get(file)))[0]).toBe(504)
    const { name } = (await listed(file))!
    expect((await house.ask('DELETE', `/v1/files/${file}`)).json()).toEqual({
      ...{ file, name, at_relay: false },
    })
    expect(copies()).toEqual([])
  })

  test('are offered in a room, and one that was changed here is not handed out as what it was', async () => {
    await create(house.context, 'ops', {
      ...{ on: 'kitchen', as: undefined, isOpen: false, isDeniable: false, timeoutMs: 10_000 },
    })
    const answer = await send('/v1/rooms/ops', 'notes.txt', 'a line')
    const { file } = (await answer.json()) as Listed
    expect(answer.status).toBe(200)
    const { messages } = (await house.ask('GET', '/v1/rooms/ops/history')).json()
    expect(messages.at(-1)).toMatchObject({ what: 'file', file, name: 'notes.txt', size: 6 })
    expect(await (await get(file)).text()).toBe('a line')
    writeFileSync((await listed(file))!.path!, 'A line')
    expect(await errorOf(await get(file))).toEqual([404, 'FILE_UNKNOWN'])
  })
})
