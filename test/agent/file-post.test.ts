/** Files over the dialogue of a relay: for whoever names a drop, for whoever has the mailbox, and noise from either. */

import { beforeEach, expect, test } from 'vitest'
import { AuditNotes } from '../../agent/audit-notes.ts'
import { FileShelf } from '../../agent/file-shelf.ts'
import { admitToMail, serveMail } from '../../agent/mail-service.ts'
import { MailShelf } from '../../agent/mail-shelf.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { AuditLog, memoryEntries } from '../../src/box/audit.ts'
import { GrantBook } from '../../src/box/grant.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { outcome, Pair } from '../box/pair-of-peers.ts'
import { seededRandom } from '../sim/random.ts'
import { memoryFiles } from './memory-files.ts'

const random = seededRandom(3)
const [owner, other, nobody] = [1, 2, 3].map(() => ZoneSecret.generate('EDKEY', random)) as [
  ZoneSecret,
  ZoneSecret,
  ZoneSecret,
]
const [drop, second] = [random.bytes(32), random.bytes(32)]
const card = random.bytes(40)
const PART = 61_440
const PARTS = [...Array.from({ length: 11 }, () => random.bytes(PART)), random.bytes(1_024)]
const tag = '0123456789abcdefghjkmnpqrs'
const FILE = { tag, count: PARTS.length, size: 11 * PART + 1_024 }
const NOTHING = new Uint8Array(0)

let pair: Pair
let disk: ReturnType<typeof memoryFiles>
let talkAs: (own: ZoneSecret, payload?: Uint8Array) => Promise<PushTalk>

beforeEach(() => {
  pair = new Pair(4)
  const now = () => pair.world.now()
  const shelf = new MailShelf(memoryStore(), now)
  shelf.setMailbox(owner.zone, [{ drop, card }])
  shelf.setMailbox(other.zone, [{ drop: second, card }])
  disk = memoryFiles()
  const files = new FileShelf({ files: disk, mail: shelf, now, bytesMax: 4 * 1_048_576 })
  const audit = new AuditNotes({
    ...{ audit: new AuditLog(memoryEntries()), grants: new GrantBook(memoryStore()) },
    ...{ device: pair.device, clock: pair.world, log: silentLog },
  })
  const options = {
    ...{ clock: pair.world, log: silentLog, shelf, files, audit },
    allows: (zone: Uint8Array) => [owner, other].some(one => `${zone}` === `${one.zone}`),
  }
  const { sessions } = pair.listen('mail', {
    admit: (zone, payload) => admitToMail(zone, payload, options),
  })
  talkAs = async (own, payload = NOTHING) => {
    const channel = await pair.connect('mail')
    const session = pair.authenticate(channel, 'mail', { own, payload })
    const { channel: sealed } = await pair.until(session)
    void serveMail(await pair.until(sessions.at(-1)!), options)
    return new PushTalk(sealed, pair.world)
  }
})

const take = async (talk: PushTalk, from: number) => {
  const parts: Uint8Array[] = []
  const { has } = (await pair.until(talk.ask('hand', { tag, from }))) as { has: number }
  await pair.until(talk.takeEach(has - from, part => void parts.push(part.slice())))
  return Buffer.concat(parts)
}

