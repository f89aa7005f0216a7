/** What a member of a deniable place takes for new, of what others hand on to it. */

import { afterEach, describe, expect, test } from 'vitest'
import type { SigningKey } from '../../src/crypto/signing.ts'
import { type Fragment, KIND, makeFragment } from '../../src/psyc/fragment.ts'
import { History, memoryLedger } from '../../src/psyc/history.ts'
import { EpochTrust, LEASE_MS, momentOf } from '../../src/psyc/trust.ts'
import { WireError } from '../../src/wire/layout.ts'
import { epochOf, forge, possessionsOf, readBy, DENIABLE as rules, talked } from './forgery.ts'
import { PlaceWorld } from './place-world.ts'

let place: PlaceWorld
afterEach(async () => {
  await place.close()
  expect(place.world.pending).toBe(0)
})

describe('what a member takes for new', () => {
  /** A member that has all up to the words of the epoch, which it was told are true so far. */
  async function setting() {
    place = new PlaceWorld(1, { rules })
    const { kris } = await talked(place)
    const { fragments, keys, published } = possessionsOf(place, kris)
    const signer = published.find(key =>
      readBy(place, keys, epochOf(fragments, key.publicKey)).includes('at the old bridge'),
    )!
    const epoch = epochOf(fragments, signer.publicKey)
    const forged = forge(place, epoch, keys, signer, text => text.replace('nine', 'five'))
    const history = new History(place.key.publicKey, memoryLedger())
    for (const one of fragments.slice(0, fragments.indexOf(epoch[0]!))) history.append(one)
    const trust = new EpochTrust(place.key.publicKey, place.world)
    return { fragments, epoch, forged, signer, history, trust }
  }

  /** What the host said while the epoch had only begun. */
  const wordThen = (history: History, signer: SigningKey) => ({
    ...place.host.word(0n)!,
    key: signer.publicKey,
    ends: [{ id: history.head.id, digest: history.get(history.head.id)!.digest }],
  })

  test('by the key alone, while the host says that it is not out', async () => {
    const { epoch, history, trust, signer } = await setting()
    expect(trust.take(history, epoch[0]!.raw)).toEqual({ is: 'unsure' })
    expect(trust.hear(wordThen(history, signer), momentOf(place.world), history)).toBe('ok')
    await place.world.pass(LEASE_MS - 1_000)
    for (const { raw } of epoch.slice(0, -1)) {
      const taken = trust.take(history, raw)
      expect(taken.is).toBe('taken')
      if (taken.is === 'taken') for (const one of taken.fragments) history.append(one)
    }
    await place.world.pass(2_000)
    expect(trust.take(history, epoch.at(-1)!.raw)).toEqual({ is: 'unsure' })
  })

  test('not by a key of the past, however well it is signed, and the true ones all the same', async () => {
    const { fragments, epoch, forged, history, trust } = await setting()
    expect(trust.hear(place.host.word(0n)!, momentOf(place.world), history)).toBe('ok')
    const feed = (some: readonly Fragment[]) => some.map(({ raw }) => trust.take(history, raw))
    // One who hands on what it made itself is found out at the end of the epoch, before anybody has read it.
    expect(() => feed(forged)).toThrow(WireError)
    expect(history.head.id).toBe(epoch[0]!.id - 1n)
    trust.forget()
    const rest = fragments.slice(fragments.indexOf(epoch[0]!))
    for (const { raw } of rest) {
      const taken = trust.take(history, raw)
      if (taken.is === 'taken') for (const one of taken.fragments) history.append(one)
    }
    expect(history.head).toEqual({ id: place.host.last, hash: fragments.at(-1)!.hash })
    // And at the end of the chain, where only the current key counts.
    const { id, hash } = history.head
    const more = { id: id + 1n, kind: KIND.content, generation: 1, previous: hash }
    const body = new Uint8Array(100)
    for (const key of possessionsOf(place, place.people[0]!).published) {
      const { raw } = makeFragment(key, { ...more, body }, place.key.publicKey)
      expect(() => trust.take(history, raw)).toThrow(WireError)
    }
    const { raw } = makeFragment(place.key, { ...more, body })
    expect(() => trust.take(history, raw)).toThrow(WireError)
  })

  test('not from whom it is told another past than it has', async () => {
    const { forged, fragments, history, trust } = await setting()
    for (const one of forged) history.append(one)
    expect(trust.hear(place.host.word(0n)!, momentOf(place.world), history)).toBe('forked')
    const next = fragments[fragments.findIndex(({ id }) => id === history.head.id + 1n)]!
    expect(trust.take(history, next.raw)).toEqual({ is: 'unsure' })
  })

  test('not when its clock was set back', async () => {
    const { epoch, history, trust, signer } = await setting()
    const { elapsed, now } = momentOf(place.world)
    expect(trust.hear(wordThen(history, signer), { elapsed, now: now + 90_000 }, history)).toBe(
      'ok',
    )
    expect(trust.take(history, epoch[0]!.raw)).toEqual({ is: 'unsure' })
  })

  test('nor when the machine has slept for long', async () => {
    const { epoch, history, trust, signer } = await setting()
    const { elapsed, now } = momentOf(place.world)
    trust.hear(wordThen(history, signer), { elapsed, now: now - LEASE_MS }, history)
    expect(trust.take(history, epoch[0]!.raw)).toEqual({ is: 'unsure' })
  })
})
