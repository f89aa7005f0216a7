import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as messages from '../../src/box/messages.ts'
import { type Message, WireError } from '../../src/wire/layout.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const rest = fc.uint8Array({ maxLength: 300 })
/** Without the NUL that ends it. */
const text = fc.string({ unit: 'grapheme' }).map(word => word.replaceAll('\0', ''))
const u16 = fc.integer({ min: 0, max: 0xffff })

/** Each message, and any value it may have. */
const CASES: readonly (readonly [Message<never>, fc.Arbitrary<object>])[] = [
  [messages.HandshakeHello, fc.record({ version: u16, ephemeral: bytes(32) })],
  [messages.HandshakeAnswer, fc.record({ ephemeral: bytes(32), sealed: rest })],
  [messages.HandshakeProof, fc.record({ sealed: rest })],
  [messages.HandshakeVerdict, fc.record({ sealed: rest })],
  [messages.SealedMessage, fc.record({ sealed: rest })],
  [
    messages.Identity,
    fc.record({ zone: bytes(36), signature: bytes(64), confirmation: bytes(32), payload: rest }),
  ],
  [messages.Verdict, fc.record({ status: u16, payload: rest })],
  [messages.ClockReading, fc.record({ time: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) })],
  [messages.PairRequest, fc.record({ proof: bytes(32), deviceName: rest, ownerName: rest })],
  [messages.PairOffer, fc.record({ proof: bytes(32), record: rest })],
  [messages.PairConfirm, fc.constant({})],
  [messages.PairStored, fc.constant({})],
  [messages.PairDone, fc.constant({})],
  [messages.PairRefused, fc.constant({})],
  [messages.ControlRequest, fc.record({ kind: u16, body: rest })],
  [messages.ControlAnswer, fc.record({ status: u16, body: rest })],
  [messages.PushRequest, fc.record({ kind: u16, body: rest })],
  [messages.PushAnswer, fc.record({ status: u16, body: rest })],
  [messages.PushPart, fc.record({ payload: rest })],
  [messages.PushPartAck, fc.constant({})],
  [messages.CommandOutput, fc.record({ bytes: rest })],
  [messages.CommandErrors, fc.record({ bytes: rest })],
  [messages.CommandExited, fc.record({ code: fc.integer({ min: 0, max: 0xffff_ffff }) })],
  [messages.CommandKilled, fc.record({ signal: text, why: text })],
  [messages.CommandRefused, fc.constant({})],
] as never

test('every message is tested here', () => {
  const all = Object.values(messages).filter(one => typeof one === 'object')
  expect(new Set(CASES.map(([message]) => message))).toEqual(new Set(all))
})

test('no two have the same type, and none is one of GNUnet', () => {
  const types = CASES.map(([{ type }]) => type)
  expect(new Set(types).size).toBe(types.length)
  for (const type of types) expect(type >> 8).toBe(0xbd)
})

describe.each(CASES.map(([message, values]) => [message.name, message, values] as const))(
  '%s',
  (_name, message, values) => {
    test('comes back as it was', () => {
      fc.assert(
        fc.property(values, value => {
          expect(message.decode(message.encode(value as never))).toEqual(value)
        }),
      )
    })

    test('of noise, or changed anywhere, is a value or a WireError', () => {
      const change = fc.record({
        value: values,
        at: fc.nat(),
        bits: fc.integer({ min: 1, max: 255 }),
      })
      const changed = change.map(({ value, at, bits }) => {
        const raw = message.encode(value as never)
        raw[at % raw.length]! ^= bits
        return raw
      })
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array(), changed), raw => {
          try {
            message.decode(raw)
          } catch (error) {
            expect(error).toBeInstanceOf(WireError)
          }
        }),
      )
    })
  },
)
