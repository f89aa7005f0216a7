/**
 * What waits on devices for another person, and saying yes or no to it: what is signed is the request as it was
 * shown, checked and put into words here, and not in the words of the device. For commands and the API alike.
 */

import { BoxError } from '../src/base/errors.ts'
import {
  type ApprovalRequest,
  approvalId,
  decodeApprovalRequest,
  readListing,
  signVerdict,
} from '../src/box/approval.ts'
import { askApprovals, askJudge } from '../src/box/control.ts'
import { zoneToText } from '../src/gns/name.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { Context } from './context.ts'
import { pagesOf } from './device-pages.ts'
import { reach } from './device-session.ts'
import { type Device, hasZone } from './fleet.ts'
import { inParallel } from './parallel.ts'

/** The beginning of a name of this length is meant, and not typed by chance. */
const ID_MIN = 4
/** Each costs a channel and a key exchange. */
const PARALLEL = 16

export interface WaitingRequest extends ApprovalRequest {
  readonly id: string
  /** As the device made it: what a verdict is about. */
  readonly encoded: Uint8Array
  /** Who asks, by the name the device has for them. */
  readonly who: string
  /** Whether we may approve it; else it is ours. */
  readonly mayApprove: boolean
}

type Options = { readonly timeoutMs: number }

/** What waits there, as far as it is ours to know; the oldest first. Fails as `reach`, and with STATE_UNEXPECTED. */
export async function waitingOn(
  context: Context,
  device: Device,
  options: Options,
): Promise<readonly WaitingRequest[]> {
  const listed = await pagesOf(context, device, options, askApprovals)
  return listed.map(value => {
    const { request: encoded, who, mayApprove } = readListing(value)
    const request = decodeApprovalRequest(encoded)
    // A verdict would be good there, wherever that is.
    if (!hasZone(device, request.device))
      throw new BoxError('STATE_UNEXPECTED', 'The device shows a request of another one.')
    return { ...request, id: approvalId(encoded), encoded, who, mayApprove }
  })
}

export interface AskedDevice {
  readonly device: Device
  readonly waiting: readonly WaitingRequest[]
  /** Why it has not answered. */
  readonly error: BoxError | null
}

/** The same of many, in their order: one that does not answer keeps nothing of the others back. */
export const waitingOnEach = (
  context: Context,
  devices: readonly Device[],
  options: Options,
): Promise<readonly AskedDevice[]> =>
  inParallel(devices, PARALLEL, async device => {
    try {
      return { device, waiting: await waitingOn(context, device, options), error: null }
    } catch (error) {
      context.signal.throwIfAborted()
      if (!(error instanceof BoxError)) throw error
      return { device, waiting: [], error }
    }
  })

/** The one whose name begins so. Fails as `waitingOn`, and with APPROVAL_UNKNOWN, INPUT_INVALID. */
export async function waitingCalled(
  context: Context,
  device: Device,
  name: string,
  options: Options,
): Promise<WaitingRequest> {
  if (name.length < ID_MIN)
    throw new BoxError('INPUT_INVALID', `Give ${ID_MIN} letters of its name at least.`)
  const begin = name.toUpperCase()
  const found = (await waitingOn(context, device, options)).filter(({ id }) => id.startsWith(begin))
  if (found.length === 1) return found[0]!
  if (found.length > 1)
    throw new BoxError('INPUT_INVALID', 'Several names begin so: give more of it.')
  throw new BoxError('APPROVAL_UNKNOWN')
}

/** Says yes or no to exactly this. Fails as `reach`, and with APPROVAL_UNKNOWN, NOT_PERMITTED. */
export async function judge(
  context: Context,
  device: Device,
  { encoded: request, mayApprove }: WaitingRequest,
  { isApproved, ...options }: Options & { readonly isApproved: boolean },
): Promise<void> {
  if (!mayApprove) throw new BoxError('NOT_PERMITTED', 'You asked for it: it takes another person.')
  const { clock, signal } = context
  const signed = signVerdict(context.ego().secret, { request, isApproved })
  const session = await reach(context, device, { service: 'control', ...options })
  await askJudge(session, signed, { clock, signal })
}

/** What a command line hides from the eye is shown by its number: nothing else may look like it. */
export const exactly = (text: string): string =>
  text.replaceAll(/[\p{C}\p{Zl}\p{Zp}\\]|(?! )\p{Zs}/gu, char =>
    char === '\\' ? '\\\\' : `\\u{${char.codePointAt(0)!.toString(16)}}`,
  )

/** What will be done, all of it, for people. */
export function requestLines(request: WaitingRequest, device: string): readonly string[] {
  const { id, kind, who, requester, user, line, input, expiresAt, askedAt } = request
  const isTyped = kind.endsWith('on a terminal')
  const wholeInput = `${input.size} bytes, SHA-256 ${hexOf(input.hash)}`
  const about = line === '' ? kind : `${kind}: ${exactly(line)}`
  return [
    `${id} on ${device}`,
    `  ${about}`,
    `  as ${user}, asked by ${who} (${zoneToText(requester)})`,
    ...(isTyped ? ['  what will be typed there is not known yet'] : []),
    ...(!isTyped && input.size > 0 ? [`  input: ${wholeInput}`] : []),
    `  since ${timeText(askedAt)}, until ${timeText(expiresAt)}`,
  ]
}

/** The same for programs. */
export const requestValue = (request: WaitingRequest, device: string) => ({
  ...{ device, id: request.id, kind: request.kind, command: request.line, user: request.user },
  input: { size: request.input.size, sha256: hexOf(request.input.hash) },
  ...{ who: request.who, zone: zoneToText(request.requester) },
  key: encodeBase32(request.key).slice(0, 16),
  asked_at: new Date(request.askedAt).toISOString(),
  expires_at: new Date(request.expiresAt).toISOString(),
  may_approve: request.mayApprove,
})

const timeText = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
const hexOf = (bytes: Uint8Array) =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
