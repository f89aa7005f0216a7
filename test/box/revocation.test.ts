import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { memoryStore } from '../../src/base/store.ts'
import { GrantBook, ownerGrant, RIGHTS } from '../../src/box/grant.ts'
import { noticeRecords, type OwnerNotice, readNotices } from '../../src/box/owner-notices.ts'
import { applyRevocation, readRevocation, signRevocation } from '../../src/box/revocation.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { readSuccession, signSuccession } from '../../src/box/succession.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { txtRecord } from '../../src/gns/record-data.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(12)
const key = () => ZoneSecret.generate('EDKEY', random)
const [owner, lost, other, thief] = [key(), key(), key(), key()]
const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = 100 * DAY
const names = { holder: 'home', deviceName: 'kitchen' }

function book(): GrantBook {
  const made = new GrantBook(memoryStore())
  for (const { zone } of [owner, lost]) made.set(ownerGrant(zone, names, NOW))
  return made
}

function revoke(
  from: GrantBook,
  by: ZoneSecret,
  revoked: ZoneSecret,
  number = NOW + 1,
  now = NOW + 1,
): unknown {
  try {
    return applyRevocation(from, readRevocation(signRevocation(by, revoked.zone, number)), now)
  } catch (error) {
    if (error instanceof BoxError) return error.code
    throw error
  }
}

