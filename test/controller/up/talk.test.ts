import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { rotateEgo } from '../../../controller/ego.ts'
import { addHub } from '../../../controller/hubs.ts'
import { enterCode } from '../../../controller/talk/befriending.ts'
import { ContactBook } from '../../../controller/talk/contact-book.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { parsePairingCode } from '../../../src/box/pairing-code.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { signIntroduction } from '../../../src/social/introduction.ts'
import { systemRandom } from '../../../src/sys/random.ts'
import { Friend } from './friend.ts'
import { House } from './house.ts'

// In real time: what others do is looked for every two seconds.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })
const POLL = { timeout: 50_000, interval: 50 }

const house = new House()
let url = ''
let ada: Friend
let bob: Friend

beforeAll(async () => {
  await house.start()
  url = await house.app.listen({ host: '127.0.0.1', port: 0 })
  const hub = house.home.net.peer()
  await addHub(house.context.state, hub.hello())
  const mesh = await house.context.mesh()
  mesh.introduce(hub.hello())
  ada = await Friend.at(house, hub, 'ada')
  bob = await Friend.at(house, hub, 'bob')
})
afterAll(async () => {
  await ada.stop()
  await bob.stop()
  await house.stop()
})

const authorization = () => ({ authorization: `Bearer ${house.token}` })
const contacts = async () => (await house.ask('GET', '/v1/contacts')).json().contacts
const messages = async (query = '') =>
  (await house.ask('GET', `/v1/contacts/ada/messages${query}`)).json().messages as {
    by: string
    text: string
    delivery: string | null
  }[]

type Event = { readonly event: string; readonly data: Record<string, unknown> }

/** Follows server-sent events, and keeps them. */
function follow(path: string) {
  const gone = new AbortController()
  const events: Event[] = []
  const ended = (async () => {
    const answer = await fetch(url + path, { headers: authorization(), signal: gone.signal })
    let text = ''
    for await (const piece of answer.body!) {
      text += new TextDecoder().decode(piece)
      const whole = text.split('\n\n')
      text = whole.pop()!
      for (const one of whole) {
        const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(one) ?? []
        if (event) events.push({ event, data: JSON.parse(data!) })
      }
    }
  })().catch(() => {})
  const until = (event: string, holds: object) =>
    expect
      .poll(() => events.filter(one => one.event === event).map(one => one.data), POLL)
      .toContainEqual(expect.objectContaining(holds))
  return { events, until, ended, close: () => gone.abort() }
}

