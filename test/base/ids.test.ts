import { expect, test } from 'vitest'
import { hashCode, peerId, portId, zoneKey } from '../../src/base/ids.ts'

test.for([
  ['a peer', peerId, 32],
  ['a hash', hashCode, 64],
  ['a port', portId, 64],
  ['a zone', zoneKey, 36],
] as const)('%s is made of its number of bytes and no other', ([, make, size]) => {
  const bytes = new Uint8Array(size)
  expect(make(bytes)).toBe(bytes)
  for (const wrong of [0, size - 1, size + 1])
    expect(() => make(new Uint8Array(wrong))).toThrow(`${size} bytes wanted, ${wrong} given`)
})
