/** A relay for letters: for whoever may have a mailbox, from whoever knows a drop, and within bounds. */

import { beforeEach, expect, test } from 'vitest'
import { AuditNotes } from '../../agent/audit-notes.ts'
import { admitToMail, serveMail } from '../../agent/mail-service.ts'
import { MailShelf } from '../../agent/mail-shelf.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { AuditLog, memoryEntries } from '../../src/box/audit.ts'
import { GrantBook } from '../../src/box/grant.ts'
import { encodeMailbox } from '../../src/box/mail-talk.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { outcome, Pair } from '../box/pair-of-peers.ts'
import { seededRandom } from '../sim/random.ts'

const DAY_MS = 86_400_000
const random = seededRandom(2)
const [owner, other] = [1, 2].map(() => ZoneSecret.generate('EDKEY', random)) as [
  ZoneSecret,
  ZoneSecret,
]
const [drop, wrong] = [random.bytes(32), random.bytes(32)]
const card = random.bytes(400)
const letter = random.bytes(256)
let now: number
let store: Store
let shelf: MailShelf

beforeEach(() => {
  now = 1_000
  store = memoryStore()
  shelf = new MailShelf(store, () => now)
  shelf.setMailbox(owner.zone, [{ drop, card }])
})

test('a letter is kept for whose drop it is, in the order of its coming, over a restart', () => {
  shelf.put(drop, letter)
  now += 1
  shelf.put(
    drop,
    letter.map(byte => byte ^ 1),
  )
  const again = new MailShelf(store, () => now)
  const waiting = again.waitingFor(owner.zone)
  expect(waiting.map(one => again.get(one)![0])).toEqual([letter[0], letter[0]! ^ 1])
  expect(again.waitingFor(other.zone)).toEqual([])
  again.drop(waiting[0]!)
  expect(again.waitingFor(owner.zone)).toHaveLength(1)
})

test('a drop that nobody has takes nothing; nor does one, of another size', () => {
  const refused = expect.objectContaining({ code: 'PUSH_REFUSED' })
  expect(() => shelf.put(wrong, letter)).toThrow(refused)
  expect(() => shelf.put(drop, letter.subarray(1))).toThrow(refused)
})

test('whoever writes much fills their own drop, and no other', () => {
  const second = random.bytes(32)
  shelf.setMailbox(owner.zone, [
    { drop, card },
    { drop: second, card },
  ])
  for (let i = 0; i < 64; i++) shelf.put(drop, letter)
  const full = expect.objectContaining({ code: 'LIMIT_EXCEEDED' })
  expect(() => shelf.put(drop, letter)).toThrow(full)
  for (let i = 0; i < 4; i++) shelf.put(second, new Uint8Array(61_440))
  expect(() => shelf.put(second, new Uint8Array(61_440))).toThrow(full)
})

test('after two weeks it is gone; and what lies in a drop that was closed, at once', () => {
  shelf.put(drop, letter)
  now += 15 * DAY_MS
  expect(shelf.waitingFor(owner.zone)).toEqual([])
  shelf.put(drop, letter)
  expect(store.names().filter(name => name.startsWith('letter-'))).toHaveLength(1)
  shelf.setMailbox(owner.zone, [])
  expect(store.names().filter(name => name.startsWith('letter-'))).toEqual([])
})

test('what one key kept here, the key that came after it keeps, with what waits', () => {
  shelf.put(drop, letter)
  shelf.succeed(owner.zone, other.zone)
  expect(shelf.hasMailbox(owner.zone)).toBe(false)
  expect(shelf.ownerOf(drop)).toEqual(other.zone)
  expect(shelf.waitingFor(other.zone)).toHaveLength(1)
  // It may have left one of its own before: both are one then.
  const second = random.bytes(32)
  shelf.setMailbox(owner.zone, [{ drop: second, card }])
  shelf.succeed(owner.zone, other.zone)
  expect([shelf.ownerOf(drop), shelf.ownerOf(second)]).toEqual([other.zone, other.zone])
  expect(shelf.waitingFor(other.zone)).toHaveLength(1)
  shelf.succeed(ZoneSecret.generate('EDKEY', random).zone, owner.zone)
  expect(shelf.hasMailbox(owner.zone)).toBe(false)
})

test('a drop of somebody else cannot be taken', () => {
  expect(() => shelf.setMailbox(other.zone, [{ drop, card }])).toThrow(
    expect.objectContaining({ code: 'PUSH_REFUSED' }),
  )
})

test('over the mesh: the owner sets and reads, a writer who is nobody takes the card and posts, others do nothing', async () => {
  const pair = new Pair(4)
  shelf = new MailShelf(memoryStore(), () => pair.world.now())
  const audit = new AuditNotes({
    ...{ audit: new AuditLog(memoryEntries()), grants: new GrantBook(memoryStore()) },
    ...{ device: pair.device, clock: pair.world, log: silentLog },
  })
  const options = {
    ...{ clock: pair.world, log: silentLog, shelf, audit, files: null },
    allows: (zone: Uint8Array) => `${zone}` === `${owner.zone}`,
  }
  const { sessions } = pair.listen('mail', {
    admit: (zone, payload) => admitToMail(zone, payload, options),
  })
  const talkAs = async (own: ZoneSecret, payload: Uint8Array = new Uint8Array(0)) => {
    const channel = await pair.connect('mail')
    const session = pair.authenticate(channel, 'mail', { own, payload })
    const { channel: sealed } = await pair.until(session)
    void serveMail(await pair.until(sessions.at(-1)!), options)
    return new PushTalk(sealed, pair.world)
  }
  const mine = await talkAs(owner)
  await pair.until(mine.give('mailbox', encodeMailbox([{ drop, card }])))

  const anybody = await talkAs(ZoneSecret.generate('EDKEY', random), drop)
  expect((await pair.until(anybody.fetch('card', {}, 1_024)))[1]).toEqual(card)
  await pair.until(anybody.give('post', letter))
  for (const kind of ['mail', 'letter', 'mailbox'] as const)
    expect(await pair.until(outcome(anybody.ask(kind, {})))).toBe('PUSH_REFUSED')

  const { letters } = (await pair.until(mine.ask('mail', {}))) as {
    letters: { id: string; drop: string }[]
  }
  expect(letters.map(one => one.drop)).toEqual([encodeBase32(drop)])
  const { id } = letters[0]!
  expect((await pair.until(mine.fetch('letter', { id }, 1_024)))[1]).toEqual(letter)
  await pair.until(mine.ask('lettered', { id }))
  expect(await pair.until(mine.ask('mail', {}))).toEqual({ letters: [] })

  for (const [own, payload] of [
    [other, new Uint8Array(0)],
    [other, wrong],
    [owner, wrong],
  ] as const)
    expect(await outcome(talkAs(own, payload))).toBe('NOT_PERMITTED')
})
