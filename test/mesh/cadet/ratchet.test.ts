/** The ratchet against the vectors of the real formula, and under loss, repetition and disorder. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../../src/base/bytes.ts'
import { peerId } from '../../../src/base/ids.ts'
import type { Random } from '../../../src/base/random.ts'
import { AgreementKey } from '../../../src/crypto/agreement.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import { agree, type Exchange } from '../../../src/mesh/cadet/agreement.ts'
import { ChannelKeepalive, TunnelEncrypted } from '../../../src/mesh/cadet/messages.ts'
import type { Ratchet, RatchetMeans } from '../../../src/mesh/cadet/ratchet.ts'
import {
  TUNNEL_CIPHER_T1,
  TUNNEL_CIPHER_T2,
  type TunnelCipher,
} from '../../../src/mesh/cadet/tunnel-cipher.ts'
import type { Sealed } from '../../../src/mesh/cadet/tunnel-keys.ts'
import { seededRandom } from '../../sim/random.ts'
import { World } from '../../sim/world.ts'
import { hex, readVectors, toHex, utf8 } from '../../vectors.ts'

const { inputs, cadet: vector } = readVectors('gnunet-wire')

const alice = SigningKey.fromSeed(hex(inputs.seedB))
const betty = SigningKey.fromSeed(hex(inputs.seedA))
const key = (secret: string) => AgreementKey.fromSecret(hex(secret))
const fixed = (bytes: Uint8Array): Random => ({ bytes: () => bytes, below: () => 0 })

interface Both {
  readonly a: Exchange
  readonly b: Exchange
}

function exchange(cipher: TunnelCipher, random: Random, world = new World(1)): Both {
  const means: RatchetMeans = { cipher, clock: world, random }
  const ofAlice = { ephemeral: key(vector.kx_eph_alice), ratchet: key(vector.ratchet_alice) }
  const ofBetty = { ephemeral: key(vector.kx_eph_betty), ratchet: key(vector.ratchet_betty) }
  const said = (offer: typeof ofAlice) => ({
    ephemeral: offer.ephemeral.publicKey,
    ratchet: offer.ratchet.publicKey,
  })
  const toBetty = { role: 'alice', key: alice, peer: peerId(betty.publicKey) } as const
  const toAlice = { role: 'betty', key: betty, peer: peerId(alice.publicKey) } as const
  return {
    a: agree(means, toBetty, ofAlice, said(ofBetty)),
    b: agree(means, toAlice, ofBetty, said(ofAlice)),
  }
}

describe('the vectors of the GNUnet source (test/vectors/gnunet-wire.json)', () => {
  test('both sides prove the same root key', () => {
    const { a, b } = exchange(TUNNEL_CIPHER_T1, seededRandom(1))
    expect(toHex(a.proof)).toBe(vector.kx_auth)
    expect(toHex(b.proof)).toBe(vector.kx_auth)
  })

  test.for([
    ['T1', TUNNEL_CIPHER_T1, 'le_0_26'],
    ['T2', TUNNEL_CIPHER_T2, 'ge_0_27'],
  ] as const)("Alice's first message under %s has the expected bytes", ([, cipher, name]) => {
    const { a, b } = exchange(cipher, fixed(hex(vector.new_ratchet_alice_at_first_send)))
    const sealed = a.ratchet.seal(ChannelKeepalive.encode({}))
    const message = TunnelEncrypted.encode({ connection: hex(vector.cid), ...sealed })
    expect(toHex(message)).toBe(vector[name].message1008)
    expect(b.ratchet.open(sealed)).toEqual({ is: 'plain', plain: ChannelKeepalive.encode({}) })
  })

  test('a body is encrypted where it lies', () => {
    const { a } = exchange(TUNNEL_CIPHER_T1, seededRandom(1))
    const place = concat(utf8('before'), utf8('body'), utf8('after'))
    const { body } = a.ratchet.seal(place.subarray(6, 10))
    expect(toHex(place)).toBe(toHex(concat(utf8('before'), body, utf8('after'))))
    expect(toHex(body)).not.toBe(toHex(utf8('body')))
  })

  test('the two ciphers do not understand each other', () => {
    const random = seededRandom(1)
    const { a } = exchange(TUNNEL_CIPHER_T1, random)
    const { b } = exchange(TUNNEL_CIPHER_T2, random)
    expect(b.ratchet.open(a.ratchet.seal(utf8('x')))).toEqual({ is: 'foreign' })
  })
})

/** Sends, and returns what was sealed. */
const talk = (from: Ratchet, texts: readonly string[]): Sealed[] =>
  texts.map(text => from.seal(utf8(text)))
