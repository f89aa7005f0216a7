/** The doors of what is said about keys: who came after whom, and which is revoked. See doors.ts. */

import { parseRevocation } from '../../controller/revocation-book.ts'
import { concat } from '../../src/base/bytes.ts'
import { noticeRecords, readNotices } from '../../src/box/owner-notices.ts'
import { readRevocation, signRevocation } from '../../src/box/revocation.ts'
import {
  readSuccession,
  readSuccessionChain,
  signSuccession,
  successionChain,
} from '../../src/box/succession.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import {
  encodeZoneRevocation,
  PROOFS,
  readRevokeMessage,
  readZoneRevocation,
  revokeMessage,
  signIntent,
} from '../../src/gns/revocation.ts'
import { RevocationWork } from '../../src/gns/revocation-work.ts'
import { readShelf } from '../../src/gns/revocations.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, expected, random } from './doors.ts'

const [a, b] = [ZoneSecret.generate('EDKEY', random), ZoneSecret.generate('PKEY', random)]
const link = signSuccession(a, b, 5)
const zoneRevocation = encodeZoneRevocation(
  signIntent(a, 5n),
  Array.from({ length: PROOFS }, (_, i) => BigInt(i)),
  1,
)
const keptText = JSON.stringify({
  ...{ version: 1, time: '5', years: 1, published: null },
  signature: Buffer.from(signIntent(a, 5n).signature).toString('hex'),
  work: RevocationWork.begin(signIntent(a, 5n), random).text(),
})
const notice = { is: 'revocation', signed: signRevocation(a, b.zone, 5) } as const

export const KEY_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'succession of keys',
    of: ['readSuccession', 'readSuccessionChain'],
    right: [link],
    read: bytes => {
      expected(() => readSuccessionChain(bytes, null))
      expected(() => readSuccessionChain(successionChain([bytes, bytes]), b.zone))
      return readSuccession(bytes)
    },
    isSlow: true,
  },
  {
    name: 'revocation',
    of: ['readRevocation'],
    right: [notice.signed],
    read: readRevocation,
    isSlow: true,
  },
  {
    name: 'revocation of a zone',
    of: ['readZoneRevocation', 'readRevokeMessage'],
    right: [revokeMessage({ raw: zoneRevocation })],
    read: bytes => {
      expected(() => readZoneRevocation(bytes))
      return readRevokeMessage(bytes)
    },
    isSlow: true,
  },
  {
    name: 'revocation in the state of a controller',
    of: ['parseRevocation'],
    right: [utf8(keptText)],
    read: bytes => parseRevocation(new TextDecoder().decode(bytes), a.zone),
    isSlow: true,
  },
  {
    name: 'file of the revoked zones',
    of: ['readShelf'],
    right: [concat(Uint8Array.of(0, 1), new Uint8Array(8), zoneRevocation)],
    read: readShelf,
    isSlow: true,
  },
  {
    name: 'notices of an owner',
    of: ['readNotices'],
    right: [
      ...noticeRecords([notice], { afterMs: 1 }).map(({ data }) => data),
      utf8('box1-after 0'),
    ],
    read: data => readNotices([{ type: RECORD_TYPE.TXT, data, flags: 0 }]),
  },
]
