/**
 * What waits on a device until another person approves it, and what that person says: a verdict, signed with their
 * zone key, over the hash of all that was shown to them. The device makes the request, with a nonce and an end, so a
 * verdict is good for that one run on that one device, and for nothing that is changed in it.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { sha256 } from '../crypto/hash.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { struct } from '../wire/fields.ts'
import { bytes, counted, lengthOf, rest, u16, u32, u64, WireError } from '../wire/layout.ts'
import type { Right } from './grant.ts'
import { SIGNATURE_SIZE, ZONE_SIZE } from './messages.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
export const VERDICT_SIGNATURE = 0xb0c5_000a
const VERSION = 1
const HASH_SIZE = 32
/** Nobody guesses or repeats it. */
export const NONCE_SIZE = 16
/** As long as a command line that a person can still read before they approve it. */
export const APPROVED_LINE_MAX = 8_192
const USER_MAX = 255
/** Sixty bits of a hash with a nonce of the device in it: nobody makes two that look alike. */
const ID_CHARS = 12

/** What may be approved. On a terminal nobody knows beforehand what will be typed. */
const KINDS = ['exec', 'shell', 'exec on a terminal', 'shell on a terminal'] as const
export type ApprovalKind = (typeof KINDS)[number]

/** The rights of a grant that demands approval: by any other, something would be done that nobody can read before. */
const APPROVABLE: readonly Right[] = ['status', 'shell', 'exec', 'watch']
export const isApprovable = (right: Right): boolean => APPROVABLE.includes(right)

/** To the SSH server of a device: a command line behind it is run once another person has approved it. */
export const APPROVED_SUBSYSTEM = 'box-two:'
/** Why something was not run that had to be approved. */
const REASONS = [
  ...(['APPROVAL_DENIED', 'APPROVAL_EXPIRED', 'NOT_PERMITTED'] as const),
  ...(['INPUT_INVALID', 'LIMIT_EXCEEDED'] as const),
]

/**
 * For the error message beside a signal with which a session ends (RFC 4254 section 6.10). No program that is run
 * there ends with words: whoever reads them knows that none was.
 */
export const notRunText = ({ code, detail }: BoxError): string => `${code}: ${detail}`

/** What `notRunText` says; null where it is something else. */
export function whyNotRun(text: string): BoxError | null {
  const code = REASONS.find(reason => text.startsWith(`${reason}: `))
  return code ? new BoxError(code, text.slice(code.length + 2, 2 + code.length + WHY_MAX)) : null
}

/** Enough for a sentence. */
const WHY_MAX = 255

/** How the device begins to say on standard error that something waits. */
export const WAITING_WORDS = 'box: waits for approval'

export interface ApprovalRequest {
  readonly device: ZoneKey
  readonly requester: ZoneKey
  /** SHA-256 of the public SSH key that the requester came with. */
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  /** Milliseconds since 1970, by the device's clock. */
  readonly askedAt: number
  readonly expiresAt: number
  readonly kind: ApprovalKind
  /** All of its standard input; of no length on a terminal. */
  readonly input: { readonly size: number; readonly hash: Uint8Array }
  /** As which user of the machine it will run. */
  readonly user: string
  /** For the device's shell; empty where a shell is asked for. */
  readonly line: string
}

const Request = struct('BOX_APPROVAL_REQUEST', {
  version: u16,
  device: bytes(ZONE_SIZE),
  requester: bytes(ZONE_SIZE),
  key: bytes(HASH_SIZE),
  nonce: bytes(NONCE_SIZE),
  /** Milliseconds since 1970. */
  asked: u64,
  expires: u64,
  kind: u16,
  inputSize: u32,
  inputHash: bytes(HASH_SIZE),
  userSize: lengthOf('user', u16),
  user: counted('userSize'),
  line: rest,
})

/** What another person says to a request. */
export interface Verdict {
  readonly approver: ZoneKey
  readonly isApproved: boolean
  /** Of the request, as `requestHash` makes it. */
  readonly request: Uint8Array
}

const DENIED = 0
const APPROVED = 1

const Said = struct('BOX_VERDICT', {
  version: u16,
  verdict: u16,
  approver: bytes(ZONE_SIZE),
  request: bytes(HASH_SIZE),
})

