/**
 * What an owner asks a device beside SSH: a dialogue of requests and answers after the handshake.
 *
 * The answers are JSON, so that a newer device may say more than an older controller reads.
 */

import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { isIntended, type RevocationIntent, revocationTime } from '../gns/revocation.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { WireError } from '../wire/layout.ts'
import { type ApprovalListing, listingText } from './approval.ts'
import { Conversation } from './conversation.ts'
import type { Right } from './grant.ts'
import type { Session } from './handshake.ts'
import { ControlAnswer, ControlRequest, SIGNATURE_SIZE } from './messages.ts'
import {
  decodeRoomRequest,
  encodeRoomRequest,
  parseRoomsAnswer,
  type RoomListing,
  type RoomRequest,
  roomRefusal,
  roomsAnswer,
} from './room-talk.ts'
import { SUCCESSION_SIZE } from './succession.ts'

/** Kinds of requests. */
const INFO = 1
const LEAVE = 2
const GRANT = 3
const GRANTS = 4
const AUDIT = 5
const ROOMS = 6
const REVOKE = 7
const ROTATE_HOST_KEY = 8
const ROTATE_KEY = 9
const REVOCATION = 10
const APPROVALS = 11
const JUDGE = 12
/** Status of answers. */
const DONE = 0
const UNKNOWN_KIND = 1
const NOT_PERMITTED = 2
const FAILED = 3
/** The body says why: `code` of errors.ts, `message`. */
const REFUSED = 4

/** Of one answer: CADET's messages hold 64 KB, and JSON may take twice what it says. */
const PAGE_MAX = 24_000
/** A request or two; whoever stays longer is cut off and may come again. */
const TIMEOUT_MS = 30_000
const REQUESTS_MAX = 16

export interface DeviceInfo {
  readonly version: string
  /** How its machine calls itself. */
  readonly hostName: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly owners: number
}

export interface AskOptions {
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
}

/** What the device says about itself. Fails with NOT_PERMITTED, PEER_TIMEOUT, the end of the channel. */
export async function askInfo(session: Session, options: AskOptions): Promise<DeviceInfo> {
  const { version, hostName, startedAt, owners } = await ask(session, INFO, options)
  if (typeof version !== 'string' || typeof hostName !== 'string')
    throw new BoxError('STATE_UNEXPECTED', 'The device does not say what it is.')
  if (typeof startedAt !== 'number' || typeof owners !== 'number')
    throw new BoxError('STATE_UNEXPECTED', 'The device does not say since when it runs.')
  return { version, hostName, startedAt, owners }
}

/** Has the device forget us: what we were granted ends. Fails as askInfo. */
export async function askLeave(session: Session, options: AskOptions): Promise<void> {
  await ask(session, LEAVE, options)
}

/** Has the device take a signed statement. Fails with what the device says, and as askInfo. */
export async function askGrant(
  session: Session,
  signed: Uint8Array,
  options: AskOptions,
): Promise<void> {
  await ask(session, GRANT, options, signed)
}

/** Has the device take a signed revocation (revocation.ts). Fails with what the device says, and as askInfo. */
export async function askRevoke(
  session: Session,
  signed: Uint8Array,
  options: AskOptions,
): Promise<void> {
  await ask(session, REVOKE, options, signed, revocationRefusal)
}

/** Has the device make a new SSH host key. Fails as askInfo. */
export async function askRotateHostKey(session: Session, options: AskOptions): Promise<void> {
  await ask(session, ROTATE_HOST_KEY, options)
}

/**
 * Has the device take another zone key; what leads to it (succession.ts), which whoever asks verifies. Fails with
 * CLOCK_WRONG, LIMIT_EXCEEDED where it has done so too often, and as askInfo.
 */
