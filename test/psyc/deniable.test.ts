/** Deniable places: what signs in them, and what can be forged afterwards. */

import { afterEach, describe, expect, test, vi } from 'vitest'
import { SigningKey } from '../../src/crypto/signing.ts'
import { KIND } from '../../src/psyc/fragment.ts'
import { PUBLISH_AFTER_MS } from '../../src/psyc/host-epochs.ts'
import { readMemory } from '../../src/psyc/memory.ts'
import { modeIn } from '../../src/psyc/mode.ts'
import { modifier } from '../../src/psyc/packet.ts'
import { checkTicket } from '../../src/psyc/ticket.ts'
import { LEASE_MS } from '../../src/psyc/trust.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import {
  all,
  authorOf,
  epochOf,
  forge,
  HOUR_MS,
  historyOf,
  isSignedBy,
  isTrue,
  messagesBy,
  possessionsOf,
  readBy,
  DENIABLE as rules,
  say,
  talked,
  textsOf,
} from './forgery.ts'
import { type Person, PlaceWorld, textOf } from './place-world.ts'

let place: PlaceWorld
afterEach(async () => {
  vi.restoreAllMocks()
  await place.close()
  expect(place.world.pending).toBe(0)
})

describe('when the key of an epoch is published', () => {
  test('a member alone makes a transcript of it that nobody tells from the true one', async () => {
    place = new PlaceWorld(1, { rules })
    const { kris, lynX } = await talked(place)
    // Said later, under a key that is not published: it does not hold up what was before.
    await say(place, kris, 'much later')
    await place.world.pass(1_000)
    const { fragments, keys, published } = possessionsOf(place, kris)
    const signer = published.find(key =>
      readBy(place, keys, epochOf(fragments, key.publicKey)).includes('at the old bridge'),
    )!
    const epoch = epochOf(fragments, signer.publicKey)
    const [krisNym, lynXNym] = [kris, lynX].map(({ zone }) => encodeBase32(zone)) as [
      string,
      string,
    ]
    const forged = forge(place, epoch, keys, signer, text =>
      text
        .replace('let us meet at nine', 'let us rob the bank')
        .replace('at the old bridge', 'and shoot mr. fox')
        .replaceAll(`_nym_author\0${lynXNym}`, `_nym_author\0${krisNym}`),
    )
    const [at, end] = [fragments.indexOf(epoch[0]!), fragments.indexOf(epoch.at(-1)!)]
    const whole = [...fragments.slice(0, at), ...forged, ...fragments.slice(end + 1)]
    const firstKey = published.find(({ publicKey }) => isSignedBy(place, fragments[0]!, publicKey))!

    expect(isTrue(place, fragments, firstKey.publicKey)).toBe(true)
    expect(isTrue(place, whole, firstKey.publicKey)).toBe(true)
    const read = messagesBy(place, keys, whole)
    expect(read.map(textOf)).toEqual(['let us rob the bank', 'and shoot mr. fox', 'much later'])
    expect(new Set(read.map(authorOf))).toEqual(new Set([krisNym]))
    expect(new Set(messagesBy(place, keys, fragments).map(authorOf))).toEqual(
      new Set([krisNym, lynXNym]),
    )
    expect(whole.map(({ raw }) => raw.length)).toEqual(fragments.map(({ raw }) => raw.length))
  })

  test('the key of the place has signed nothing at all, and tickets do not name it', async () => {
    place = new PlaceWorld(2, { rules })
    const sign = vi.spyOn(SigningKey.prototype, 'sign')
    const [kris] = [place.join(), place.join()]
    await place.world.pass(2_000)
    await say(place, kris, 'hello')
    await place.world.pass(9 * HOUR_MS)
    const signers = new Set(sign.mock.contexts.map(one => `${(one as SigningKey).publicKey}`))
    expect(signers.size).toBeGreaterThan(2)
    expect(signers).not.toContain(`${place.key.publicKey}`)
    const { ticket } = readMemory(kris.disk.store, 'guest')!
    const check = (signer?: Uint8Array) =>
      checkTicket(ticket!, place.key.publicKey, kris.zone, place.world.now(), signer)
    expect(check()).toBe(null)
    expect(check(place.host.word(0n)!.ticketKey)).not.toBe(null)
  })

  test('all that was said is out within hours, and nothing is done in a place where nothing is said', async () => {
    place = new PlaceWorld(1, { rules })
    const { kris } = await talked(place)
    await place.world.pass(4 * HOUR_MS)
    const { fragments, published } = possessionsOf(place, kris)
    for (const one of fragments.filter(({ kind }) => kind < KIND.epoch))
      expect(published.some(({ publicKey }) => isSignedBy(place, one, publicKey))).toBe(true)
    const { last } = place.host
    await place.world.pass(48 * HOUR_MS)
    expect(place.host.last).toBe(last)
  })
})