const Signed = struct('BOX_SIGNED_VERDICT', { signature: bytes(SIGNATURE_SIZE), verdict: rest })

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Throws INPUT_INVALID where the command is too long to be shown, or no text. */
export function encodeApprovalRequest(request: ApprovalRequest): Uint8Array {
  const { kind, input, user, line, askedAt, expiresAt, ...fields } = request
  const bytes = encoder.encode(line)
  if (bytes.length > APPROVED_LINE_MAX)
    throw new BoxError('INPUT_INVALID', `At most ${APPROVED_LINE_MAX} bytes can be approved.`)
  return Request.encode({
    ...{ version: VERSION, ...fields, kind: KINDS.indexOf(kind), line: bytes },
    ...{ asked: BigInt(askedAt), expires: BigInt(expiresAt), user: encoder.encode(user) },
    ...{ inputSize: input.size, inputHash: input.hash },
  })
}

/** Throws WIRE_MALFORMED. */
export function decodeApprovalRequest(raw: Uint8Array): ApprovalRequest {
  try {
    const { version, kind, line, user, asked, expires, inputSize, inputHash, ...fields } =
      Request.decode(raw)
    const known = KINDS[kind]
    if (version !== VERSION || known === undefined) throw new TypeError('of another version')
    if (line.length > APPROVED_LINE_MAX || user.length > USER_MAX) throw new TypeError('too long')
    return {
      device: zoneKey(fields.device.slice()),
      requester: zoneKey(fields.requester.slice()),
      key: fields.key.slice(),
      nonce: fields.nonce.slice(),
      askedAt: timeIn(asked),
      expiresAt: timeIn(expires),
      kind: known,
      input: { size: inputSize, hash: inputHash.slice() },
      user: decoder.decode(user),
      line: decoder.decode(line),
    }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError)
      throw new BoxError('WIRE_MALFORMED', 'This is no request for approval.', error)
    throw error
  }
}

/** Longer ago than what a date can say nobody asks. */
const TIME_MAX = 8_640_000_000_000_000n

function timeIn(value: bigint): number {
  if (value > TIME_MAX) throw new TypeError('no time')
  return Number(value)
}

/** Of the encoded request: what a verdict is about. */
export const requestHash = (request: Uint8Array): Uint8Array =>
  sha256(concat(encoder.encode('secushare-box approval '), request))

/** How people call an encoded request. */
export const approvalId = (request: Uint8Array): string =>
  encodeBase32(requestHash(request)).slice(0, ID_CHARS)

/** About an encoded request. */
export function signVerdict(
  own: ZoneSecret,
  { request, isApproved }: { readonly request: Uint8Array; readonly isApproved: boolean },
): Uint8Array {
  const verdict = Said.encode({
    version: VERSION,
    verdict: isApproved ? APPROVED : DENIED,
    ...{ approver: own.zone, request: requestHash(request) },
  })
  return Signed.encode({ signature: own.sign(VERDICT_SIGNATURE, verdict), verdict })
}

/** Throws SIGNATURE_INVALID, WIRE_MALFORMED. */
export function openVerdict(raw: Uint8Array): Verdict {
  try {
    const { signature, verdict } = Signed.decode(raw)
    const said = Said.decode(verdict)
    if (said.version !== VERSION || said.verdict > APPROVED)
      throw new TypeError('of another version')
    const approver = zoneKey(said.approver.slice())
    if (!verifyZoneSignature(approver, VERDICT_SIGNATURE, verdict, signature))
      throw new BoxError('SIGNATURE_INVALID')
    return { approver, isApproved: said.verdict === APPROVED, request: said.request.slice() }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError)
      throw new BoxError('WIRE_MALFORMED', 'This is no verdict.', error)
    throw error
  }
}

/** A request as its device tells it, with what that says of it. */
export interface ApprovalListing {
  /** Encoded. */
  readonly request: Uint8Array
  /** Who asks, by the name the device has for them. */
  readonly who: string
  /** Whether the reader may approve it; else it is theirs. */
  readonly mayApprove: boolean
}

/** For JSON. */
export const listingText = ({ request, ...said }: ApprovalListing): object => ({
  ...said,
  request: encodeBase32(request),
})

/** From JSON. Throws STATE_UNEXPECTED. */
export function readListing(value: unknown): ApprovalListing {
  const { request, who, mayApprove } = (value ?? {}) as Record<keyof ApprovalListing, unknown>
  if (typeof request !== 'string' || typeof who !== 'string' || typeof mayApprove !== 'boolean')
    throw new BoxError('STATE_UNEXPECTED', 'The device does not say what waits.')
  try {
    const size = Math.floor((request.length * BASE32_BITS) / 8)
    return { request: decodeBase32(request, size), who, mayApprove }
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new BoxError('STATE_UNEXPECTED', 'The device does not say what waits.', cause)
  }
}

const BASE32_BITS = 5
