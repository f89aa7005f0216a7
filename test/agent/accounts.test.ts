import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Accounts } from '../../agent/accounts.ts'
import { type Account, ownAccount } from '../../agent/environment.ts'
import { mayBe, refusalOf } from '../../agent/session-account.ts'
import type { Right } from '../../src/box/grant.ts'
import { type Scope, WHOLE_SCOPE } from '../../src/box/scope.ts'

const DAY_MS = 24 * 3_600_000
const PASSWD = `root:x:0:0:root:/root:/bin/bash
ada:x:1001:1001:Ada:/tmp:/bin/zsh
bare:x:1002:1003::/nowhere/at/all:
www:x:33:33::/var/www:/usr/sbin/nologin
gone:x:1004:1004::/tmp:/bin/sh
odd:x:abc:1:::/bin/sh
+nis::::::
`
const GROUP = `ada:x:1001:
audio:x:29:bare,ada
docker:x:999:ada
other:x:500:adam
`
const SHADOW = 'ada:!:1:0:99999:7:::\ngone:*:1:0:99999:7::100:\n'

let directory: string
let accounts: Accounts
const own: Account = { ...ownAccount('/bin/sh'), name: 'root' }
const at = (now: number, isRoot = true) => new Accounts({ own, isRoot, now: () => now, directory })

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'box-etc-'))
  for (const [name, text] of Object.entries({ passwd: PASSWD, group: GROUP, shadow: SHADOW }))
    writeFileSync(join(directory, name), text)
  accounts = at(99 * DAY_MS)
})
afterEach(() => rmSync(directory, { recursive: true }))

test('a user has its group, all of its groups, its home and its login shell', () => {
  expect(accounts.find('ada')).toEqual({
    ...{ name: 'ada', home: '/tmp', shell: '/bin/zsh' },
    identity: { uid: 1001, gid: 1001, groups: [1001, 29, 999] },
  })
})

test('a user without a home is at the root, and without a shell has sh', () => {
  expect(accounts.find('bare')).toMatchObject({ home: '/', shell: '/bin/sh' })
})

test('whoever the agent runs as is that without more, also where it is not root', () => {
  expect(at(0).find('root')).toBe(own)
  expect(at(0, false).find('root')).toBe(own)
})

test('an agent that is not root can be nobody else', () => {
  expect(at(0, false).find('ada')).toBe('USER_OUT_OF_REACH')
})

test.for(['nobody-here', 'odd', '+nis', '', 'ada:x', '1001'])('there is no user "%s"', name => {
  expect(accounts.find(name)).toBe('USER_UNKNOWN')
})

test('an account that nobody logs in to, or that has expired, is closed', () => {
  expect(accounts.find('www')).toBe('USER_CLOSED')
  expect(accounts.find('gone')).toMatchObject({ name: 'gone' })
  expect(at(100 * DAY_MS).find('gone')).toBe('USER_CLOSED')
})

const person = (scope: Partial<Scope>, ...rights: Right[]) => ({
  scope: () => ({ ...WHOLE_SCOPE, ...scope }),
  allows: (right: Right) => rights.includes(right),
})

test('an owner may be any user; somebody else those that the grant names, and by default none but the agent’s', () => {
  const ada = accounts.find('ada') as Account
  expect(mayBe(person({}, 'shell', 'admin'), ada)).toBe(true)
  expect(mayBe(person({ commands: ['id'] }, 'exec', 'admin'), ada)).toBe(false)
  expect(mayBe(person({}, 'shell'), ada)).toBe(false)
  expect(mayBe(person({}, 'shell'), own)).toBe(true)
  expect(mayBe(person({ users: ['ada'] }, 'shell'), ada)).toBe(true)
  expect(mayBe(person({ users: ['ada'] }, 'shell'), own)).toBe(false)
  expect(mayBe(person({ users: ['ada'] }, 'shell', 'admin'), own)).toBe(false)
})

test('who may not be a user is not told whether there is one', () => {
  const guest = person({ users: ['ada'] }, 'shell')
  for (const name of ['www', 'nobody-here', 'bare', 'root'])
    expect(refusalOf(guest, name, accounts), name).toBe('USER_NOT_GRANTED')
  expect(refusalOf(guest, 'ada', accounts)).toBeNull()
  const owner = person({}, 'admin')
  expect(refusalOf(owner, 'nobody-here', accounts)).toBe('USER_UNKNOWN')
  expect(refusalOf(owner, 'www', accounts)).toBe('USER_CLOSED')
})
