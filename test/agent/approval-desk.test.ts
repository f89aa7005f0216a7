/** What waits for another person is done once that person has said so, about exactly this, in time, and only then. */

import { beforeEach, describe, expect, test } from 'vitest'
import {
  APPROVAL_WAITS_MS,
  ApprovalDesk,
  type ApprovalEnd,
  type Wanted,
} from '../../agent/approval-desk.ts'
import { AuditNotes } from '../../agent/audit-notes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import {
  decodeApprovalRequest,
  encodeApprovalRequest,
  signVerdict,
} from '../../src/box/approval.ts'
import { AuditLog, memoryEntries, parseAuditEntry } from '../../src/box/audit.ts'
import { GrantBook, ownerGrant, type Right } from '../../src/box/grant.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { readSuccession, signSuccession } from '../../src/box/succession.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { World } from '../sim/world.ts'
import { utf8 } from '../vectors.ts'
import { keysOf } from './only-key.ts'

let world: World
let grants: GrantBook
let device: ZoneSecret
let desk: ApprovalDesk
let entries: ReturnType<typeof memoryEntries>
/** An owner, who was paired; two people with a grant that demands another person; one with another grant. */
let owner: ZoneSecret
let ada: ZoneSecret
let bea: ZoneSecret
let eve: ZoneSecret

beforeEach(() => {
  world = new World(3)
  grants = new GrantBook(memoryStore())
  const key = () => ZoneSecret.generate('EDKEY', world.random)
  ;[device, owner, ada, bea, eve] = [key(), key(), key(), key(), key()]
  grants.set(ownerGrant(owner.zone, { holder: 'home', deviceName: 'kitchen' }, world.now()))
  give(ada, 'ada', ['exec', 'shell'])
  give(bea, 'bea', ['exec'])
  give(eve, 'eve', ['status', 'files'], false)
  entries = memoryEntries()
  desk = newDesk()
})

function newDesk(secret = device): ApprovalDesk {
  const keys = keysOf(secret, { clock: world })
  const audit = new AuditNotes({
    ...{ audit: new AuditLog(entries), grants, device: keys, clock: world, log: silentLog },
  })
  return new ApprovalDesk({
    clock: world,
    random: world.random,
    device: keys,
    grants,
    audit,
    own: 'root',
  })
}

const give = (
  to: ZoneSecret,
  holder: string,
  rights: readonly Right[],
  approved = true,
  more = {},
) =>
  grants.set({
    ...{ zone: to.zone, holder, deviceName: 'kitchen', rights, until: null, since: world.now() },
    ...{ scope: { ...WHOLE_SCOPE, approved, ...more }, number: 1 },
  })

const wanted = (some: Partial<Wanted> = {}): Wanted => ({
  ...{ requester: ada.zone, publicKey: utf8('key'), kind: 'exec', input: utf8('in') },
  ...{ user: 'root', line: 'reboot', ...some },
})

/** Asks; its end, once there is one. */
function ask(some: Partial<Wanted> = {}) {
  const waiting = desk.ask(wanted(some))
  const now: { end: ApprovalEnd | null } = { end: null }
  void waiting.ended.then(end => {
    now.end = end
  })
  return { ...waiting, now }
}

const shownTo = (reader: ZoneSecret, at = 0) => desk.list(reader.zone)[at]!.request

function say(by: ZoneSecret, request: Uint8Array, isApproved = true, caller = by): string {
  try {
    desk.judge(caller.zone, signVerdict(by, { request, isApproved }))
    return 'taken'
  } catch (error) {
    if (error instanceof BoxError) return error.code
    throw error
  }
}

const noted = () =>
  entries
    .entries()
    .flatMap(value => parseAuditEntry(value) ?? [])
    .map(({ who, what, result }) => `${who} ${what} ${result}`)

describe('a request', () => {
  test('shows exactly what is wanted, to those who may approve it and to whoever asked', () => {
    const { id } = ask()
    const request = decodeApprovalRequest(shownTo(bea))
    expect(request).toMatchObject({
      ...{ device: device.zone, requester: ada.zone, kind: 'exec', user: 'root', line: 'reboot' },
      ...{ askedAt: world.now(), expiresAt: world.now() + APPROVAL_WAITS_MS },
      input: { size: 2 },
    })
    expect(desk.list(owner.zone)).toMatchObject([{ who: 'ada', mayApprove: true }])
    expect(desk.list(ada.zone)).toMatchObject([{ mayApprove: false }])
    expect(desk.list(eve.zone)).toEqual([])
    expect(id).toMatch(/^[0-9A-Z]{12}$/)
  })

  test('is never the same twice', () => {
    ask()
    ask()
    expect(shownTo(bea, 0)).not.toEqual(shownTo(bea, 1))
  })

  test('is refused where nobody else could approve it', () => {
    grants.remove(owner.zone)
    give(bea, 'bea', ['status'])
    expect(() => ask()).toThrow(/Nobody else/)
    expect(world.pending).toBe(0)
  })

  test('of one person are four, and of all are few', () => {
    for (let i = 0; i < 4; i++) ask()
    expect(() => ask()).toThrow(/As much waits/)
    ask({ requester: bea.zone })
    for (let person = 0; person < 9; person++) {
      const key = ZoneSecret.generate('EDKEY', world.random)
      give(key, `p${person}`, ['exec'])
      for (let i = 0; i < 4 && desk.list(owner.zone).length < 32; i++) ask({ requester: key.zone })
    }
    expect(() => ask({ requester: bea.zone })).toThrow(/As much waits/)
  })

  test('ends when its time is over, and when nobody waits for it any more', async () => {
    const [late, left] = [ask(), ask()]
    left.withdraw()
    await world.pass(1)
    expect([late.now.end, left.now.end]).toEqual([null, { is: 'withdrawn' }])
    const request = shownTo(bea)
    await world.pass(APPROVAL_WAITS_MS)
    expect(late.now.end).toEqual({ is: 'expired' })
    expect(say(bea, request)).toBe('APPROVAL_UNKNOWN')
    expect(world.pending).toBe(0)
    expect(noted()).toEqual([
      ...['ada approval asked', 'ada approval asked'],
      ...['ada approval withdrawn', 'ada approval expired'],
    ])
  })
})

