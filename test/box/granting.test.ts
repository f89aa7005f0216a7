import { describe, expect, test } from 'vitest'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { memoryStore } from '../../src/base/store.ts'
import { GrantBook, ownerGrant, RIGHTS, type Right } from '../../src/box/grant.ts'
import { type GrantStatement, readGrant, signGrant } from '../../src/box/grant-statement.ts'
import { applyGrant } from '../../src/box/granting.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(7)
const key = () => ZoneSecret.generate('EDKEY', random)
const [device, owner, guest, stranger] = [key(), key(), key(), key()]
const NOW = 1_000_000

function book(): GrantBook {
  const made = new GrantBook(memoryStore())
  made.set(ownerGrant(owner.zone, { holder: 'home', deviceName: 'kitchen' }, 0))
  return made
}

const given = (some: Partial<GrantStatement> = {}) => ({
  ...{ device: device.zone, holder: guest.zone, number: NOW, until: null, name: 'ada' },
  ...{ rights: ['shell'] as readonly Right[], scope: WHOLE_SCOPE, ...some },
})

function apply(
  to: GrantBook,
  by: ZoneSecret,
  some: Partial<GrantStatement> = {},
  caller = by,
): string {
  try {
    const statement = readGrant(signGrant(by, given(some)))
    applyGrant(to, statement, {
      ...{ isOurs: equalBytes(statement.device, device.zone), caller: caller.zone, now: NOW },
    })
    return 'taken'
  } catch (error) {
    if (error instanceof BoxError) return error.code
    throw error
  }
}

describe('a statement', () => {
  test('is read as it was signed', () => {
    const scope = { ...WHOLE_SCOPE, commands: ['uptime'], paths: ['/srv'] }
    const said = given({ scope, until: 5 })
    expect(readGrant(signGrant(owner, said))).toEqual({ ...said, issuer: owner.zone })
  })

  test('that demands something is of a version that a device without it does not take', () => {
    const scope = { ...WHOLE_SCOPE, recorded: true }
    const signed = signGrant(owner, given({ scope }))
    expect(readGrant(signed)).toMatchObject({ scope })
    const approved = signGrant(owner, given({ scope: { ...scope, approved: true } }))
    expect(readGrant(approved)).toMatchObject({ scope: { recorded: true, approved: true } })
    const versions = [signGrant(owner, given()), signed, approved].map(one => one.slice(64, 66))
    expect(versions).toEqual([1, 2, 3].map(version => Uint8Array.of(0, version)))
  })

  test('that was changed anywhere is not believed', () => {
    const signed = signGrant(owner, given())
    for (let at = 0; at < signed.length; at += 7) {
      const changed = signed.slice()
      changed[at]! ^= 1
      expect(() => readGrant(changed)).toThrow(BoxError)
    }
    expect(() => readGrant(signed.subarray(0, 100))).toThrow(BoxError)
    expect(() => readGrant(random.bytes(300))).toThrow(BoxError)
  })
})

