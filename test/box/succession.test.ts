import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { memoryStore } from '../../src/base/store.ts'
import { GrantBook, ownerGrant } from '../../src/box/grant.ts'
import {
  CHAIN_MAX,
  readSuccession,
  readSuccessionChain,
  SUCCESSION_SIZE,
  signSuccession,
  successionChain,
} from '../../src/box/succession.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(11)
const key = (type: 'EDKEY' | 'PKEY' = 'EDKEY') => ZoneSecret.generate(type, random)
const [a, b, c] = [key(), key('PKEY'), key()]
const DAY = 24 * 3_600_000
const NOW = 100 * DAY

describe('a succession of keys', () => {
  test('is read as it was signed, by both kinds of keys', () => {
    const signed = signSuccession(a, b, NOW)
    expect(signed).toHaveLength(SUCCESSION_SIZE)
    expect(readSuccession(signed)).toEqual({ before: a.zone, after: b.zone, number: NOW })
  })

  test('that was changed anywhere is not believed', () => {
    const signed = signSuccession(a, b, NOW)
    for (let at = 0; at < signed.length; at += 5) {
      const changed = signed.slice()
      changed[at]! ^= 1
      expect(() => readSuccession(changed)).toThrow(BoxError)
    }
  })

  test('needs both keys: nobody gives what is theirs to somebody else, or takes it', () => {
    const signed = signSuccession(a, b, NOW)
    const other = signSuccession(c, b, NOW)
    const mixed = signed.slice()
    mixed.set(other.subarray(0, 64))
    expect(() => readSuccession(mixed)).toThrow('The signature is not by the claimed key.')
  })

  test('in a chain follows one key after the other to the last', () => {
    const chain = successionChain([signSuccession(a, b, 1), signSuccession(b, c, 2)])
    expect(readSuccessionChain(chain, c.zone).map(({ number }) => number)).toEqual([1, 2])
    expect(readSuccessionChain(chain, null)).toHaveLength(2)
    expect(readSuccessionChain(new Uint8Array(0), c.zone)).toEqual([])
    expect(() => readSuccessionChain(chain, b.zone)).toThrow('do not follow each other')
    const gap = successionChain([signSuccession(a, b, 1), signSuccession(a, c, 2)])
    expect(() => readSuccessionChain(gap, c.zone)).toThrow('do not follow each other')
    const back = successionChain([signSuccession(a, b, 2), signSuccession(b, c, 2)])
    expect(() => readSuccessionChain(back, c.zone)).toThrow('do not follow each other')
    expect(successionChain(Array(9).fill(signSuccession(a, b, 1)))).toHaveLength(
      CHAIN_MAX * SUCCESSION_SIZE,
    )
  })
})

describe('a book of grants', () => {
  const names = { holder: 'home', deviceName: 'kitchen' }
  const said = (before: ZoneSecret, after: ZoneSecret, number: number) =>
    readSuccession(signSuccession(before, after, number))

  test('gives the new key what the old one had, and the old one nothing', () => {
    const store = memoryStore()
    const book = new GrantBook(store)
    book.set(ownerGrant(a.zone, names, NOW))
    const link = said(a, b, NOW + 1)
    expect(book.mayRetire(link, NOW + 1)).toBe(true)
    expect(book.succeed(link, NOW + 1)).toBe(true)
    for (const read of [book, new GrantBook(store)]) {
      expect(read.find(a.zone, NOW + 2)).toBeNull()
      expect(read.allows(b.zone, 'admin', NOW + 2)).toBe(true)
      expect(read.find(b.zone, NOW + 2)).toMatchObject(names)
    }
  })

  test('follows none again, also when the old key is granted something anew', () => {
    const store = memoryStore()
    const book = new GrantBook(store)
    book.set(ownerGrant(a.zone, names, NOW))
    const link = said(a, b, NOW + 1)
    book.succeed(link, NOW + 1)
    book.remove(b.zone)
    book.set(ownerGrant(a.zone, names, NOW + 10))
    expect(new GrantBook(store).mayRetire(link, NOW + 11)).toBe(false)
    expect(book.mayRetire(said(a, b, NOW + 12), NOW + 12)).toBe(true)
  })

  test('follows none that is much older than the grant, or of a time to come', () => {
    const book = new GrantBook(memoryStore())
    book.set(ownerGrant(a.zone, names, NOW))
    expect(book.mayRetire(said(a, b, NOW - 2 * DAY), NOW)).toBe(false)
    expect(book.mayRetire(said(a, b, NOW + 2 * DAY), NOW)).toBe(false)
  })

  test('leaves a guest what the new key was granted, and an owner the right to grant', () => {
    for (const [rights, left] of [
      [['shell'], ['status']],
      [
        ['shell', 'admin'],
        ['shell', 'admin'],
      ],
    ] as const) {
      const book = new GrantBook(memoryStore())
      book.set({ ...ownerGrant(a.zone, names, NOW), rights })
      book.set({ ...ownerGrant(b.zone, names, NOW), rights: ['status'] })
      book.succeed(said(a, b, NOW + 1), NOW + 1)
      expect(book.find(b.zone, NOW + 2)?.rights).toEqual(left)
      expect(book.find(a.zone, NOW + 2)).toBeNull()
    }
  })

  test('knows which key has what an old one had, and ends where keys lead in a circle', () => {
    const book = new GrantBook(memoryStore())
    book.set(ownerGrant(a.zone, names, NOW))
    book.succeed(said(a, b, NOW + 1), NOW + 1)
    book.succeed(said(b, c, NOW + 2), NOW + 2)
    expect([a, b, c].map(({ zone }) => book.heirOf(zone))).toEqual([c.zone, c.zone, c.zone])
    book.succeed(said(c, a, NOW + 3), NOW + 3)
    expect(book.heirOf(b.zone)).toEqual(a.zone)
  })
})