describe('a verdict', () => {
  test('of another person with the same right ends the waiting, either way, once', async () => {
    const yes = ask()
    const request = shownTo(bea)
    expect(say(bea, request)).toBe('taken')
    expect(say(bea, request)).toBe('APPROVAL_UNKNOWN')
    const no = ask()
    expect(say(owner, shownTo(owner), false)).toBe('taken')
    await world.pass(1)
    expect(yes.now.end).toEqual({ is: 'approved', by: 'bea' })
    expect(no.now.end).toEqual({ is: 'denied', by: 'home' })
    expect(noted()).toEqual([
      ...['ada approval asked', 'bea approval approved'],
      ...['ada approval asked', 'home approval denied'],
    ])
    expect(world.pending).toBe(0)
  })

  test('of whoever asked is none, also by a key that came after or before theirs', async () => {
    const next = ZoneSecret.generate('EDKEY', world.random)
    const { now } = ask()
    expect(say(ada, shownTo(ada))).toBe('NOT_PERMITTED')
    const request = shownTo(bea)
    grants.succeed(readSuccession(signSuccession(ada, next, world.now())), world.now())
    expect(say(next, request)).toBe('NOT_PERMITTED')
    expect(say(ada, request)).toBe('NOT_PERMITTED')
    await world.pass(1)
    expect(now.end).toBeNull()
  })

  test('of another key that an owner has called by the same name is none', () => {
    const second = ZoneSecret.generate('EDKEY', world.random)
    give(second, 'ada', ['exec'])
    ask()
    expect(say(second, shownTo(bea))).toBe('NOT_PERMITTED')
    // Two who were paired may have chosen the same name.
    const other = ZoneSecret.generate('EDKEY', world.random)
    grants.set(ownerGrant(other.zone, { holder: 'home', deviceName: 'kitchen' }, world.now()))
    ask({ requester: other.zone })
    expect(say(owner, shownTo(owner, 1))).toBe('taken')
  })

  test('of whoever could not have it done is none', () => {
    ask()
    const request = shownTo(bea)
    const stranger = ZoneSecret.generate('EDKEY', world.random)
    for (const other of [eve, stranger]) expect(say(other, request)).toBe('NOT_PERMITTED')
    give(bea, 'bea', ['exec'], true, { commands: ['uptime'] })
    expect(say(bea, request)).toBe('NOT_PERMITTED')
    give(bea, 'bea', ['exec'], true, { users: ['nobody'] })
    expect(say(bea, request)).toBe('NOT_PERMITTED')
    grants.remove(bea.zone)
    expect(say(bea, request)).toBe('NOT_PERMITTED')
    ask({ kind: 'shell on a terminal', line: '' })
    give(bea, 'bea', ['exec'])
    expect(say(bea, shownTo(owner, 1))).toBe('NOT_PERMITTED')
    give(bea, 'bea', ['shell'])
    expect(say(bea, shownTo(owner, 1))).toBe('taken')
  })

  test('handed over by somebody else, or about something else, is none', () => {
    ask()
    const encoded = shownTo(bea)
    const request = decodeApprovalRequest(encoded)
    expect(say(bea, encoded, true, ada)).toBe('NOT_PERMITTED')
    for (const change of [
      { line: 'reboot -f' },
      { user: 'nobody' },
      { device: eve.zone },
      { requester: bea.zone },
      { expiresAt: request.expiresAt + 1 },
      { nonce: new Uint8Array(16) },
      { kind: 'exec on a terminal' as const },
    ])
      expect(say(bea, encodeApprovalRequest({ ...request, ...change }))).toBe('APPROVAL_UNKNOWN')
    const noise = () => desk.judge(bea.zone, world.random.bytes(170))
    expect(noise).toThrow(BoxError)
    expect(say(bea, encoded)).toBe('taken')
  })

  test('is good neither on another device nor after a new start of this one', () => {
    ask()
    const encoded = shownTo(bea)
    for (const secret of [device, ZoneSecret.generate('EDKEY', world.random)]) {
      desk = newDesk(secret)
      ask()
      expect(say(bea, encoded)).toBe('APPROVAL_UNKNOWN')
    }
  })
})
