import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { peerId } from '../../../../src/base/ids.ts'
import { PURPOSE, signPurpose, verifyPurpose } from '../../../../src/crypto/purposes.ts'
import { SigningKey } from '../../../../src/crypto/signing.ts'
import { HelloMessage } from '../../../../src/mesh/transport/legacy/hello.ts'
import {
  Ack,
  Disconnect,
  DisconnectBody,
  Keepalive,
  KeepaliveResponse,
  NatProbe,
  Ping,
  Pong,
  PongBody,
  SetQuota,
  Syn,
  SynAck,
  Welcome,
} from '../../../../src/mesh/transport/legacy/messages.ts'
import { WireError } from '../../../../src/wire/layout.ts'
import { seededRandom } from '../../../sim/random.ts'
import { hex, readVectors, toHex } from '../../../vectors.ts'

const daemon = readVectors('class-a-daemon')
const bytesOf = (name: string) => hex(daemon[name])

const MESSAGES = [
  Ack,
  Disconnect,
  HelloMessage,
  Keepalive,
  KeepaliveResponse,
  NatProbe,
  Ping,
  Pong,
  SetQuota,
  Syn,
  SynAck,
  Welcome,
]

describe('what a real daemon said', () => {
  test.for([
    ['welcome', Welcome],
    ['quota', SetQuota],
    ['syn', Syn],
    ['syn_ack', SynAck],
    ['ack', Ack],
    ['keepalive', Keepalive],
    ['pong', Pong],
  ] as const)('%s is read and written back byte for byte', ([name, message]) => {
    const value = message.decode(bytesOf(name)) as never
    expect(toHex(message.encode(value))).toBe(toHex(bytesOf(name)))
  })

  test('the peer of the WELCOME is that of its text form', () => {
    expect(toHex(Welcome.decode(bytesOf('welcome')).peer)).toBe(daemon.pid)
  })

  test('the signature of its PONG covers expiry and address', () => {
    const { signature, expiresAt, address } = Pong.decode(bytesOf('pong'))
    const body = PongBody.encode({ expiresAt, address })
    const pid = hex(daemon.pid)
    expect(verifyPurpose(pid, PURPOSE.TRANSPORT_PONG_OWN, body, signature)).toBe(true)
    body[body.length - 1]! ^= 1
    expect(verifyPurpose(pid, PURPOSE.TRANSPORT_PONG_OWN, body, signature)).toBe(false)
  })
})

test('a DISCONNECT is signed from the size in front of the purpose to the peer', () => {
  const key = SigningKey.fromSeed(new Uint8Array(32).fill(7))
  const peer = peerId(key.publicKey)
  const body = DisconnectBody.encode({ timestamp: 5n, peer })
  const signature = signPurpose(key, PURPOSE.TRANSPORT_DISCONNECT, body)
  const raw = Disconnect.encode({ timestamp: 5n, peer, signature })
  expect(raw).toHaveLength(120)
  expect(toHex(raw.subarray(0, 16))).toBe(toHex(hex('0078017a 00000000 00000030 0000017a')))
  expect(key.sign(raw.subarray(8, 56))).toEqual(signature)
})

test.for(MESSAGES)('$name comes back as it went', message => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const value = message.sample(seededRandom(seed)) as never
      const raw = message.encode(value)
      expect(message.encode(message.decode(raw) as never)).toEqual(raw)
    }),
  )
})

test.for(MESSAGES)('$name gives a value or a WireError on noise', message => {
  const body = fc.uint8Array({ maxLength: 160 })
  fc.assert(
    fc.property(body, fc.boolean(), (noise, honest) => {
      const raw = new Uint8Array(4 + noise.length)
      raw.set(noise, 4)
      const view = new DataView(raw.buffer)
      view.setUint16(0, honest ? raw.length : noise.length)
      view.setUint16(2, message.type)
      expect(outcomeOf(() => message.decode(raw))).not.toBe('another exception')
    }),
  )
})

const outcomeOf = (run: () => unknown): string => {
  try {
    run()
    return 'a value'
  } catch (error) {
    return error instanceof WireError ? 'a WireError' : 'another exception'
  }
}
