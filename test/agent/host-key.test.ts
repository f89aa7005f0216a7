import { expect, test } from 'vitest'
import { openHostKey } from '../../agent/host-key.ts'
import { memoryStore } from '../../src/base/store.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(1)

test('a host key is the same whenever it is opened', () => {
  const store = memoryStore()
  expect(openHostKey(store, random)).toEqual(openHostKey(store, random))
})

test('the host key of each device is its own', () => {
  const one = openHostKey(memoryStore(), random)
  expect(openHostKey(memoryStore(), random).fingerprint).not.toEqual(one.fingerprint)
})

test('a file that holds no host key is refused, and kept', () => {
  const store = memoryStore()
  const damaged = new TextEncoder().encode('-----BEGIN OPENSSH PRIVATE KEY-----\n')
  store.set('ssh-host-key', damaged)
  expect(() => openHostKey(store, random)).toThrow(
    expect.objectContaining({ code: 'KEY_UNREADABLE' }),
  )
  expect(store.get('ssh-host-key')).toEqual(damaged)
})
