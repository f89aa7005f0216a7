import { expect, test } from 'vitest'
import { peerId } from '../../../../src/base/ids.ts'
import { AgreementKey, ecdh } from '../../../../src/crypto/agreement.ts'
import { hmacSha512 } from '../../../../src/crypto/hash.ts'
import { PURPOSE, verifyPurpose } from '../../../../src/crypto/purposes.ts'
import { DirectionKey } from '../../../../src/mesh/core/ephemeral/keys.ts'
import {
  Encrypted,
  EncryptedHead,
  EphemeralBody,
  EphemeralKey,
  Ping,
  PingBody,
  Pong,
  PongBody,
} from '../../../../src/mesh/core/ephemeral/messages.ts'
import { hex, readVectors, toHex } from '../../../vectors.ts'

const { inputs, core_old: core } = readVectors('gnunet-wire')
const daemon = readVectors('class-a-daemon')
const [a, b] = [inputs.pidA, inputs.pidB].map(hex).map(peerId)
const material = ecdh(AgreementKey.fromSecret(hex(inputs.ephA)), hex(inputs.ephPubB))
const fromA = new DirectionKey(material, a!, b!)
const fromB = new DirectionKey(material, b!, a!)

test('seals and opens the ENCRYPTED message of the vectors', () => {
  const seed = hex(core.iv_seed)
  const { iv, authentication } = fromA.messageKeys(seed)
  expect(toHex(authentication)).toBe(core.auth_key)
  const sealed = hex(core.plain)
  fromA.seal(iv, sealed)
  const whole = Encrypted.encode({ seed, mac: hmacSha512(authentication, sealed), sealed })
  expect(toHex(whole)).toBe(core.message82)
  expect(toHex(fromA.open(iv, Encrypted.decode(whole).sealed))).toBe(core.plain)
})

test('both sides come to the same keys', () => {
  const theirs = ecdh(AgreementKey.fromSecret(hex(inputs.ephB)), hex(inputs.ephPubA))
  const seed = hex('01020304')
  const other = new DirectionKey(theirs, a!, b!)
  expect(other.messageKeys(seed)).toEqual(fromA.messageKeys(seed))
  expect(fromB.messageKeys(seed)).not.toEqual(fromA.messageKeys(seed))
})

test('the head of the vector says what it should', () => {
  const head = EncryptedHead.decode(hex(core.plain).subarray(0, 16))
  expect(head).toEqual({ sequence: 1, timestamp: 1_700_000_000_000_000n })
})

test('writes and reads the PING of the vectors', () => {
  const seed = hex(core.ping.iv_seed)
  const plain = PingBody.encode({ target: b!, challenge: hex(core.ping.challenge) })
  expect(toHex(Ping.encode({ seed, sealed: fromA.sealPing(seed, plain) }))).toBe(
    core.ping.message83,
  )
  expect(fromA.openPing(seed, Ping.decode(hex(core.ping.message83)).sealed)).toEqual(plain)
})

test('writes and reads the PONG of the vectors', () => {
  const { pong_from_B: vector } = core
  const [seed, challenge] = [hex(vector.iv_seed), hex(core.ping.challenge)]
  const plain = PongBody.encode({ challenge, peer: b! })
  const sealed = fromB.sealPong(seed, challenge, plain)
  expect(toHex(Pong.encode({ seed, sealed }))).toBe(vector.message84)
  expect(fromB.openPong(seed, challenge, sealed)).toEqual(plain)
})

test('never gives the same seed twice, not even around the end of the numbers', () => {
  const key = new DirectionKey(material, a!, b!, 2 ** 32 - 500)
  const seeds = Array.from({ length: 1_000 }, () => toHex(key.freshSeed()))
  expect(new Set(seeds).size).toBe(1_000)
})

test('reads the ephemeral key of a real daemon, and its signature holds', () => {
  const raw = hex(daemon.ephemeral_key)
  const signed = EphemeralKey.decode(raw)
  expect(EphemeralKey.encode(signed)).toEqual(raw)
  expect(signed.senderStatus).toBe(1)
  expect(toHex(signed.peer)).toBe(daemon.pid)
  expect(Number(signed.expiresAt - signed.createdAt) / 3.6e9).toBeCloseTo(12 + 5 / 60, 3)
  const body = EphemeralBody.encode(signed)
  expect(verifyPurpose(signed.peer, PURPOSE.SET_ECC_KEY, body, signed.signature)).toBe(true)
})
