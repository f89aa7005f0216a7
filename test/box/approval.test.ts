import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import {
  APPROVED_LINE_MAX,
  type ApprovalRequest,
  approvalId,
  decodeApprovalRequest,
  encodeApprovalRequest,
  listingText,
  notRunText,
  openVerdict,
  readListing,
  requestHash,
  signVerdict,
  whyNotRun,
} from '../../src/box/approval.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'
import { hex, toHex, utf8 } from '../vectors.ts'

const random = seededRandom(21)
const key = () => ZoneSecret.generate('EDKEY', random)
const [device, ada, bea] = [key(), key(), key()]

const request: ApprovalRequest = {
  ...{ device: device.zone, requester: ada.zone, key: sha256(utf8('key')) },
  ...{ nonce: hex('000102030405060708090a0b0c0d0e0f'), askedAt: 1_000, expiresAt: 61_000 },
  ...{ kind: 'exec', user: 'root', line: 'reboot' },
  input: { size: 2, hash: sha256(utf8('in')) },
}
const encoded = encodeApprovalRequest(request)

describe('a request', () => {
  test('has the bytes it had when this was written', () => {
    const parts = [
      ...['0001', toHex(device.zone), toHex(ada.zone), toHex(sha256(utf8('key')))],
      ...['000102030405060708090a0b0c0d0e0f', '00000000000003e8', '000000000000ee48'],
      ...['0000', '00000002', toHex(sha256(utf8('in'))), '0004', '726f6f74', '7265626f6f74'],
    ]
    expect(toHex(encoded)).toBe(parts.join(''))
  })

  test('is read as it was written, whatever is in it', () => {
    const kinds = ['exec', 'shell', 'exec on a terminal', 'shell on a terminal'] as const
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    const any = fc.record({
      ...{ device: fc.constant(device.zone), requester: fc.constant(ada.zone) },
      ...{ key: bytes(32), nonce: bytes(16), askedAt: fc.nat(), expiresAt: fc.nat() },
      kind: fc.constantFrom(...kinds),
      input: fc.record({ size: fc.nat(), hash: bytes(32) }),
      user: fc.string({ unit: 'grapheme', maxLength: 20 }),
      line: fc.string({ unit: 'grapheme', maxLength: 200 }),
    })
    fc.assert(
      fc.property(any, one => {
        expect(decodeApprovalRequest(encodeApprovalRequest(one))).toEqual(one)
      }),
    )
  })

  test('that is too long to be read by anybody is none', () => {
    const line = 'x'.repeat(APPROVED_LINE_MAX + 1)
    expect(() => encodeApprovalRequest({ ...request, line })).toThrow(/At most/)
    encodeApprovalRequest({ ...request, line: line.slice(1) })
  })

  test('has another name and hash when anything in it is another', () => {
    for (const other of [
      { device: bea.zone },
      { requester: bea.zone },
      { key: sha256(utf8('other')) },
      { nonce: new Uint8Array(16) },
      { expiresAt: 61_001 },
      { kind: 'shell' },
      { input: { size: 2, hash: sha256(utf8('IN')) } },
      { user: 'roo', line: 'treboot' },
      { line: 'reboot ' },
    ] as Partial<ApprovalRequest>[]) {
      const changed = encodeApprovalRequest({ ...request, ...other })
      expect(approvalId(changed), JSON.stringify(other)).not.toBe(approvalId(encoded))
      expect(requestHash(changed)).not.toEqual(requestHash(encoded))
    }
  })

  test('travels as text, and what is none is refused', () => {
    const listing = { request: encoded, who: 'ada', mayApprove: true }
    expect(readListing(JSON.parse(JSON.stringify(listingText(listing))))).toEqual(listing)
    for (const wrong of [null, 5, {}, { ...listing, request: 'U!' }, { ...listing, who: 5 }])
      expect(() => readListing(wrong)).toThrow(BoxError)
  })
})

describe('a verdict', () => {
  test('is read as it was signed', () => {
    for (const isApproved of [true, false])
      expect(openVerdict(signVerdict(bea, { request: encoded, isApproved }))).toEqual({
        ...{ approver: bea.zone, isApproved, request: requestHash(encoded) },
      })
  })

  test('that was changed anywhere is not believed: a no becomes no yes', () => {
    const signed = signVerdict(bea, { request: encoded, isApproved: false })
    for (let at = 0; at < signed.length; at++) {
      const changed = signed.slice()
      changed[at]! ^= 1
      expect(() => openVerdict(changed), `${at}`).toThrow(BoxError)
    }
    for (const cut of [0, 1, signed.length - 1])
      expect(() => openVerdict(signed.slice(0, cut))).toThrow(BoxError)
  })
})

test('why something was not run comes over the end of a session, and nothing else is taken for it', () => {
  const why = new BoxError('APPROVAL_DENIED', 'Denied by bea.')
  expect(whyNotRun(notRunText(why))).toMatchObject({ code: why.code, detail: why.detail })
  for (const other of ['', 'TERM', 'APPROVAL_DENIED', 'HOST_KEY_WRONG: x', 'x APPROVAL_DENIED: y'])
    expect(whyNotRun(other)).toBeNull()
})
