import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore } from '../../src/base/store.ts'
import { contentId, signRelease } from '../../src/box/bundle/release.ts'
import { GrantBook, ownerGrant, type Right } from '../../src/box/grant.ts'
import { readMissing, readStatus } from '../../src/box/push-report.ts'
import { PUSH_KIND, type PushKind, PushTalk } from '../../src/box/push-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { realDisk } from '../../src/sys/disk.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { scratchDirectory } from '../sys/scratch.ts'
import { Home } from './home.ts'

let home: Home
let top: string
let talks: PushTalk[]
let sequence: number

beforeEach(async () => {
  top = scratchDirectory()
  mkdirSync(join(top, 'state'))
  mkdirSync(join(top, 'etc'))
  writeFileSync(join(top, 'etc', 'motd'), 'old\n')
  talks = []
  sequence = 0
  home = new Home(memoryStore())
})
afterEach(async () => {
  for (const talk of talks) talk.close()
  await home.stop()
})

async function start(hubs: readonly string[] = []): Promise<void> {
  home.machine = { disk: realDisk, directory: join(top, 'state'), network: tcpNetwork }
  await home.start({ roots: [join(top, 'etc')], hubs })
}

async function talkAs(zone = home.owner): Promise<PushTalk> {
  const { channel } = await home.open('push', zone)
  const talk = new PushTalk(channel, systemClock)
  talks.push(talk)
  return talk
}

const motd = () => readFileSync(join(top, 'etc', 'motd'), 'utf8')

function release(text: string, more = {}) {
  const content = new TextEncoder().encode(text)
  const file = { path: join(top, 'etc', 'motd'), mode: 0o644, owner: '', size: content.length }
  const signed = signRelease(
    {
      ...{ device: home.agent.device.zone, signer: home.owner.zone, sequence: ++sequence },
      ...{ name: 'motd', confirmSeconds: 90, commandSeconds: 10, drift: 'report' as const },
      files: [{ is: 'file' as const, content: contentId(content), ...file }],
      ...{ uci: [], packages: [], before: [], apply: [], after: [], undo: [], reload: [] },
      ...more,
    },
    home.owner,
  )
  return { signed, content }
}

async function apply(talk: PushTalk, text: string) {
  const { signed, content } = release(text)
  if (readMissing(await talk.give('offer', signed)).size > 0) await talk.give('content', content)
  return await talk.ask('apply', {})
}

