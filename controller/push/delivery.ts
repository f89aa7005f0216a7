/**
 * One change of one device: hands it over, follows it, and confirms it over a new channel. Where the device
 * cannot be reached any more, waits until it has put everything back by itself, and says so.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { MadeOut } from '../../src/box/bundle/make-out.ts'
import { contentId } from '../../src/box/bundle/release.ts'
import {
  type PushOutcome,
  type PushStatus,
  readMissing,
  readOutcome,
  readStatus,
} from '../../src/box/push-report.ts'
import { type Json, PushTalk } from '../../src/box/push-talk.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import type { Device } from '../fleet.ts'

/** Without news for so long, the device may have been cut off: it is asked over a new channel. */
const STALL_MS = 8_000
const ASK_AGAIN_MS = 2_000
/** A try to reach it again, and how long after its time a device may need to be back. */
const TRY_MS = 20_000
const GRACE_MS = 90_000

/** How it went. */
export type Delivered =
  | { readonly is: 'confirmed' | 'unchanged'; readonly generation: number }
  | { readonly is: 'put back'; readonly reason: string; readonly complaints: readonly string[] }
  | { readonly is: 'refused' | 'lost'; readonly error: BoxError }
  | {
      readonly is: 'offline'
      readonly error: BoxError
      /** Which relays keep for it what it shall have. */
      readonly relays?: readonly string[]
    }

export interface Following {
  readonly timeoutMs: number
  /** Told what is being done. */
  readonly note: (doing: string) => void
}

/** Opens a dialogue about configuration; the caller closes it. Fails as `reach`. */
export async function openPushTalk(
  context: Context,
  device: Device,
  timeoutMs: number,
): Promise<PushTalk> {
  const session = await reach(context, device, { service: 'push', timeoutMs })
  return new PushTalk(session.channel, context.clock, context.signal)
}

/** Hands over a release and what the device lacks of it. */
export async function handOver(
  talk: PushTalk,
  { signed, contents }: Pick<MadeOut, 'signed' | 'contents'>,
): Promise<void> {
  const missing = readMissing(await talk.give('offer', signed))
  for (const content of contents)
    if (missing.has(Buffer.from(contentId(content)).toString('hex')))
      await talk.give('content', content)
}

/** The number of the next release: later than all the device has seen, whatever its clock or ours. */
export const nextSequence = (now: number, { sequence }: PushStatus): number =>
  Math.max(now, sequence + 1)

/**
 * Has one change made: `begin` asks for it on the first channel. `lastsMs` is how long the device may take for
 * it and for going back. Expected failures are in what comes back.
 */
export async function deliver(
  context: Context,
  device: Device,
  { timeoutMs, note }: Following,
  begin: (
    talk: PushTalk,
    status: PushStatus,
    progress: (said: Json) => void,
  ) => Promise<{ readonly answer: Promise<Json>; readonly lastsMs: number }>,
): Promise<Delivered> {
  let talk: PushTalk
  note('looking for it')
  try {
    talk = await openPushTalk(context, device, timeoutMs)
  } catch (error) {
    return failure(context, error, 'offline')
  }
  try {
    const status = readStatus(await talk.ask('status', {}))
    let heardAt = context.clock.elapsed()
    const { answer, lastsMs } = await begin(talk, status, ({ step }) => {
      heardAt = context.clock.elapsed()
      note(String(step))
    })
    const heard = answer.catch(nothingHeard)
    const said = await Promise.race([heard, stalled(context, () => heardAt, heard)])
    const done = said && readApplied(said)
    if (done) return done
    note('confirming')
    return await confirmAnew(context, device, status.last?.id ?? null, lastsMs, note)
  } catch (error) {
    return failure(context, error, 'lost')
  } finally {
    talk.close()
  }
}

/** A channel that ends says nothing about the change: the device goes on with it, or puts it back. */
function nothingHeard(error: unknown): null {
  if (error instanceof BoxError && error.family === 'unreachable') return null
  throw error
}

/** Null as soon as nothing was heard for a while, or the channel broke. */
async function stalled(
  { clock, signal }: Context,
  heardAt: () => number,
  answer: Promise<Json | null>,
): Promise<null> {
  let over = false
  answer.then(
    () => {
      over = true
    },
    () => {
      over = true
    },
  )
  while (!over && !signal.aborted && clock.elapsed() - heardAt() < STALL_MS)
    await new Promise<void>(resolve => void clock.after(200, resolve))
  return null
}

/** Null where it is to be confirmed. */
function readApplied(said: Json): Delivered | null {
  switch (said.is) {
    case 'unchanged':
      return { is: 'unchanged', generation: Number(said.generation) }
    case 'put back':
      return putBack(readOutcome(said.outcome))
    default:
      return null
  }
}

const putBack = ({ reason, complaints }: PushOutcome): Delivered => ({
  ...{ is: 'put back', reason: reason ?? 'It does not say why.', complaints },
})

/** Asks over new channels until the change is confirmed, or known to be put back. */
async function confirmAnew(
  context: Context,
  device: Device,
  lastBefore: string | null,
  lastsMs: number,
  note: (doing: string) => void,
): Promise<Delivered> {
  const { clock, signal } = context
  const deadline = clock.elapsed() + lastsMs + GRACE_MS
  let reason: unknown = null
  while (clock.elapsed() < deadline) {
    try {
      const talk = await openPushTalk(context, device, TRY_MS)
      try {
        const { open, last } = readStatus(await talk.ask('status', {}))
        if (open?.awaiting) return confirmedBy(await talk.ask('confirm', { id: open.id }))
        if (!open && last && last.id !== lastBefore)
          return last.is === 'put back'
            ? putBack(last)
            : { is: 'confirmed', generation: last.generation }
        note(open ? 'waiting for it' : 'not begun')
      } finally {
        talk.close()
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BoxError)) throw error
      reason = error
      note(error.family === 'refused' ? error.detail : 'not reachable; it will put everything back')
    }
    await new Promise<void>(resolve => void clock.after(ASK_AGAIN_MS, resolve))
  }
  const detail = 'It was not heard of again; what is not confirmed it puts back by itself.'
  return { is: 'lost', error: new BoxError('PEER_TIMEOUT', detail, reason) }
}

function confirmedBy({ outcome }: Json): Delivered {
  const { generation } = readOutcome(outcome)
  return { is: 'confirmed', generation }
}

function failure({ signal }: Context, error: unknown, otherwise: 'offline' | 'lost'): Delivered {
  signal.throwIfAborted()
  if (!(error instanceof BoxError)) throw error
  const isAway = error.family === 'unreachable' || error.family === 'unknown'
  return { is: isAway ? otherwise : 'refused', error }
}