const read = (by: Ratchet, sealed: Sealed): string => {
  const opened = by.open(sealed)
  return opened.is === 'plain' ? new TextDecoder().decode(opened.plain) : opened.is
}

describe('a ratchet', () => {
  test('reads messages out of order, and each only once', () => {
    const { a, b } = exchange(TUNNEL_CIPHER_T1, seededRandom(2))
    const [one, two, three] = talk(a.ratchet, ['1', '2', '3'])
    expect(read(b.ratchet, three!)).toBe('3')
    expect(read(b.ratchet, one!)).toBe('1')
    expect(read(b.ratchet, one!)).toBe('repeated')
    expect(read(b.ratchet, two!)).toBe('2')
    expect(read(b.ratchet, three!)).toBe('repeated')
  })

  test('brings fresh keys every 64 messages, or after an hour, and reads what was under way', () => {
    const world = new World(1)
    const chance = seededRandom(3)
    let fresh = 0
    const bytes = (count: number) => {
      fresh++
      return chance.bytes(count)
    }
    const { a, b } = exchange(TUNNEL_CIPHER_T1, { bytes, below: chance.below }, world)
    const step = (from: Ratchet, to: Ratchet, text: string) =>
      expect(read(to, from.seal(utf8(text)))).toBe(text)
    step(a.ratchet, b.ratchet, 'first')
    const late = a.ratchet.seal(utf8('late'))
    for (let i = 0; i < 200; i++) {
      step(a.ratchet, b.ratchet, `a${i}`)
      step(b.ratchet, a.ratchet, `b${i}`)
    }
    expect(fresh).toBe(8) // Alice at once and after 64, 128, 192; Betty likewise.
    expect(read(b.ratchet, late)).toBe('late')
    const [before] = talk(a.ratchet, ['before'])
    world.run(3_600_001)
    step(a.ratchet, b.ratchet, 'after')
    expect(fresh).toBe(9)
    expect(read(b.ratchet, before!)).toBe('before')
  })

  test('asks for new keys where more than 256 messages are missing', () => {
    const { a, b } = exchange(TUNNEL_CIPHER_T1, seededRandom(4))
    expect(read(b.ratchet, a.ratchet.seal(utf8('x')))).toBe('x')
    talk(a.ratchet, Array(257).fill('lost'))
    expect(read(b.ratchet, a.ratchet.seal(utf8('y')))).toBe('foreign')
  })

  test('Betty can make herself read by an Alice who kept her old count', () => {
    const { a, b } = exchange(TUNNEL_CIPHER_T1, seededRandom(5))
    talk(b.ratchet, ['lost on the first chain'])
    b.ratchet.turnNow()
    expect(read(a.ratchet, b.ratchet.seal(utf8('hello')))).toBe('hello')
    expect(read(b.ratchet, a.ratchet.seal(utf8('hello too')))).toBe('hello too')
  })

  test('whatever is lost, repeated or reordered: what is read is what was written, once', () => {
    const event = fc.record({ fromAlice: fc.boolean(), fate: fc.nat({ max: 9 }) })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 150 }), events => {
        const { a, b } = exchange(TUNNEL_CIPHER_T1, seededRandom(6))
        const late: { to: Ratchet; sealed: Sealed; text: string }[] = []
        const seen = new Set<string>()
        const arrive = ({ to, sealed, text }: (typeof late)[number]) => {
          const got = read(to, sealed)
          if (got === 'repeated') return
          expect(got).toBe(text)
          expect(seen.has(text)).toBe(false)
          seen.add(text)
        }
        for (const [n, { fromAlice, fate }] of events.entries()) {
          const [from, to] = fromAlice ? [a.ratchet, b.ratchet] : [b.ratchet, a.ratchet]
          const one = { to, sealed: from.seal(utf8(`${n}`)), text: `${n}` }
          if (fate === 0) continue
          if (fate <= 2) late.push(one)
          else arrive(one)
          if (fate === 3) arrive(one)
          if (fate >= 8 && late.length > 0) arrive(late.shift()!)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('noise is foreign, and changes nothing', () => {
    const { a, b } = exchange(TUNNEL_CIPHER_T1, seededRandom(7))
    const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n })
    fc.assert(
      fc.property(bytes(32), bytes(40), fc.uint8Array({ maxLength: 80 }), (mac, header, body) => {
        expect(b.ratchet.open({ mac, header, body })).toEqual({ is: 'foreign' })
      }),
      { numRuns: 50 },
    )
    expect(read(b.ratchet, a.ratchet.seal(utf8('still here')))).toBe('still here')
  })
})