describe('people in the local API', () => {
  test('are none at first, and to ask for them makes nothing', async () => {
    expect(await contacts()).toEqual([])
    expect((await house.ask('GET', '/v1/contacts/ada/messages')).statusCode).toBe(404)
    expect((await house.ask('GET', '/v1/contacts/ada/events')).statusCode).toBe(404)
    expect(existsSync(join(house.directory, 'talk-key'))).toBe(false)
  })

  test('are taken in by a code that is shown, and both see the same words', async () => {
    const shown = await fetch(`${url}/v1/contact-codes`, {
      method: 'POST',
      headers: { ...authorization(), 'content-type': 'application/json' },
      body: '{}',
    })
    const lines: Record<string, unknown>[] = []
    let typed: Awaited<ReturnType<typeof enterCode>> | null = null
    let text = ''
    for await (const piece of shown.body!) {
      text += new TextDecoder().decode(piece)
      const whole = text.split('\n')
      text = whole.pop()!
      lines.push(...whole.map(line => JSON.parse(line)))
      if (typed) continue
      const code = parsePairingCode(`${lines[0]!.code}`)
      typed = await enterCode(ada.context, ada.book, code, { as: 'home', timeoutMs: 30_000 })
    }
    expect(lines).toEqual([
      { code: expect.stringMatching(/^[0-9A-Z-]+$/), minutes: 10 },
      { name: 'ada', zone: ada.key, known: 'paired', check_words: typed!.checkWords },
    ])
    expect(await contacts()).toMatchObject([
      { name: 'ada', zone: ada.key, known: 'paired', by: null, unread: 0, waiting: 0 },
    ])
  })

  test('are taken in by a key, called otherwise, and forgotten; everybody who listens hears of it', async () => {
    const news = follow('/v1/events')
    await news.until('complete', {})
    expect(news.events.find(({ event }) => event === 'contact')?.data).toMatchObject({
      name: 'ada',
    })
    const added = await house.ask('POST', '/v1/contacts', { key: bob.key, as: 'bob' })
    expect(added.json()).toEqual({
      ...{ name: 'bob', zone: bob.key, known: 'unverified', check_words: null },
    })
    await news.until('contact', { name: 'bob', known: 'unverified' })
    const renamed = await house.ask('POST', '/v1/contacts/bob/rename', { to: 'robert' })
    expect(renamed.json()).toEqual({ name: 'robert', zone: bob.key, known: 'unverified' })
    await news.until('contact', { name: 'robert', zone: bob.key })
    const introduced = await house.ask('POST', '/v1/contacts/ada/introduce', { to: 'robert' })
    expect([introduced.statusCode, introduced.json().error.message]).toEqual([
      ...[400, expect.stringContaining('never checked the key of robert')],
    ])
    expect((await house.ask('DELETE', '/v1/contacts/robert')).json()).toEqual({
      ...{ name: 'robert', zone: bob.key },
    })
    await news.until('forgotten', { zone: bob.key })
    expect(await contacts()).toHaveLength(1)
    news.close()
  })

  test('are offered by somebody who knows both, and accepted under a name of ours', async () => {
    const { state, random, clock } = house.context
    const book = new ContactBook(await SealedState.open(state, random))
    const { zone: to } = house.context.ego().secret
    const { secret } = ada.context.ego()
    const { zone } = bob.context.ego().secret
    await book.offer(signIntroduction(secret, { to, zone, name: 'bob', at: clock.now() }))
    expect(await contacts()).toMatchObject([
      { name: 'ada' },
      { name: 'bob', zone: bob.key, known: 'offered', by: 'ada' },
    ])
    const accepted = await house.ask('POST', '/v1/contacts/bob/accept', { as: 'robert' })
    expect(accepted.json()).toEqual({ name: 'robert', zone: bob.key, known: 'introduced' })
    expect(await contacts()).toMatchObject([{ name: 'ada' }, { known: 'introduced', by: 'ada' }])
    await house.ask('DELETE', '/v1/contacts/robert')
  })

  test('are refused where the key or the code is none, or the name is taken', async () => {
    const own = zoneToText(house.context.ego().secret.zone)
    for (const [body, code] of [
      [{ as: 'ada', key: bob.key }, 'NAME_TAKEN'],
      [{ as: 'a b', key: bob.key }, 'NAME_INVALID'],
      [{ as: 'bob', key: 'nonsense' }, 'INPUT_INVALID'],
      [{ as: 'me', key: own }, 'INPUT_INVALID'],
      [{ as: 'bob', code: 'nonsense' }, 'CODE_INVALID'],
      [{ as: 'bob' }, 'INPUT_INVALID'],
      [{ key: bob.key }, 'INPUT_INVALID'],
    ] as const) {
      const answer = await house.ask('POST', '/v1/contacts', body)
      expect([answer.statusCode, answer.json().error.code], JSON.stringify(body)).toEqual([
        ...[400, code],
      ])
    }
    for (const path of ['accept', 'rename', 'messages', 'read'] as const) {
      const payload = { accept: {}, rename: { to: 'x' }, messages: { text: 'x' }, read: undefined }
      const answer = await house.ask('POST', `/v1/contacts/nobody/${path}`, payload[path])
      expect([answer.statusCode, answer.json().error.code]).toEqual([404, 'CONTACT_UNKNOWN'])
    }
  })
})

