import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CompressedTypeMap } from '../../../../src/mesh/core/ephemeral/messages.ts'
import { TypeMap } from '../../../../src/mesh/core/ephemeral/type-map.ts'

const compressed = (bytes: Uint8Array) =>
  CompressedTypeMap.encode({ deflated: Uint8Array.from(deflateSync(bytes)) })

test('any set of types comes back as it went', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(65_535), { maxLength: 20 }),
      fc.nat(65_535),
      (types, probe) => {
        const map = TypeMap.decode(TypeMap.of(types).encode())!
        expect(types.every(type => map.has(type))).toBe(true)
        expect(map.has(probe)).toBe(types.includes(probe))
        expect(map.hash).toEqual(TypeMap.of(types).hash)
      },
    ),
    { numRuns: 30 },
  )
})

test('has the bit where GNUnet has it', () => {
  const bits = new Uint8Array(8_192)
  bits[158 >> 3] = 1 << (158 & 7)
  expect(TypeMap.decode(compressed(bits))!.has(158)).toBe(true)
})

test('refuses maps of another size, however small they are on the wire', () => {
  expect(TypeMap.decode(compressed(new Uint8Array(8_191)))).toBeNull()
  expect(TypeMap.decode(compressed(new Uint8Array(8_193)))).toBeNull()
  expect(TypeMap.decode(compressed(new Uint8Array(20_000_000)))).toBeNull()
})

test('refuses what is not compressed at all', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), deflated => {
      const map = TypeMap.decode(CompressedTypeMap.encode({ deflated }))
      expect(map).toBeNull()
    }),
  )
})
