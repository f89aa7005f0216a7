import { describe, expect, test } from 'vitest'
import {
  allowsCommand,
  allowsListening,
  allowsTarget,
  allowsUser,
  WHOLE_SCOPE,
} from '../../src/box/scope.ts'

const scope = (some: Partial<typeof WHOLE_SCOPE>) => ({ ...WHOLE_SCOPE, ...some })

test('what is not narrowed allows all', () => {
  expect(allowsCommand(WHOLE_SCOPE, 'rm -rf /')).toBe(true)
  expect(allowsTarget(WHOLE_SCOPE, { host: 'x', port: 1 })).toBe(true)
  expect(allowsListening(WHOLE_SCOPE, { path: '/x' })).toBe(true)
  expect(allowsUser(WHOLE_SCOPE, 'root')).toBe(true)
})

test('a list without entries allows nothing', () => {
  const none = scope({ users: [], commands: [], paths: [], targets: [] })
  expect(allowsCommand(none, 'true')).toBe(false)
  expect(allowsTarget(none, { host: 'x', port: 1 })).toBe(false)
  expect(allowsListening(none, { host: 'x', port: 1 })).toBe(false)
  expect(allowsUser(none, 'root')).toBe(false)
})

describe('commands', () => {
  const some = scope({ commands: ['uptime', 'systemctl restart *'] })

  test.for(['uptime', 'systemctl restart nginx', 'systemctl restart a b-c@1'])('%s', command => {
    expect(allowsCommand(some, command)).toBe(true)
  })

  test.for([
    'uptime -V',
    ' uptime',
    'uptime; id',
    'systemctl stop nginx',
    'systemctl restart x; id',
    'systemctl restart $(id)',
    'systemctl restart `id`',
    'systemctl restart x && id',
    'systemctl restart x | id',
    'systemctl restart x\nid',
    'systemctl restart x > /etc/passwd',
    'systemctl restart *',
    "systemctl restart 'a'",
  ])('not %s', command => {
    expect(allowsCommand(some, command)).toBe(false)
  })
})

describe('targets', () => {
  const some = scope({
    targets: ['printer:631', '*:80', 'db:*', '::1:5432', '/run/x', 'listen:90'],
  })

  test.for([
    ['printer', 631],
    ['PRINTER', 631],
    ['anything', 80],
    ['db', 5432],
    ['::1', 5432],
  ] as const)('%s:%i', ([host, port]) => {
    expect(allowsTarget(some, { host, port })).toBe(true)
  })

  test.for([
    ['printer', 632],
    ['printer.evil', 631],
    ['', 631],
    ['listen', 90],
    ['::1', 80_80],
  ] as const)('not %s:%i', ([host, port]) => {
    expect(allowsTarget(some, { host, port })).toBe(false)
  })

  test('sockets by their path, listening by its own word', () => {
    expect(allowsTarget(some, { path: '/run/x' })).toBe(true)
    expect(allowsTarget(some, { path: '/run/y' })).toBe(false)
    expect(allowsListening(some, { host: 'localhost', port: 90 })).toBe(true)
    expect(allowsListening(some, { host: 'localhost', port: 80 })).toBe(false)
    expect(allowsListening(some, { path: '/run/x' })).toBe(false)
    const all = scope({ targets: ['listen:*'] })
    expect(allowsListening(all, { host: '', port: 0 })).toBe(true)
    expect(allowsTarget(all, { host: 'x', port: 1 })).toBe(false)
  })
})
