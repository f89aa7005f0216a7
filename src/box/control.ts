/**
 * What an owner asks a device beside SSH: a dialogue of requests and answers after the handshake.
 *
 * The answers are JSON, so that a newer device may say more than an older controller reads.
 */

import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import { WireError } from '../wire/layout.ts'
import { Conversation } from './conversation.ts'
import type { Right } from './grant.ts'
import type { Session } from './handshake.ts'
import { ControlAnswer, ControlRequest } from './messages.ts'

/** Kinds of requests. */
const INFO = 1
const LEAVE = 2
/** Status of answers. */
const DONE = 0
const UNKNOWN_KIND = 1
const NOT_PERMITTED = 2
const FAILED = 3

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

export interface ControlOptions {
  readonly clock: Clock
  readonly info: () => DeviceInfo
  /** Takes away all that the asking key was granted. */
  readonly leave: () => void
  readonly allows: (right: Right) => boolean
}

/** The device's side of one channel. Never fails; the channel is closed when this resolves. */
export async function serveControl(session: Session, options: ControlOptions): Promise<void> {
  const talk = new Conversation(session.channel, { clock: options.clock, timeoutMs: TIMEOUT_MS })
  try {
    for (let i = 0; i < REQUESTS_MAX; i++) {
      const { kind } = ControlRequest.decode(await talk.next())
      talk.send(answerTo(kind, options))
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

function answerTo(kind: number, { info, leave, allows }: ControlOptions): Uint8Array {
  const answer = (status: number, value: object = {}) =>
    ControlAnswer.encode({ status, body: encoder.encode(JSON.stringify(value)) })
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
    default:
      return answer(UNKNOWN_KIND)
  }
}

async function ask(
  { channel }: Session,
  kind: number,
  { clock, signal }: AskOptions,
): Promise<Record<string, unknown>> {
  const talk = new Conversation(channel, { clock, timeoutMs: TIMEOUT_MS, signal })
  try {
    talk.send(ControlRequest.encode({ kind, body: new Uint8Array(0) }))
    const { status, body } = ControlAnswer.decode(await talk.next())
    if (status === NOT_PERMITTED) throw new BoxError('NOT_PERMITTED')
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
