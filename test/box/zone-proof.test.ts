/** How zones are proven between people: as surely as by a signature, to the other side and to nobody else. */

import { describe, expect, test } from 'vitest'
import { peerId } from '../../src/base/ids.ts'
import { beginTranscript, openIdentity, sealIdentity } from '../../src/box/handshake-keys.ts'
import { proofFor, proverOf } from '../../src/box/zone-proof.ts'
import { AgreementKey, x25519 } from '../../src/crypto/agreement.ts'
import { hmacSha512 } from '../../src/crypto/hash.ts'
import { agreeWithZone } from '../../src/crypto/zone-agreement.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'
import { outcome, Pair } from './pair-of-peers.ts'

const random = seededRandom(3)
const ada = ZoneSecret.generate('EDKEY', random)
const bob = ZoneSecret.generate('EDKEY', random)
const [hers, his] = [1, 2].map(() => AgreementKey.fromSecret(random.bytes(32))) as [
  AgreementKey,
  AgreementKey,
]
const secret = x25519(his, hers.publicKey)
const setting = { opener: peerId(random.bytes(32)), listener: peerId(random.bytes(32)) }

/** What Ada would say of herself to Bob, and what Bob makes in her name without her. */
function saidBy(purpose: 'talk' | 'ssh') {
  const transcript = beginTranscript({ purpose, device: bob.zone, ...setting })
  const nothing = new Uint8Array(0)
  const real = sealIdentity(
    'opener',
    proverOf(ada, purpose, his.publicKey),
    nothing,
    secret,
    transcript,
  )
  const inHerName = {
    zone: ada.zone,
    prove: (bytes: Uint8Array) => hmacSha512(agreeWithZone(his, ada.zone), bytes),
  }
  const forged = sealIdentity('opener', inHerName, nothing, secret, transcript)
  const opened = (sealed: Uint8Array) =>
    openIdentity('opener', sealed, secret, transcript, proofFor(purpose, his))
  return { real, forged, opened }
}

describe('a proof between people', () => {
  test('can be made by the one to whom it is made, to the last byte', () => {
    const { real, forged, opened } = saidBy('talk')
    expect(opened(real)?.zone).toEqual(ada.zone)
    expect(forged).toEqual(real)
  })

  test('to a device cannot: it is a signature', () => {
    const { real, forged, opened } = saidBy('ssh')
    expect(opened(real)?.zone).toEqual(ada.zone)
    expect(opened(forged)).toBeNull()
  })

  test('is made by nobody else: somebody with another key is noticed on either side', async () => {
    for (const wrong of ['owner', 'device'] as const) {
      const pair = new Pair(1)
      const other = ZoneSecret.generate('EDKEY', random)
      // It says another zone than that of the key it has.
      const liar = Object.create(other, { zone: { value: pair[wrong].zone } }) as ZoneSecret
      const { sessions } = pair.listen('talk', wrong === 'device' ? { own: liar } : {})
      const channel = await pair.connect('talk')
      const mine = pair.authenticate(channel, 'talk', wrong === 'owner' ? { own: liar } : {})
      expect(await pair.until(outcome(mine))).toBe(
        wrong === 'device' ? 'IDENTITY_WRONG' : 'CHANNEL_CLOSED',
      )
      expect(await pair.until(outcome(sessions[0]!))).toBe(
        wrong === 'owner' ? 'IDENTITY_WRONG' : 'CHANNEL_CLOSED',
      )
    }
  })

  test('runs in the handshake, and both have the same keys', async () => {
    const pair = new Pair(1)
    const { sessions } = pair.listen('talk')
    const mine = await pair.until(pair.authenticate(await pair.connect('talk'), 'talk'))
    const theirs = await pair.until(sessions[0]!)
    expect(mine.peerZone).toEqual(pair.device.zone)
    expect(theirs.peerZone).toEqual(pair.owner.zone)
    expect(mine.sessionKey).toEqual(theirs.sessionKey)
  })

  test('takes keys of Ed25519', async () => {
    for (const kinds of [
      ['PKEY', 'EDKEY'],
      ['EDKEY', 'PKEY'],
    ] as const) {
      const pair = new Pair(1, ...kinds)
      pair.listen('talk')
      const channel = await pair.connect('talk')
      const mine = pair.authenticate(channel, 'talk')
      await expect(pair.until(mine)).rejects.toMatchObject({ name: 'BoxError' })
    }
  })
})
