import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { memoryStore } from '../../src/base/store.ts'
import { GrantBook, ownerGrant, RIGHTS } from '../../src/box/grant.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(1)
const zone = () => ZoneSecret.generate('EDKEY', random).zone
const terms = { scope: WHOLE_SCOPE, number: 0 }
const names = { holder: 'home', deviceName: 'kitchen' }

describe('the book of grants', () => {
  test('is the same after it was read again', () => {
    const store = memoryStore()
    const book = new GrantBook(store)
    const [owner, guest] = [zone(), zone()]
    book.set(ownerGrant(owner, names, 1_000))
    book.set({ zone: guest, ...names, rights: ['status'], until: 5_000, since: 1_000, ...terms })
    expect(new GrantBook(store).all()).toEqual(book.all())
  })

  test('gives an owner every right, and a stranger none', () => {
    const book = new GrantBook(memoryStore())
    const owner = zone()
    book.set(ownerGrant(owner, names, 0))
    for (const right of RIGHTS) {
      expect(book.allows(owner, right, 1e15)).toBe(true)
      expect(book.allows(zone(), right, 0)).toBe(false)
    }
  })

  test('gives what was granted, until it ends', () => {
    const book = new GrantBook(memoryStore())
    const guest = zone()
    book.set({
      zone: guest,
      ...names,
      rights: ['status', 'exec'],
      until: 5_000,
      since: 0,
      ...terms,
    })
    expect(book.allows(guest, 'exec', 4_999)).toBe(true)
    expect(book.allows(guest, 'shell', 4_999)).toBe(false)
    expect(book.allows(guest, 'exec', 5_000)).toBe(false)
  })

  test('has one grant for each key, the latest', () => {
    const book = new GrantBook(memoryStore())
    const owner = zone()
    book.set(ownerGrant(owner, names, 0))
    book.set(ownerGrant(owner, { ...names, deviceName: 'cellar' }, 1))
    expect(book.all().map(({ deviceName }) => deviceName)).toEqual(['cellar'])
  })

  test('forgets whom it is told to forget', () => {
    const store = memoryStore()
    const book = new GrantBook(store)
    const owner = zone()
    book.set(ownerGrant(owner, names, 0))
    expect(book.remove(owner)).toBe(true)
    expect(book.remove(owner)).toBe(false)
    expect(new GrantBook(store).all()).toEqual([])
  })

  test('keeps what it had where the disk refuses', () => {
    const store = memoryStore()
    const book = new GrantBook(store)
    const full = new BoxError('STATE_UNWRITABLE')
    store.set = () => {
      throw full
    }
    expect(() => book.set(ownerGrant(zone(), names, 0))).toThrow(full)
    expect(book.all()).toEqual([])
  })

  test('gives an owner who was paired before it the right to watch, and nobody else', () => {
    const store = memoryStore()
    const first = ['status', 'shell', 'exec', 'files', 'forward', 'push', 'admin'] as const
    const some = { ...names, until: null, since: 0, rights: first, scope: WHOLE_SCOPE }
    const [owner, guest] = [zone(), zone()]
    const grants = [
      { ...some, zone: zoneToText(owner), number: 0 },
      { ...some, zone: zoneToText(guest), number: 7 },
    ]
    store.set('grants', new TextEncoder().encode(JSON.stringify({ version: 1, grants })))
    const book = new GrantBook(store)
    expect(book.allows(owner, 'watch', 0)).toBe(true)
    expect(book.allows(guest, 'watch', 0)).toBe(false)
    // And a version that does not know of it reads what is written now.
    book.set(ownerGrant(owner, names, 0))
    const written = JSON.parse(new TextDecoder().decode(store.get('grants')!))
    expect(written.grants.at(-1).rights).toEqual(first)
  })

  test('lets a version that cannot record read nothing of a grant that must be, but who may mend it', () => {
    const store = memoryStore()
    const book = new GrantBook(store)
    const recorded = { scope: { ...WHOLE_SCOPE, recorded: true }, number: 5 }
    const some = { ...names, until: null, since: 0, ...recorded }
    book.set({ zone: zone(), ...some, rights: ['shell', 'exec'] })
    book.set({ zone: zone(), ...some, rights: ['shell', 'admin'] })
    const approved = { scope: { ...WHOLE_SCOPE, approved: true } }
    book.set({ zone: zone(), ...some, ...approved, rights: ['exec'] })
    expect(new GrantBook(store).all()).toEqual(book.all())
    const { grants } = JSON.parse(new TextDecoder().decode(store.get('grants')!))
    expect(grants.map((grant: { rights: string[] }) => grant.rights)).toEqual([
      ...[[], ['shell', 'admin'], []],
    ])
  })

  test.for([
    '',
    '{',
    'null',
    '[]',
    '{"version":2,"grants":[]}',
    '{"version":1,"grants":{}}',
    '{"version":1,"grants":[null]}',
    '{"version":1,"grants":[{"zone":"x"}]}',
  ])('says STATE_UNREADABLE of %s', text => {
    const store = memoryStore()
    store.set('grants', new TextEncoder().encode(text))
    expect(() => new GrantBook(store)).toThrow(
      expect.objectContaining({ code: 'STATE_UNREADABLE' }),
    )
  })
})