test('a writer who is nobody brings it, and brings the rest later; the owner alone gets it, from any part on', async () => {
  const writer = await talkAs(nobody, drop)
  expect(await pair.until(writer.ask('store', FILE))).toMatchObject({ has: 0, count: 12 })
  let heard = 0
  // The writer dies behind the fifth part.
  await pair.until(
    outcome(
      writer.giveEach('bring', { tag, from: 0 }, PARTS.slice(0, 5), () => {
        if (++heard === 5) writer.close()
      }),
    ),
  )
  expect(heard).toBe(5)
  const again = await talkAs(ZoneSecret.generate('EDKEY', random), drop)
  const { has } = (await pair.until(again.ask('store', FILE))) as { has: number }
  expect(has).toBe(5)
  // What does not go on where it ends is refused, and the dialogue with it goes on.
  expect(await pair.until(outcome(again.ask('bring', { tag, from: 4 })))).toBe('PUSH_REFUSED')
  await pair.until(again.giveEach('bring', { tag, from: 5 }, PARTS.slice(5), () => {}))
  expect(await pair.until(again.ask('stored', { tag }))).toMatchObject({ has: 12 })

  const reader = await talkAs(owner)
  expect((await take(reader, 0)).equals(Buffer.concat(PARTS))).toBe(true)
  expect((await take(reader, 7)).equals(Buffer.concat(PARTS.slice(7)))).toBe(true)

  // Another mailbox and another drop have nothing of it, nor can they end it.
  for (const stranger of [await talkAs(other), await talkAs(nobody, second)]) {
    expect(await pair.until(stranger.ask('stored', { tag }))).toMatchObject({ has: 0 })
    expect(await pair.until(stranger.ask('unstore', { tag }))).toEqual({})
  }
  expect(await pair.until(outcome((await talkAs(other)).ask('hand', { tag, from: 0 })))).toBe(
    'PUSH_REFUSED',
  )
  // Who writes cannot read, and who reads does not write.
  expect(await pair.until(outcome(again.ask('hand', { tag, from: 0 })))).toBe('PUSH_REFUSED')
  expect(await pair.until(outcome(reader.ask('store', FILE)))).toBe('PUSH_REFUSED')
  expect(disk.content.size).toBe(1)
  expect(await pair.until(reader.ask('unstore', { tag }))).toEqual({})
  expect(disk.content.size).toBe(0)
})

test('few parts are on their way at once, however many there are', async () => {
  const writer = await talkAs(nobody, drop)
  await pair.until(writer.ask('store', FILE))
  let made = 0
  let heard = 0
  let most = 0
  function* parts() {
    for (const part of PARTS) {
      most = Math.max(most, ++made - heard)
      yield part
    }
  }
  await pair.until(writer.giveEach('bring', { tag, from: 0 }, parts(), () => void heard++))
  expect([made, heard]).toEqual([12, 12])
  expect(most).toBeLessThanOrEqual(8)
})

test('a part that does not fit ends that transfer, and what was right before it stays', async () => {
  const writer = await talkAs(nobody, drop)
  await pair.until(writer.ask('store', FILE))
  const wrong = [PARTS[0]!, PARTS[1]!, random.bytes(7), ...PARTS.slice(3)]
  expect(
    await pair.until(outcome(writer.giveEach('bring', { tag, from: 0 }, wrong, () => {}))),
  ).toBe('PUSH_REFUSED')
  const again = await talkAs(nobody, drop)
  expect(await pair.until(again.ask('stored', { tag }))).toMatchObject({ has: 2 })
})

test('noise is refused, makes no file but of a tag, and opens nothing', async () => {
  const pick = <T>(some: readonly T[]): T => some[random.bytes(1)[0]! % some.length]!
  const values = [tag, '../../etc/passwd', '', null, -1, 0, 1, 2, 1.5, 61_696, 256, 1e300, [], {}]
  const kinds = ['store', 'bring', 'stored', 'hand', 'unstore'] as const
  for (let i = 0; i < 60; i++) {
    const talk = i % 2 === 0 ? await talkAs(nobody, drop) : await talkAs(owner)
    for (let j = 0; j < 5; j++) {
      const [a, b, c, d] = [pick(values), pick(values), pick(values), pick(values)]
      const kind = pick(kinds)
      // Parts would be waited for.
      if (kind === 'bring' && d === 0) continue
      const body = { tag: a, count: b, size: c, from: d }
      const said = await pair.until(outcome(talk.ask(kind, body)))
      expect(['ok', 'PUSH_REFUSED', 'RELAY_REFUSED']).toContain(said)
    }
    talk.close()
  }
  for (const name of disk.content.keys())
    expect(name).toMatch(/^[0-9A-Z]{52}-[0-9a-z]{26}-\d+-\d+-\d+$/)
})
