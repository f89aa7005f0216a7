import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { zoneKey } from '../../src/base/ids.ts'
import { ZoneSecret, type ZoneType, zoneType } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import {
  EPOCH_MS,
  holdsUntil,
  PROOFS,
  REVOCATION_SIZE,
  readRevokeMessage,
  readZoneRevocation,
  revocationTime,
  revokeMessage,
  signIntent,
  workFor,
  workOf,
  type ZoneRevocation,
} from '../../src/gns/revocation.ts'
import { RevocationWork, triesFor } from '../../src/gns/revocation-work.ts'
import { seededRandom } from '../sim/random.ts'
import { hex, readVectors, toHex } from '../vectors.ts'

const vectors = readVectors('rfc9498-revocation')
const random = seededRandom(7)
const NOW = Date.UTC(2026, 10, 26)
const sum = (one: ZoneRevocation) => one.proofs.reduce((all, nonce) => all + workOf(one, nonce), 0)

/** Little work, that a test can do. */
function made(difficulty: number, type: ZoneType = 'EDKEY') {
  const secret = ZoneSecret.generate(type, random)
  const work = RevocationWork.begin(signIntent(secret, revocationTime(NOW)), random)
  while (!work.isEnough(1, difficulty)) work.step()
  return { secret, work, raw: work.certificate(1)! }
}

describe.for(vectors.cases.map((one: object, i: number) => [i + 1, one] as const))(
  'vector %i of RFC 9498',
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the file
  ([, vector]: any) => {
    const zone = zoneKey(hex(vector.zone_identifier))
    const read = () => readZoneRevocation(hex(vector.proof))

    test('is read, and its signature is that of the zone', () => {
      expect(zoneToText(zone)).toBe(vector.ztld)
      expect(read().zone).toEqual(zone)
      expect(read().proofs).toHaveLength(PROOFS)
    })

    test('is signed by the private key there is, over what the RFC says', () => {
      const type = zoneType(zone)!
      const bytes = hex(vector.zone_private_key)
      // The scalar of a PKEY is written with its most significant byte first.
      const secret = ZoneSecret.fromBytes(type, type === 'PKEY' ? bytes.toReversed() : bytes)
      expect(secret.zone).toEqual(zone)
      // Ed25519 signs the same way each time; the time in vector 1's message is of another run.
      const again = signIntent(secret, read().time)
      if (type === 'EDKEY') expect(toHex(again.signature)).toBe(toHex(read().signature))
    })

    test('has the work for as long as it says', () => {
      const one = read()
      const work = sum(one)
      expect(work).toBeGreaterThanOrEqual(workFor(vector.epochs, vector.difficulty))
      const from = Number(one.time / 1_000n)
      expect(holdsUntil(one, work, vector.difficulty)).toBeGreaterThanOrEqual(
        from + vector.epochs * EPOCH_MS * 1.1,
      )
      expect(holdsUntil(one, work, vector.difficulty + vector.epochs + 2)).toBeNull()
    })
  },
)

describe('a revocation', () => {
  test.for(['EDKEY', 'PKEY'] as const)(
    'of a zone of type %s holds as long as its work goes',
    type => {
      const { raw, secret } = made(0, type)
      expect(raw).toHaveLength(REVOCATION_SIZE)
      const one = readRevokeMessage(revokeMessage(readZoneRevocation(raw)))
      expect(one.zone).toEqual(secret.zone)
      const begun = Number(revocationTime(NOW) / 1_000n)
      expect(holdsUntil(one, sum(one), 0)).toBeGreaterThanOrEqual(begun + EPOCH_MS * 1.1)
      expect(holdsUntil(one, sum(one), 5)).toBeNull()
    },
  )

  test('that was changed anywhere is not believed, or its work is another', () => {
    const { raw } = made(0)
    for (let at = 0; at < raw.length; at += 7) {
      const changed = raw.slice()
      changed[at]! ^= 0x80
      try {
        const one = readZoneRevocation(changed)
        // The lifetime is for people, and nothing depends on it.
        if (at < 8 || at >= 16) expect(toHex(one.raw)).not.toBe(toHex(raw))
      } catch (error) {
        expect(error).toBeInstanceOf(BoxError)
      }
    }
    expect(() => readZoneRevocation(raw.slice(1))).toThrow('no revocation')
    const twice = raw.slice()
    twice.set(twice.subarray(16, 24), 24)
    expect(() => readZoneRevocation(twice)).toThrow('no revocation')
  })

  test('is worked for in several processes, without losing what was found', () => {
    const secret = ZoneSecret.generate('EDKEY', random)
    const intent = signIntent(secret, revocationTime(NOW))
    let work = RevocationWork.begin(intent, random)
    let done = 0
    while (!work.isEnough(1, 0)) {
      for (let i = 0; i < 10; i++) work.step()
      work = RevocationWork.resume(intent, work.text())
      expect(work.done).toBeGreaterThanOrEqual(done)
      done = work.done
    }
    expect(work.tried).toBeGreaterThanOrEqual(PROOFS)
    expect(sum(readZoneRevocation(work.certificate(1)!))).toBe(done)
    for (const text of ['', '{}', '{"version":1,"best":[{}],"next":"1","tries":1}'])
      expect(() => RevocationWork.resume(intent, text)).toThrow(BoxError)
    expect(RevocationWork.begin(intent, random).certificate(1)).toBeNull()
    expect(triesFor(1, 22)).toBe(2 ** 26)
  })
})
