/** Letters over a relay: who can read them, who can have written them, and that this proves nothing. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AgreementKey } from '../../src/crypto/agreement.ts'
import { agreeWithZone } from '../../src/crypto/zone-agreement.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { CELL_SIZES } from '../../src/psyc/padding.ts'
import { envelopeHint, openEnvelope, sealEnvelope, writerOf } from '../../src/social/envelope.ts'
import { PACKET_BYTES_MAX } from '../../src/social/letter.ts'
import { prekeyHint } from '../../src/social/prekeys.ts'
import { seededRandom } from '../sim/random.ts'
import { utf8 } from '../vectors.ts'

const random = seededRandom(1)
const [ada, bob, eve] = [1, 2, 3].map(() => ZoneSecret.generate('EDKEY', random)) as [
  ZoneSecret,
  ZoneSecret,
  ZoneSecret,
]
const prekey = AgreementKey.fromSecret(random.bytes(32))
const to = { zone: bob.zone, prekey: prekey.publicKey }
const letter = { number: 1_900_000_000_000, packet: utf8('\n_message_private\nhello\n|\n') }

describe('an envelope', () => {
  test('is opened by its reader, who knows from whom it is', () => {
    const envelope = sealEnvelope(letter, writerOf(ada), to, random)
    expect(envelopeHint(envelope)).toEqual(prekeyHint(prekey.publicKey))
    expect(openEnvelope(envelope, ada.zone, bob, prekey)).toEqual(letter)
    expect(openEnvelope(envelope, eve.zone, bob, prekey)).toBeNull()
  })

  test('is opened by nobody else, nor by its writer, nor with the zone key alone', () => {
    const envelope = sealEnvelope(letter, writerOf(ada), to, random)
    const other = AgreementKey.fromSecret(random.bytes(32))
    // Whoever steals the reader's zone key when the prekey is gone.
    expect(openEnvelope(envelope, ada.zone, bob, other)).toBeNull()
    expect(openEnvelope(envelope, ada.zone, eve, prekey)).toBeNull()
    expect(openEnvelope(envelope, ada.zone, ada, prekey)).toBeNull()
  })

  test('that was changed anywhere is opened by nobody', () => {
    const envelope = sealEnvelope(letter, writerOf(ada), to, random)
    for (let i = 8; i < envelope.length; i++) {
      const changed = envelope.slice()
      changed[i]! ^= 1
      expect(openEnvelope(changed, ada.zone, bob, prekey)).toBeNull()
    }
  })

  /** Requirement 32: what the reader shows to others, the reader can have made without the writer, byte for byte. */
  test('can be made by its reader alone, the same to the last byte', () => {
    const byAda = sealEnvelope(letter, writerOf(ada), to, seededRandom(9))
    const inAdasName = {
      zone: ada.zone,
      // Bob has the prekey, and the zone of Ada is known to everybody.
      agree: () => agreeWithZone(prekey, ada.zone),
    }
    const byBob = sealEnvelope(letter, inAdasName, to, seededRandom(9))
    expect(byBob).toEqual(byAda)
    const other = { ...letter, packet: utf8('\n_message_private\nI owe you a lot\n|\n') }
    const forged = sealEnvelope(other, inAdasName, to, random)
    expect(openEnvelope(forged, ada.zone, bob, prekey)).toEqual(other)
  })

  test('has one of few sizes, whatever is in it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: PACKET_BYTES_MAX }), packet => {
        const envelope = sealEnvelope({ number: 1, packet }, writerOf(ada), to, random)
        expect(CELL_SIZES).toContain(envelope.length)
        expect(openEnvelope(envelope, ada.zone, bob, prekey)).toEqual({ number: 1, packet })
      }),
      { numRuns: 30 },
    )
  })

  test('is not made for a zone that is none of Ed25519', () => {
    const old = ZoneSecret.generate('PKEY', random)
    const wrong = expect.objectContaining({ code: 'INPUT_INVALID' })
    expect(() => sealEnvelope(letter, writerOf(ada), { ...to, zone: old.zone }, random)).toThrow(
      wrong,
    )
    expect(() => sealEnvelope(letter, writerOf(old), to, random)).toThrow(wrong)
  })
})