export async function askRotateKey(session: Session, options: AskOptions): Promise<Uint8Array> {
  const now = encoder.encode(`${options.clock.now()}`)
  const { chain } = await ask(session, ROTATE_KEY, options, now, rotationRefusal)
  try {
    if (typeof chain === 'string') return decodeBase32(chain, SUCCESSION_SIZE)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
  throw new BoxError('STATE_UNEXPECTED', 'The device does not say which key it has now.')
}

/**
 * What it takes to revoke the zone of the device (src/gns/revocation.ts): whoever has it can do so, so it is kept
 * as a key is. Fails with CLOCK_WRONG, and as askInfo.
 */
export async function askRevocation(
  session: Session,
  zone: ZoneKey,
  options: AskOptions,
): Promise<RevocationIntent> {
  const time = revocationTime(options.clock.now())
  const said = encoder.encode(`${time}`)
  const { signature } = await ask(session, REVOCATION, options, said, rotationRefusal)
  try {
    const intent = { zone, time, signature: decodeBase32(String(signature), SIGNATURE_SIZE) }
    if (isIntended(intent)) return intent
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
  throw new BoxError('STATE_UNEXPECTED', 'The device does not sign its revocation.')
}

/** One page of everybody's grants, from the one with this place on. Fails as askInfo. */
export const askGrants = (session: Session, from: number, options: AskOptions): Promise<Page> =>
  askPage(session, GRANTS, from, options)

/** One page of the audit journal, from this number on. Fails as askInfo. */
export const askAudit = (session: Session, from: number, options: AskOptions): Promise<Page> =>
  askPage(session, AUDIT, from, options)

/** One page of what waits for approval there, as far as it is ours to know. Fails as askInfo. */
export const askApprovals = (session: Session, from: number, options: AskOptions): Promise<Page> =>
  askPage(session, APPROVALS, from, options)

/** Has the device take a signed verdict (approval.ts). Fails with APPROVAL_UNKNOWN, and as askInfo. */
export async function askJudge(
  session: Session,
  signed: Uint8Array,
  options: AskOptions,
): Promise<void> {
  await ask(session, JUDGE, options, signed, verdictRefusal)
}

/** Has the device do something about its rooms. Fails with what it says (room-talk.ts), and as askInfo. */
export async function askRooms(
  session: Session,
  request: RoomRequest,
  options: AskOptions,
): Promise<readonly RoomListing[]> {
  const said = encodeRoomRequest(request)
  return parseRoomsAnswer(await ask(session, ROOMS, options, said, roomRefusal))
}

export interface Page {
  readonly entries: readonly unknown[]
  readonly more: boolean
}

async function askPage(
  session: Session,
  kind: number,
  from: number,
  options: AskOptions,
): Promise<Page> {
  const { entries, more } = await ask(session, kind, options, encoder.encode(`${from}`))
  if (!Array.isArray(entries)) throw new BoxError('STATE_UNEXPECTED', 'The device gives no list.')
  return { entries, more: more === true }
}

function revocationRefusal(code: unknown): BoxError {
  if (code === 'CLOCK_WRONG') return new BoxError('CLOCK_WRONG')
  if (code === 'NOT_PERMITTED')
    return new BoxError('NOT_PERMITTED', 'Only who may grant there can revoke.')
  return new BoxError('STATE_UNEXPECTED', 'The device does not take this revocation.')
}

function verdictRefusal(code: unknown): BoxError {
  if (code === 'APPROVAL_UNKNOWN') return new BoxError('APPROVAL_UNKNOWN')
  if (code === 'NOT_PERMITTED')
    return new BoxError('NOT_PERMITTED', 'It takes another person, who may have it done as well.')
  return new BoxError('STATE_UNEXPECTED', 'The device does not take this verdict.')
}

function rotationRefusal(code: unknown): BoxError {
  if (code === 'CLOCK_WRONG') return new BoxError('CLOCK_WRONG')
  if (code === 'LIMIT_EXCEEDED')
    return new BoxError('NOT_PERMITTED', 'It has had four new keys in 90 days already.')
  return new BoxError('STATE_UNEXPECTED', 'The device does not take another key.')
}

/** The device's reason, in our words: it may say anything. */
function grantRefusal(code: unknown): BoxError {
  if (code === 'INPUT_INVALID')
    return new BoxError(
      'INPUT_INVALID',
      'The device has a later grant, your clock is wrong, or nobody would be left who may grant.',
    )
  return new BoxError(
    code === 'NOT_PERMITTED' ? 'NOT_PERMITTED' : 'STATE_UNEXPECTED',
    'The device does not take this grant.',
  )
}

export interface ControlOptions {
  readonly clock: Clock
  readonly info: () => DeviceInfo
  /** Takes away all that the asking key was granted. */
  readonly leave: () => void
  readonly allows: (right: Right) => boolean
  readonly approvals: Approvals
  /** For whoever has the right `admin`. */
  readonly administration: Administration
}

/** What waits for another person (approval.ts), as whoever asks may know of it. */
export interface Approvals {
  list(): readonly ApprovalListing[]
  /** Takes a signed verdict. Throws BoxError. */
  judge(signed: Uint8Array): void
}

export interface Administration {
  /** Takes a signed statement (grant-statement.ts). Throws BoxError. */
  grant(signed: Uint8Array): void
  /** Takes a signed revocation (revocation.ts). Throws BoxError. */
  revoke(signed: Uint8Array): void
  /** Makes a new SSH host key. Throws STATE_UNWRITABLE. */
  rotateHostKey(): void
  /** Makes a new zone key, and says what leads to it; by the time of whoever asks. Throws BoxError. */
  rotateKey(theirs: number): Uint8Array
  /** Signs that the zone of the device may be revoked, as of this time. Throws BoxError. */
  revocation(time: bigint): RevocationIntent
  /** Everybody's grants, oldest first, as JSON. */
  grants(): readonly object[]
  /** The audit journal from this number on. */
  audit(from: number): readonly object[]
  /** Does something about the rooms that are hosted here. Throws BoxError. */
  rooms(request: RoomRequest): readonly RoomListing[]
}

/** The device's side of one channel. Never fails; the channel is closed when this resolves. */
export async function serveControl(session: Session, options: ControlOptions): Promise<void> {
  const talk = new Conversation(session.channel, { clock: options.clock, timeoutMs: TIMEOUT_MS })
  try {
    for (let i = 0; i < REQUESTS_MAX; i++) {
      const { kind, body } = ControlRequest.decode(await talk.next())
      talk.send(answerTo(kind, body, options))
    }
  } catch (error) {
    // The other side is done, or talks nonsense: either way the dialogue ends.
    if (!(error instanceof BoxError) && !(error instanceof WireError)) throw error
  } finally {
    talk.close()
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function answerTo(
  kind: number,
  body: Uint8Array,
  { info, leave, allows, approvals, administration }: ControlOptions,
): Uint8Array {
  const answer = (status: number, value: object = {}) =>
    ControlAnswer.encode({ status, body: encoder.encode(JSON.stringify(value)) })
  const done = (work: () => unknown): Uint8Array => {
    try {
      const said = work()
      return answer(DONE, said instanceof Object ? said : {})
    } catch (error) {
      if (error instanceof BoxError) return answer(REFUSED, { code: error.code })
      throw error
    }
  }
  switch (kind) {
    case INFO:
      return allows('status') ? answer(DONE, info()) : answer(NOT_PERMITTED)
    case LEAVE:
      try {
        leave()
      } catch (error) {
        if (error instanceof BoxError) return answer(FAILED)
        throw error
      }
      return answer(DONE)
    case GRANT:
      return done(() => administration.grant(body))
    case APPROVALS:
      return answer(DONE, pageOf(approvals.list().slice(numberIn(body)).map(listingText)))
    case JUDGE:
      return done(() => approvals.judge(body))
    case REVOKE:
      return done(() => administration.revoke(body))
    case ROTATE_HOST_KEY:
      return allows('admin') ? done(() => administration.rotateHostKey()) : answer(NOT_PERMITTED)
    case ROTATE_KEY:
      if (!allows('admin')) return answer(NOT_PERMITTED)
      return done(() => ({ chain: encodeBase32(administration.rotateKey(numberIn(body))) }))
    case REVOCATION:
      if (!allows('admin')) return answer(NOT_PERMITTED)
      return done(() => {
        const { signature } = administration.revocation(BigInt(numberIn(body)))
        return { signature: encodeBase32(signature) }
      })
    case ROOMS:
      if (!allows('admin')) return answer(NOT_PERMITTED)
      return done(() => roomsAnswer(administration.rooms(decodeRoomRequest(body))))
    case GRANTS:
    case AUDIT: {
      if (!allows('admin')) return answer(NOT_PERMITTED)
      const from = numberIn(body)
      const all = kind === GRANTS ? administration.grants().slice(from) : administration.audit(from)
      return answer(DONE, pageOf(all))
    }
    default:
      return answer(UNKNOWN_KIND)
  }
}

/** As many as fit; whoever gets fewer than there are asks on. */
function pageOf(all: readonly object[]): object {
  const entries: object[] = []
  let size = 0
  for (const entry of all) {
    size += JSON.stringify(entry).length
    if (size > PAGE_MAX && entries.length > 0) break
    entries.push(entry)
  }
  return { entries, more: entries.length < all.length }
}

/** Zero where it is none. */
function numberIn(body: Uint8Array): number {
  const number = Number(decoder.decode(body))
  return Number.isSafeInteger(number) && number >= 0 ? number : 0
}

async function ask(
  { channel }: Session,
  kind: number,
  { clock, signal }: AskOptions,
  said: Uint8Array = new Uint8Array(0),
  refusal: (code: unknown) => BoxError = grantRefusal,
): Promise<Record<string, unknown>> {
  const talk = new Conversation(channel, { clock, timeoutMs: TIMEOUT_MS, signal })
  try {
    talk.send(ControlRequest.encode({ kind, body: said }))
    const { status, body } = ControlAnswer.decode(await talk.next())
    if (status === NOT_PERMITTED) throw new BoxError('NOT_PERMITTED')
    if (status === REFUSED)
      throw refusal((JSON.parse(decoder.decode(body)) as { code?: unknown } | null)?.code)
    if (status !== DONE) throw new BoxError('STATE_UNEXPECTED', 'The device cannot do that.')
    const value: unknown = JSON.parse(decoder.decode(body))
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {}
  } catch (error) {
    if (error instanceof WireError || error instanceof SyntaxError)
      throw new BoxError('STATE_UNEXPECTED', undefined, error)
    throw error
  } finally {
    talk.close()
  }
}