describe('a revocation', () => {
  test('that was changed anywhere is not believed', () => {
    const signed = signRevocation(owner, lost.zone, NOW)
    expect(readRevocation(signed)).toEqual({
      ...{ issuer: owner.zone, revoked: lost.zone, number: NOW },
    })
    for (let at = 0; at < signed.length; at += 5) {
      const changed = signed.slice()
      changed[at]! ^= 1
      expect(() => readRevocation(changed)).toThrow(BoxError)
    }
  })

  test('ends all that the key had, once', () => {
    const grants = book()
    expect(revoke(grants, owner, lost)).toBe(true)
    expect(grants.find(lost.zone, NOW + 2)).toBeNull()
    expect(grants.allows(owner.zone, 'admin', NOW + 2)).toBe(true)
    expect(revoke(grants, owner, lost)).toBe(false)
  })

  test('of an earlier time does nothing to what was granted after it', () => {
    const grants = book()
    expect(revoke(grants, owner, lost, NOW - DAY)).toBe(false)
    expect(revoke(grants, owner, lost)).toBe(true)
    grants.set(ownerGrant(lost.zone, names, NOW + 5))
    expect(revoke(grants, owner, lost)).toBe(false)
    expect(grants.allows(lost.zone, 'shell', NOW + 6)).toBe(true)
    const given = { ...ownerGrant(lost.zone, names, NOW), number: NOW + 9 }
    grants.set(given)
    expect(revoke(grants, owner, lost, NOW + 9)).toBe(false)
    expect(grants.find(lost.zone, NOW + 9)).toEqual(given)
  })

  test.each([HOUR, 30 * DAY])('ends what a device took whose clock was %i ms ahead', ahead => {
    const paired = ownerGrant(lost.zone, names, NOW + ahead)
    for (const grant of [paired, { ...paired, number: NOW }]) {
      const grants = book()
      grants.set(grant)
      expect(revoke(grants, owner, lost)).toBe(true)
      expect(grants.find(lost.zone, NOW + 2)).toBeNull()
    }
  })

  test('ends what a device took whose clock is ahead still', () => {
    const now = NOW + HOUR
    for (const number of [0, NOW]) {
      const grants = book()
      grants.set({ ...ownerGrant(lost.zone, names, now), number })
      expect(revoke(grants, owner, lost, NOW + 1, now + 1)).toBe(true)
    }
  })

  test('ends what is over only by a clock that is ahead', () => {
    const grants = book()
    grants.set({ ...ownerGrant(lost.zone, names, NOW), until: NOW + DAY, number: NOW })
    expect(revoke(grants, owner, lost, NOW + 1, NOW + 2 * DAY)).toBe(true)
    expect(grants.find(lost.zone, NOW + 2)).toBeNull()
  })

  test('is refused, not passed over, where the number of the grant is from a time to come', () => {
    const grants = book()
    grants.set({ ...ownerGrant(lost.zone, names, NOW), number: NOW + 30 * DAY })
    expect(revoke(grants, owner, lost)).toBe('CLOCK_WRONG')
  })

  test('ends once who was paired again, also after the book was read again', () => {
    const store = memoryStore()
    const grants = new GrantBook(store)
    grants.set(ownerGrant(owner.zone, names, NOW))
    const again = (since: number) => grants.set(ownerGrant(lost.zone, names, since))
    again(NOW)
    // By an owner whose clock is ahead.
    expect(revoke(grants, owner, lost, NOW + 20 * HOUR)).toBe(true)
    again(NOW + HOUR)
    again(NOW + 2 * HOUR)
    const read = new GrantBook(store)
    const now = NOW + 3 * HOUR
    for (const kept of [grants, read])
      expect(revoke(kept, owner, lost, NOW + 20 * HOUR, now)).toBe(false)
    expect(revoke(read, owner, lost, now, now)).toBe(true)
  })

  test('counts only by whoever may grant there, and not from a time to come', () => {
    const grants = book()
    grants.set({ ...ownerGrant(other.zone, names, NOW), rights: ['shell', 'push'] })
    expect(revoke(grants, other, lost)).toBe('NOT_PERMITTED')
    expect(revoke(grants, thief, lost)).toBe('NOT_PERMITTED')
    expect(revoke(grants, owner, lost, NOW + 2 * DAY)).toBe('INPUT_INVALID')
    grants.set({ ...ownerGrant(other.zone, names, NOW), until: NOW + DAY })
    expect(revoke(grants, other, lost)).toBe('NOT_PERMITTED')
    expect(grants.allows(lost.zone, 'admin', NOW + 2)).toBe(true)
  })

  test('by an owner for a time ends whoever may not grant for good', () => {
    const grants = book()
    grants.set({ ...ownerGrant(other.zone, names, NOW), until: NOW + DAY })
    const given = { zone: lost.zone, ...names, since: NOW, scope: WHOLE_SCOPE, number: NOW }
    for (const some of [
      { rights: RIGHTS, until: NOW + 2 * DAY },
      { rights: ['shell'] as const, until: null },
    ]) {
      grants.set({ ...given, ...some })
      expect(revoke(grants, other, lost)).toBe(true)
    }
  })

  test('ends the key that a thief has put in place of the revoked one', () => {
    const grants = book()
    grants.succeed(readSuccession(signSuccession(lost, thief, NOW + 1)), NOW + 1)
    expect(grants.allows(thief.zone, 'admin', NOW + 1)).toBe(true)
    expect(revoke(grants, owner, lost)).toBe(true)
    expect(grants.find(thief.zone, NOW + 2)).toBeNull()
  })

  test('of an own key that was given up does nothing to the one after it', () => {
    const grants = book()
    const next = key()
    grants.succeed(readSuccession(signSuccession(owner, next, NOW + 1)), NOW + 1)
    expect(revoke(grants, next, owner)).toBe(false)
    expect(grants.allows(next.zone, 'admin', NOW + 2)).toBe(true)
  })
})

describe('what an owner says in their zone', () => {
  test('is read as it was said, and what is none of ours is left out', () => {
    const notices: readonly OwnerNotice[] = [
      { is: 'revocation', signed: signRevocation(owner, lost.zone, NOW) },
      { is: 'succession', signed: signSuccession(owner, other, NOW) },
    ]
    const expiry = { afterMs: DAY }
    const records = [
      ...noticeRecords(notices, expiry),
      ...['hello', 'box1-revoked', 'box1-revoked !!', 'box1-unknown 00'].map(text =>
        txtRecord(text, expiry),
      ),
    ]
    expect(readNotices(records).filter(({ signed }) => signed.length > 0)).toEqual(notices)
  })
})