test('a key is not out before the last who was told of it has ceased to believe it', async () => {
  place = new PlaceWorld(3, { rules })
  const kris = place.join()
  await place.world.pass(2_000)
  await say(place, kris, 'hello')
  const isOut = () => all(historyOf(place, kris)).some(({ kind }) => kind === KIND.published)
  while (!isOut()) {
    const ended = all(historyOf(place, kris)).some(({ kind }) => kind === KIND.epoch)
    const before = place.world.now()
    await place.world.pass(60_000)
    // The word that was given just before the epoch ended is good for so long on the slowest clock.
    const hasEnded = all(historyOf(place, kris)).some(({ kind }) => kind === KIND.epoch)
    if (!ended && hasEnded) endedAt = before
  }
  expect(place.world.now() - endedAt).toBeGreaterThan(PUBLISH_AFTER_MS)
  expect(PUBLISH_AFTER_MS).toBeGreaterThanOrEqual(2 * LEASE_MS)
})
let endedAt = Infinity

test('who was away for days catches up over many epochs, below another member', async () => {
  place = new PlaceWorld(4, { rules, fanout: 1 })
  const relay = place.join()
  await place.world.pass(2_000)
  const kris = place.join()
  await place.world.pass(20_000)
  expect(relay.guest!.childCount).toBe(1)
  place.kill(kris)
  for (let day = 0; day < 4; day++) {
    await say(place, relay, `${day}`)
    await place.world.pass(6 * HOUR_MS)
  }
  place.revive(kris)
  await place.world.pass(60_000)
  expect(kris.knowledge).toEqual(place.hostKnowledge)
  expect(textsOf(kris.heard)).toEqual(['0', '1', '2', '3'])
  await say(place, relay, 'now')
  await place.world.pass(5_000)
  expect(textsOf(kris.heard).at(-1)).toBe('now')
  expect(relay.guest!.childCount).toBe(1)
})

test('a newcomer reads what was said in epochs that are over, where history is open', async () => {
  place = new PlaceWorld(1, { rules })
  const { kris } = await talked(place)
  const late = place.join()
  await place.world.pass(10_000)
  expect(late.knowledge).toEqual(place.hostKnowledge)
  expect(textsOf(late.guest!.messages({}))).toEqual(textsOf(kris.guest!.messages({})))
})

describe('a host that starts again', () => {
  const epochs = (one: Person) =>
    all(historyOf(place, one)).filter(({ kind }) => kind === KIND.epoch)

  test('begins an epoch where something was signed, and gives the old key away', async () => {
    place = new PlaceWorld(5, { rules })
    const kris = place.join()
    await place.world.pass(2_000)
    await say(place, kris, 'before')
    place.killHost()
    place.reviveHost()
    await place.world.pass(60_000)
    expect(epochs(kris)).toHaveLength(1)
    // Nothing was said since: once more it goes on with the key that it has.
    place.killHost()
    place.reviveHost()
    await place.world.pass(60_000)
    expect(epochs(kris)).toHaveLength(1)
    await place.world.pass(4 * HOUR_MS)
    const { fragments, keys, published } = possessionsOf(place, kris)
    const said = fragments.filter(one => readBy(place, keys, [one]).includes('before'))
    expect(said.some(one => published.some(key => isSignedBy(place, one, key.publicKey)))).toBe(
      true,
    )
  })

  test('again and again keeps a bounded number of keys', async () => {
    place = new PlaceWorld(6, { rules })
    for (let i = 0; i < 100; i++) {
      place.say(`${i}`)
      place.killHost()
      place.reviveHost()
    }
    await place.world.pass(8 * HOUR_MS)
    const kris = place.join()
    await place.world.pass(10_000)
    expect(possessionsOf(place, kris).published).toHaveLength(65)
    expect(textsOf(kris.guest!.messages({}))).toEqual([])
    expect(kris.knowledge).toEqual(place.hostKnowledge)
  })

  test('in the other mode than it was made in does not start', async () => {
    place = new PlaceWorld(7, { rules })
    place.killHost()
    place.options.rules = { ...rules, isDeniable: false }
    expect(() => place.reviveHost()).toThrow(/another mode/)
    place.options.rules = rules
    place.reviveHost()
  })
})

describe('a place of another mode than it was entered in', () => {
  test.for([true, false])('is refused (it is deniable: %j)', async isDeniable => {
    place = new PlaceWorld(8, { rules: { isDeniable } })
    place.expects = { isDeniable: !isDeniable }
    const kris = place.join()
    await place.world.pass(60_000)
    expect(kris.reason?.code).toBe('PLACE_MODE')
    expect(kris.isAttached).toBe(false)
  })

  test('is refused when it says so later', async () => {
    place = new PlaceWorld(9, { rules })
    const kris = place.join()
    await place.world.pass(2_000)
    expect(modeIn(kris.guest!.state)).toBe('deniable')
    place.host.announce({ method: '_notice', entity: [modifier('=', '_mode', 'provable')] })
    await place.world.pass(2_000)
    expect(kris.reason?.code).toBe('PLACE_MODE')
    expect(kris.isAttached).toBe(false)
  })

  test('a reset of the state leaves the mode', async () => {
    place = new PlaceWorld(10, { rules })
    const kris = place.join()
    await place.world.pass(2_000)
    place.host.announce({ method: '_notice', reset: true })
    await place.world.pass(2_000)
    expect(modeIn(kris.guest!.state)).toBe('deniable')
    expect(kris.isAttached).toBe(true)
  })
})