describe('a device takes', () => {
  test('what an owner grants, changes and ends', () => {
    const to = book()
    expect(apply(to, owner, { rights: ['exec', 'status'] })).toBe('taken')
    expect(to.allows(guest.zone, 'exec', NOW)).toBe(true)
    expect(to.allows(guest.zone, 'shell', NOW)).toBe(false)
    expect(apply(to, owner, { number: NOW + 1, rights: ['shell'] })).toBe('taken')
    expect(to.allows(guest.zone, 'exec', NOW)).toBe(false)
    expect(apply(to, owner, { number: NOW + 2, rights: [] })).toBe('taken')
    expect(to.find(guest.zone, NOW)).toBeNull()
  })

  test('nothing that is older than what it has, even after its end', () => {
    const to = book()
    apply(to, owner, { number: NOW - 1 })
    apply(to, owner, { number: NOW, rights: [] })
    expect(apply(to, owner, { number: NOW - 1 })).toBe('INPUT_INVALID')
    expect(apply(to, owner, { number: NOW })).toBe('INPUT_INVALID')
    expect(apply(to, owner, { number: NOW + 48 * 3_600_000 })).toBe('INPUT_INVALID')
  })

  test('nothing for another device, from a stranger, or said by somebody else', () => {
    const to = book()
    expect(apply(to, owner, { device: stranger.zone })).toBe('NOT_PERMITTED')
    expect(apply(to, stranger)).toBe('NOT_PERMITTED')
    expect(apply(to, owner, {}, guest)).toBe('NOT_PERMITTED')
    expect(to.find(guest.zone, NOW)).toBeNull()
  })

  test('no right from whoever has it not, and nothing that outlives its issuer', () => {
    const to = book()
    apply(to, owner, { holder: guest.zone, rights: ['admin', 'status'], until: NOW + 100 })
    const by = { holder: stranger.zone, number: NOW + 1 }
    expect(apply(to, guest, { ...by, rights: ['shell'], until: NOW + 50 })).toBe('NOT_PERMITTED')
    expect(apply(to, guest, { ...by, rights: ['status'] })).toBe('NOT_PERMITTED')
    expect(apply(to, guest, { ...by, rights: ['status'], until: NOW + 50 })).toBe('taken')
    // Itself, of course, neither.
    const self = { holder: guest.zone, number: NOW + 2, rights: RIGHTS }
    expect(apply(to, guest, { ...self, until: NOW + 100 })).toBe('NOT_PERMITTED')
  })

  test('nothing from whoever may grant for a time about somebody who may for good', () => {
    const to = book()
    const until = NOW + 100
    apply(to, owner, { holder: guest.zone, rights: RIGHTS, until })
    const second = { holder: stranger.zone, number: NOW + 1 }
    expect(apply(to, owner, { ...second, rights: ['admin'] })).toBe('taken')
    for (const holder of [owner.zone, stranger.zone])
      for (const rights of [[], ['status'], RIGHTS] as const)
        expect(apply(to, guest, { holder, number: NOW + 2, rights, until })).toBe('NOT_PERMITTED')
    expect(to.allows(stranger.zone, 'admin', NOW)).toBe(true)
    // Who may for good may; and others they may put out.
    expect(apply(to, owner, { ...second, number: NOW + 3, rights: ['shell'] })).toBe('taken')
    expect(apply(to, guest, { ...second, number: NOW + 4, rights: [] })).toBe('taken')
  })

  test('no rights at all from whoever has only some of a right', () => {
    const to = book()
    const scope = { ...WHOLE_SCOPE, commands: ['uptime'] }
    apply(to, owner, { rights: ['admin', 'exec'], scope })
    const by = { holder: stranger.zone, number: NOW + 1 }
    expect(apply(to, guest, { ...by, rights: ['exec'] })).toBe('NOT_PERMITTED')
  })

  test('nothing unrecorded from whoever is recorded, for themselves or under another key', () => {
    const held = book()
    const scope = { ...WHOLE_SCOPE, recorded: true }
    apply(held, owner, { rights: RIGHTS, scope })
    const number = NOW + 1
    for (const holder of [guest.zone, stranger.zone])
      expect(apply(held, guest, { number, holder, rights: ['shell'] })).toBe('NOT_PERMITTED')
    expect(apply(held, guest, { number, holder: stranger.zone, scope })).toBe('taken')
    const ended = { number: number + 1, holder: stranger.zone, rights: [] }
    expect(apply(held, guest, ended)).toBe('taken')
    // And so the device is never left to those alone who cannot lift it.
    expect(apply(held, owner, { holder: owner.zone, rights: RIGHTS, scope })).toBe('INPUT_INVALID')
  })

  test('no demand for approval with a right by which nobody could approve anything', () => {
    const scope = { ...WHOLE_SCOPE, approved: true }
    const rights: readonly Right[] = ['exec', 'shell', 'status', 'watch']
    expect(apply(book(), owner, { rights, scope })).toBe('taken')
    for (const right of RIGHTS.filter(one => !rights.includes(one)))
      expect(apply(book(), owner, { rights: [...rights, right], scope })).toBe('INPUT_INVALID')
  })

  test('nothing that leaves it to nobody', () => {
    const to = book()
    expect(apply(to, owner, { holder: owner.zone, rights: [] })).toBe('INPUT_INVALID')
    expect(apply(to, owner, { holder: owner.zone, rights: RIGHTS, until: NOW + 1 })).toBe(
      'INPUT_INVALID',
    )
    apply(to, owner, { holder: guest.zone, rights: RIGHTS })
    expect(apply(to, owner, { holder: owner.zone, rights: [] })).toBe('taken')
    expect(to.allows(guest.zone, 'admin', NOW)).toBe(true)
  })
})
