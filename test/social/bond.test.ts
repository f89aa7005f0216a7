/** What two people have in common: both come to it alone, and nobody else does. */

import { describe, expect, test } from 'vitest'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { Bond } from '../../src/social/bond.ts'
import { readIntroduction, signIntroduction } from '../../src/social/introduction.ts'
import { openCard, PREKEYS, sealCard } from '../../src/social/prekeys.ts'
import { decodeSaying, encodeSaying, TEXT_BYTES_MAX } from '../../src/social/saying.ts'
import { seededRandom } from '../sim/random.ts'
import { utf8 } from '../vectors.ts'

const random = seededRandom(1)
const [ada, bob, eve] = [1, 2, 3].map(() => ZoneSecret.generate('EDKEY', random)) as [
  ZoneSecret,
  ZoneSecret,
  ZoneSecret,
]

describe('a bond', () => {
  const mine = new Bond(ada, bob.zone)
  const theirs = new Bond(bob, ada.zone)

  test('is the same for both, and another one in each direction', () => {
    for (const owner of [ada.zone, bob.zone]) {
      expect(mine.label('where', owner)).toBe(theirs.label('where', owner))
      expect(mine.drop(owner)).toEqual(theirs.drop(owner))
      expect(mine.port(owner)).toEqual(theirs.port(owner))
      expect(mine.cardKey(owner)).toEqual(theirs.cardKey(owner))
    }
    const all = [
      ...[ada.zone, bob.zone].flatMap(zone => [
        mine.label('where', zone),
        mine.label('mail', zone),
        `${mine.drop(zone)}`,
        `${mine.cardKey(zone)}`,
        `${mine.port(zone)}`,
      ]),
      new Bond(ada, eve.zone).label('where', ada.zone),
      new Bond(eve, bob.zone).label('where', bob.zone),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  test('is none with a zone that is none of Ed25519', () => {
    const old = ZoneSecret.generate('PKEY', random)
    expect(() => new Bond(ada, old.zone)).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
    expect(() => new Bond(old, ada.zone)).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
  })
})

test('a card is read with its key alone, and has one size', () => {
  const key = random.bytes(32)
  const keys = Array.from({ length: PREKEYS }, () => random.bytes(32))
  const card = sealCard({ serial: 5, keys }, key, random)
  expect(openCard(card, key)).toEqual({ serial: 5, keys })
  expect(openCard(card, random.bytes(32))).toBeNull()
  expect(openCard(card.subarray(1), key)).toBeNull()
  expect(sealCard({ serial: 2 ** 50, keys }, key, random)).toHaveLength(card.length)
})

describe('an introduction', () => {
  const given = { to: ada.zone, zone: eve.zone, name: 'eve', at: 5 }
  const signed = signIntroduction(bob, given)

  test('says who vouches for whom, to whom', () => {
    expect(readIntroduction(signed)).toEqual({ ...given, by: bob.zone })
  })

  test('that was changed is none', () => {
    for (let i = 0; i < signed.length; i++) {
      const changed = signed.slice()
      changed[i]! ^= 1
      expect(() => readIntroduction(changed)).toThrow(expect.objectContaining({ family: 'fault' }))
    }
  })
})

describe('what is said', () => {
  test('is read as it was meant', () => {
    for (const saying of [
      { is: 'text', text: 'a line\nand another\n|\n' },
      { is: 'text', text: '' },
      { is: 'introduction', signed: Uint8Array.of(0, 255, 10) },
      { is: 'received', numbers: [5, 1_900_000_000_000], again: true },
      { is: 'received', numbers: [], again: false },
    ] as const)
      expect(decodeSaying(encodeSaying(saying))).toEqual(saying)
  })

  test('by a newer version is read as far as it is known', () => {
    expect(decodeSaying(utf8('\n_message_private_reply\nyes\n|\n'))).toEqual({
      is: 'text',
      text: 'yes',
    })
    expect(decodeSaying(utf8('\n_request_dance\n|\n'))).toEqual({
      is: 'unknown',
      method: '_request_dance',
    })
  })

  test('has an end', () => {
    const text = 'x'.repeat(TEXT_BYTES_MAX + 1)
    expect(() => encodeSaying({ is: 'text', text })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
  })
})
