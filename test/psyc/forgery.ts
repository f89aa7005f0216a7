/** What one member of a deniable place has and can do with it: check what was said, and say it again otherwise. */

import { expect } from 'vitest'
import { equalBytes } from '../../src/base/bytes.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { ChannelReader, type Message } from '../../src/psyc/channel.ts'
import {
  type Fragment,
  follows,
  KIND,
  makeFragment,
  readFragment,
} from '../../src/psyc/fragment.ts'
import { KeyRing, openContent, sealContent } from '../../src/psyc/group-key.ts'
import { History } from '../../src/psyc/history.ts'
import { readMemory } from '../../src/psyc/memory.ts'
import { PlaceContent, PlaceEpoch, PlacePublished } from '../../src/psyc/messages.ts'
import { type Person, type PlaceWorld, textOf } from './place-world.ts'
import { toLatin } from './vectors.ts'

export const HOUR_MS = 3_600_000
export const DENIABLE = { isDeniable: true, announcesMembers: true, isHistoryOpen: true }

export const historyOf = (place: PlaceWorld, { disk }: Person): History =>
  new History(place.key.publicKey, disk.ledger)
export const all = (history: History): Fragment[] => [...history.from(history.first)]
export const say = (place: PlaceWorld, one: Person, text: string): Promise<void> =>
  place.world.until(
    one.guest!.talk({ method: '_message', data: new TextEncoder().encode(text) }),
    60_000,
  )
export const textsOf = (messages: readonly Message[]): string[] =>
  messages.filter(({ method }) => method === '_message').map(textOf)

/** What one member has on its disk, and nothing else. */
export function possessionsOf(place: PlaceWorld, one: Person) {
  one.guest!.checkpoint()
  const fragments = all(historyOf(place, one))
  const keys = new KeyRing()
  for (const [generation, key] of readMemory(one.disk.store, 'guest')!.keys)
    keys.set(generation, key)
  const seeds = fragments.flatMap(({ kind, body }) =>
    kind === KIND.published ? PlacePublished.decode(body).seeds : [],
  )
  return { fragments, keys, published: seeds.map(seed => SigningKey.fromSeed(seed)) }
}

/** Those that the key of an epoch has signed, with the one that ends it. */
export function epochOf(fragments: readonly Fragment[], key: Uint8Array): readonly Fragment[] {
  const from = fragments.findIndex(
    ({ kind, body }) => kind === KIND.epoch && equalBytes(PlaceEpoch.decode(body).key, key),
  )
  const to = fragments.findIndex(({ kind }, at) => at > from && kind === KIND.epoch)
  return fragments.slice(from + 1, to + 1)
}

/** All that anybody can check in a chain: that each follows, and is signed by the key of its epoch. */
export function isTrue(
  place: { readonly key: SigningKey },
  fragments: readonly Fragment[],
  firstKey: Uint8Array,
): boolean {
  let key = firstKey
  let before: Fragment | null = null
  for (const one of fragments) {
    readFragment(place.key.publicKey, one.raw, key)
    if (before && !follows(before, one)) return false
    if (one.kind === KIND.epoch) key = PlaceEpoch.decode(one.body).key
    before = one
  }
  return true
}

/** What one member alone does: the epoch once more, with other words in it. */
export function forge(
  place: PlaceWorld,
  epoch: readonly Fragment[],
  keys: KeyRing,
  signer: SigningKey,
  alter: (text: string) => string,
): readonly Fragment[] {
  let previous = epoch[0]!.previous
  return epoch.map(({ id, kind, generation, body }) => {
    const head = { id, kind, generation, previous }
    const made = makeFragment(signer, { ...head, body: bodyFor() }, place.key.publicKey)
    previous = made.hash
    return made

    function bodyFor(): Uint8Array {
      if (kind !== KIND.content) return body
      const true_ = epoch.find(one => one.id === id)!
      const key = keys.get(generation)!
      const plain = openContent(key, place.key.publicKey, true_, body)!
      const content = PlaceContent.decode(plain)
      const parts = Uint8Array.from(Buffer.from(alter(toLatin(content.parts)), 'latin1'))
      expect(parts.length).toBe(content.parts.length)
      return sealContent(key, place.key.publicKey, head, PlaceContent.encode({ ...content, parts }))
    }
  })
}

export function messagesBy(
  place: PlaceWorld,
  keys: KeyRing,
  fragments: readonly Fragment[],
): Message[] {
  const reader = new ChannelReader({ place: place.key.publicKey, keys, agreement: null })
  const read = fragments.flatMap(one => reader.take(one) ?? [])
  return read.filter(({ method }) => method === '_message')
}

export const readBy = (
  place: PlaceWorld,
  keys: KeyRing,
  fragments: readonly Fragment[],
): string[] => messagesBy(place, keys, fragments).map(textOf)

export const authorOf = ({ entity }: Message): string =>
  toLatin(entity.find(({ name }) => name === '_nym_author')!.value)

/** Two people talk in an epoch that is not the first, and hours pass until its key is out. */
export async function talked(place: PlaceWorld): Promise<{ kris: Person; lynX: Person }> {
  const [kris, lynX] = [place.join(), place.join()]
  await place.world.pass(5 * HOUR_MS)
  await say(place, kris, 'let us meet at nine')
  await say(place, lynX, 'at the old bridge')
  await place.world.pass(5 * HOUR_MS)
  return { kris, lynX }
}

export function isSignedBy(
  place: { readonly key: SigningKey },
  { raw }: Fragment,
  key: Uint8Array,
): boolean {
  try {
    readFragment(place.key.publicKey, raw, key)
    return true
  } catch {
    return false
  }
}