describe('private talk in the local API', () => {
  test('waits for who is not there, and says when they have it', async () => {
    const talk = follow('/v1/contacts/ada/events')
    await talk.until('there', { there: false })
    const said = await house.ask('POST', '/v1/contacts/ada/messages', { text: 'are you there?' })
    expect(said.json()).toEqual({
      ...{ number: expect.any(Number), at: expect.any(String), is: 'waits' },
    })
    await talk.until('said', { text: 'are you there?', by: 'me', delivery: 'waits' })
    expect(await contacts()).toMatchObject([{ name: 'ada', there: false, waiting: 1 }])
    await ada.come()
    await talk.until('said', { text: 'are you there?', delivery: 'heard' })
    await talk.until('there', { there: true })
    expect(await ada.heard('home')).toEqual(['them: are you there?'])
    expect(await contacts()).toMatchObject([{ name: 'ada', there: true, waiting: 0 }])
    talk.close()
  })

  test('comes as it is said, is unread until somebody has looked, and is told each listener once', async () => {
    const [one, other] = [1, 2].map(() => follow('/v1/contacts/ada/events'))
    const news = follow('/v1/events')
    await news.until('complete', {})
    await ada.say('home', 'I am')
    for (const talk of [one!, other!]) await talk.until('said', { text: 'I am', by: 'them' })
    await news.until('contact', { name: 'ada', unread: 1 })
    expect((await house.ask('POST', '/v1/contacts/ada/read')).statusCode).toBe(200)
    await news.until('contact', { name: 'ada', unread: 0 })
    const answer = { text: 'good', wait: true }
    expect((await house.ask('POST', '/v1/contacts/ada/messages', answer)).json()).toMatchObject({
      is: 'heard',
    })
    for (const talk of [one!, other!]) {
      await talk.until('said', { text: 'good', delivery: 'heard' })
      const texts = talk.events
        .filter(({ data }) => data.by === 'them')
        .map(({ data }) => data.text)
      expect(texts).toEqual(['I am'])
      talk.close()
    }
    news.close()
    expect(await messages()).toMatchObject([
      { by: 'me', text: 'are you there?', delivery: 'heard' },
      { by: 'them', text: 'I am', delivery: null },
      { by: 'me', text: 'good', delivery: 'heard' },
    ])
    expect(await messages('?last=1')).toMatchObject([{ text: 'good' }])
  })

  test('takes nothing that is empty or too long', async () => {
    const post = async (payload: object) =>
      (await house.ask('POST', '/v1/contacts/ada/messages', payload)).statusCode
    expect(await post({ text: '' })).toBe(400)
    expect(await post({ text: 'x'.repeat(4_097) })).toBe(400)
    // Fewer letters, and more bytes.
    expect(await post({ text: 'ü'.repeat(4_000) })).toBe(400)
    expect(await post({})).toBe(400)
    expect(await messages()).toHaveLength(3)
  })

  test('follows a contact to a new key: whoever listens hears of it, and the talk goes on', async () => {
    const news = follow('/v1/events')
    const talk = follow('/v1/contacts/ada/events')
    await talk.until('said', { text: 'good' })
    const before = ada.key
    await rotateEgo(ada.context.state, systemRandom, Date.now())
    await news.until('contact', { name: 'ada', zone: ada.key, before: [before] })
    await news.until('forgotten', { zone: before })
    await talk.until('said', { what: 'succession', person_zone: ada.key })
    await talk.until('there', { there: true })
    const answer = { text: 'still you', wait: true }
    expect((await house.ask('POST', '/v1/contacts/ada/messages', answer)).json()).toMatchObject({
      is: 'heard',
    })
    await talk.until('said', { text: 'still you', delivery: 'heard' })
    expect(await messages()).toHaveLength(5)
    news.close()
    talk.close()
  })

  test('ends with the contact: whoever listens hears it, and nothing of it is left', async () => {
    const talk = follow('/v1/contacts/ada/events')
    await talk.until('said', { text: 'good' })
    await house.ask('DELETE', '/v1/contacts/ada')
    await talk.until('over', { code: 'CONTACT_UNKNOWN' })
    await talk.ended
    expect(await contacts()).toEqual([])
    expect((await house.ask('GET', '/v1/contacts/ada/messages')).statusCode).toBe(404)
  })

  test('that is damaged on the disk is said where it is asked for, and hides no device', async () => {
    writeFileSync(join(house.directory, 'contacts'), 'nonsense\n')
    const answer = await house.ask('GET', '/v1/contacts')
    expect([answer.statusCode, answer.json().error.code]).toEqual([500, 'STATE_UNREADABLE'])
    const news = follow('/v1/events')
    await news.until('device', { name: 'kitchen' })
    await news.until('complete', {})
    news.close()
  })
})
