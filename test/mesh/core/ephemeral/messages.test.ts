import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  CompressedTypeMap,
  ConfirmTypeMap,
  Encrypted,
  EphemeralKey,
  Ping,
  Pong,
} from '../../../../src/mesh/core/ephemeral/messages.ts'
import { WireError } from '../../../../src/wire/layout.ts'
import { seededRandom } from '../../../sim/random.ts'

const MESSAGES = [CompressedTypeMap, ConfirmTypeMap, Encrypted, EphemeralKey, Ping, Pong]

test.for(MESSAGES)('$name comes back as it went', message => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const raw = message.encode(message.sample(seededRandom(seed)) as never)
      expect(message.encode(message.decode(raw) as never)).toEqual(raw)
    }),
  )
})

test.for(MESSAGES)('$name gives a value or a WireError on noise', message => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 170 }), fc.boolean(), (noise, honest) => {
      const raw = new Uint8Array(4 + noise.length)
      raw.set(noise, 4)
      const view = new DataView(raw.buffer)
      view.setUint16(0, honest ? raw.length : noise.length)
      view.setUint16(2, message.type)
      try {
        message.decode(raw)
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
      }
    }),
  )
})