describe('the push service', () => {
  test('applies what an owner hands over, and keeps it once confirmed over a new channel', async () => {
    await start()
    await home.pair()
    const first = await talkAs()
    const steps: unknown[] = []
    const { signed, content } = release('new\n'.repeat(200_000))
    expect(readMissing(await first.give('offer', signed)).size).toBe(1)
    await first.give('content', content)
    expect(await first.ask('plan', {})).toEqual({
      changes: [{ path: join(top, 'etc', 'motd'), what: 'changed' }],
    })
    const applied = await first.ask('apply', {}, ({ step }) => steps.push(step))
    expect(applied).toMatchObject({ is: 'awaiting', seconds: 90 })
    expect(steps).toEqual(['checking', 'preparing', 'swapping', 'running', 'verifying'])
    await expect(first.ask('confirm', { id: applied.id })).rejects.toThrow(
      'This channel is older than the change.',
    )
    const second = await talkAs()
    expect(await second.ask('confirm', { id: applied.id })).toMatchObject({
      outcome: { is: 'confirmed', generation: 1 },
    })
    expect(motd()).toHaveLength(800_000)
    expect(home.agent.status().configuration).toEqual({
      ...{ generation: 1, bundle: 'motd', version: 1, state: 'confirmed', drift: 0 },
      ...{ unconfirmed: null, last: '"motd" was confirmed' },
    })
    expect(readStatus(await second.ask('status', {}))).toMatchObject({ generation: 1, open: null })
    // The same again: the device has the content.
    expect(
      readMissing(await second.give('offer', release('new\n'.repeat(200_000)).signed)).size,
    ).toBe(0)
  })

  test('takes no confirmation while no new connection to a hub can be made', async () => {
    const dead = `gnunet://hello/${'0'.repeat(52)}+9999999999+tcp+127.0.0.1%3A1`
    await start([dead])
    await home.pair()
    const applied = await apply(await talkAs(), 'new\n')
    await expect((await talkAs()).ask('confirm', { id: applied.id })).rejects.toThrow(
      'No new connection to a hub can be made since the change.',
    )
    expect(readStatus(await (await talkAs()).ask('status', {})).open).toMatchObject({
      awaiting: true,
    })
  })

  test('goes on with a change whose channel is lost', async () => {
    await start()
    await home.pair()
    const first = await talkAs()
    const { signed, content } = release('new\n', { apply: ['sleep 0.3'] })
    await first.give('offer', signed)
    await first.give('content', content)
    const answer = first.ask('apply', {}).catch(() => {})
    await new Promise(done => setTimeout(done, 100))
    first.close()
    await answer
    const second = await talkAs()
    expect(readStatus(await second.ask('status', {})).open).toMatchObject({ awaiting: false })
    await new Promise(done => setTimeout(done, 400))
    const third = await talkAs()
    const { open } = readStatus(await third.ask('status', {}))
    expect(await third.ask('confirm', { id: open!.id })).toMatchObject({
      outcome: { is: 'confirmed' },
    })
  })

  test('tells what drifted, lists and reads files, and nothing outside of the roots', async () => {
    await start()
    await home.pair()
    const applied = await apply(await talkAs(), 'new\n')
    const talk = await talkAs()
    await talk.ask('confirm', { id: applied.id })
    expect(await talk.ask('drift', {})).toEqual({ drift: [] })
    const path = join(top, 'etc', 'motd')
    writeFileSync(path, 'other\n')
    expect(await talk.ask('drift', {})).toEqual({
      drift: [{ path, bundle: 'motd', what: 'content' }],
    })
    expect(await talk.ask('list', { path: join(top, 'etc') })).toMatchObject({
      files: [{ path, size: 6, mode: 0o644 }],
    })
    const [, content] = await talk.fetch('read', { path }, 100)
    expect(new TextDecoder().decode(content)).toBe('other\n')
    for (const bad of ['/etc/shadow', join(top, 'etc', '..', 'state', 'x'), 'etc', ''])
      await expect(talk.fetch('read', { path: bad }, 100)).rejects.toMatchObject({
        code: 'PUSH_REFUSED',
      })
  })

  test('refuses what has no text, or is below a file, and goes on', async () => {
    await start()
    await home.pair()
    const talk = await talkAs()
    const odd = { toString: null, valueOf: null }
    for (const path of [odd, 5, null, join(top, 'etc', 'motd', 'x')])
      await expect(talk.ask('read', { path })).rejects.toMatchObject({ code: 'PUSH_REFUSED' })
    await expect(talk.ask('offer', { size: odd })).rejects.toMatchObject({
      code: 'STATE_UNEXPECTED',
    })
    expect(readStatus(await talk.ask('status', {})).generation).toBe(0)
  })

  test('is no door for those who were not granted push', async () => {
    await start()
    const rights: Record<string, readonly Right[]> = {
      none: ['shell', 'exec', 'files', 'forward', 'admin'],
      status: ['status'],
    }
    const zones = Object.entries(rights).map(([holder, granted]) => {
      const secret = ZoneSecret.generate('EDKEY', systemRandom)
      const names = { holder, deviceName: 'kitchen' }
      return { secret, grant: { ...ownerGrant(secret.zone, names, 0), rights: granted } }
    })
    await home.agent.close()
    const book = new GrantBook(home.store)
    for (const { grant } of zones) book.set(grant)
    await start()
    await home.pair()
    const { signed } = release('new\n')
    for (const { secret, grant } of zones)
      for (const kind of Object.keys(PUSH_KIND) as PushKind[]) {
        const talk = await talkAs(secret)
        const asked = kind === 'offer' ? talk.give(kind, signed) : talk.ask(kind, {})
        const mayLook = grant.holder === 'status' && (kind === 'status' || kind === 'drift')
        if (mayLook) await asked
        else
          await expect(asked, `${grant.holder} ${kind}`).rejects.toMatchObject({
            code: 'NOT_PERMITTED',
          })
        talk.close()
      }
    const stranger = ZoneSecret.generate('EDKEY', systemRandom)
    await expect(home.open('push', stranger)).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    expect(motd()).toBe('old\n')
  })

  test('is not impressed by noise', async () => {
    await start()
    await home.pair()
    for (let i = 0; i < 40; i++) {
      const { channel } = await home.open('push')
      const ended = new Promise<void>(resolve =>
        channel.attach({ message: () => {}, drained: () => {}, closed: () => resolve() }),
      )
      const size = 6 + systemRandom.below(40)
      const noise = Uint8Array.of(0, size, 0xbd, 0x30 + (i % 4), ...systemRandom.bytes(size - 4))
      if (i % 2 === 0) noise.set([0, 1 + (i % 11)], 4)
      channel.send(noise)
      channel.send(Uint8Array.of(0, 4, 0xbd, 0x7f))
      await ended
    }
    expect(await apply(await talkAs(), 'new\n')).toMatchObject({ is: 'awaiting' })
  })

  test('refuses what an owner hands over that somebody else signed', async () => {
    await start()
    await home.pair()
    const other = ZoneSecret.generate('EDKEY', systemRandom)
    const talk = await talkAs()
    const signed = signRelease(
      {
        ...{ device: home.agent.device.zone, signer: other.zone, sequence: 1, name: 'x' },
        ...{
          confirmSeconds: 9,
          commandSeconds: 9,
          drift: 'report',
          files: [],
          uci: [],
          packages: [],
        },
        ...{ before: [], apply: ['true'], after: [], undo: [], reload: [] },
      },
      other,
    )
    await expect(talk.give('offer', signed)).rejects.toThrow('who may not push here')
    await expect(talk.ask('apply', {})).rejects.toThrow('Nothing was offered.')
  })
})
