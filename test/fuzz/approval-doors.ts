/** The doors of what waits for another person, and what that person says: see doors.ts. */

import { concat } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import {
  type ApprovalRequest,
  decodeApprovalRequest,
  encodeApprovalRequest,
  listingText,
  openVerdict,
  readListing,
  signVerdict,
  VERDICT_SIGNATURE,
} from '../../src/box/approval.ts'
import { SIGNATURE_SIZE } from '../../src/crypto/signing.ts'
import { type ByteDoor, now, type TextDoor, zone } from './doors.ts'

const asked: ApprovalRequest = {
  ...{ device: zone.zone, requester: zone.zone, key: new Uint8Array(32) },
  ...{ nonce: new Uint8Array(16), askedAt: now, expiresAt: now + 1_000 },
  ...{ kind: 'exec', user: 'root', line: 'reboot' },
  input: { size: 5, hash: new Uint8Array(32) },
}
const requests = [
  encodeApprovalRequest(asked),
  encodeApprovalRequest({ ...asked, kind: 'shell on a terminal', line: '' }),
]
const verdicts = [true, false].map(isApproved =>
  signVerdict(zone, { request: requests[0]!, isApproved }),
)
const listing = { request: requests[0]!, who: 'ada', mayApprove: true }

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', undefined, cause)
  }
}

export const APPROVAL_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'request for approval',
    of: ['decodeApprovalRequest'],
    right: requests,
    read: decodeApprovalRequest,
  },
  { name: 'verdict as it travels', of: ['openVerdict'], right: verdicts, read: openVerdict },
  {
    name: 'verdict that somebody signed',
    of: [],
    right: verdicts.map(verdict => verdict.slice(SIGNATURE_SIZE)),
    read: body => openVerdict(concat(zone.sign(VERDICT_SIGNATURE, body), body)),
  },
]

export const APPROVAL_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'what a device says that waits',
    of: ['readListing'],
    right: [JSON.stringify(listingText(listing))],
    read: text => readListing(json(text)),
  },
]
