import { expect, test } from 'vitest'
import { memoryStore } from '../../src/base/store.ts'

test('a store in memory has what was last set, until it is deleted', () => {
  const store = memoryStore()
  expect(store.get('a')).toBeNull()
  store.set('a', Uint8Array.of(1))
  store.set('b', Uint8Array.of(2))
  store.set('a', Uint8Array.of(3))
  expect(store.get('a')).toEqual(Uint8Array.of(3))
  expect(store.names()).toEqual(['a', 'b'])
  store.delete('a')
  store.delete('never there')
  expect(store.get('a')).toBeNull()
  expect(store.names()).toEqual(['b'])
})

test('a store in memory keeps a copy, as a disk does', () => {
  const store = memoryStore()
  const value = Uint8Array.of(1)
  store.set('a', value)
  value[0] = 2
  expect(store.get('a')).toEqual(Uint8Array.of(1))
})
