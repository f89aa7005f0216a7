/** A file from a relay of ours, where whoever offered it has left its parts, for as long as we were away. */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { readLying } from '../../src/box/relayed-file.ts'
import { type FileOffer, relayTag } from '../../src/social/file-offer.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import type { Device } from '../fleet.ts'
import { openedPart, type Receiving, type Source, STALL_MS } from './source.ts'

/** The file is in its place: a relay that does not answer keeps its copy until that is too old. */
const THANKS_MS = 5_000

/**
 * Fails with FILE_UNKNOWN where the relay has none of the parts from `from` on, or does not keep files, and as `reach`;
 * `dialling` ends the looking, and nothing after it.
 */
export async function dialRelay(
  context: Context,
  offer: FileOffer,
  relay: Device,
  given: { readonly dialling: AbortSignal; readonly timeoutMs: number; readonly from: number },
): Promise<Source> {
  const { dialling, timeoutMs, from } = given
  const { channel } = await reached({ ...context, signal: dialling }, relay, timeoutMs)
  const over = new AbortController()
  const end = () => over.abort(new BoxError('CHANNEL_CLOSED'))
  const talk = new PushTalk(channel, context.clock, AbortSignal.any([context.signal, over.signal]))
  dialling.addEventListener('abort', end, { once: true })
  const tooLate = context.clock.after(timeoutMs, end)
  try {
    const tag = relayTag(offer)
    const { has } = readLying(await talk.ask('stored', { tag }))
    if (has <= from) throw new BoxError('FILE_UNKNOWN', 'It does not lie with a relay.')
    return sourceOn(context.clock, talk, tag, over)
  } catch (error) {
    talk.close()
    throw asSilence(error)
  } finally {
    tooLate.cancel()
    dialling.removeEventListener('abort', end)
  }
}

async function reached(context: Context, relay: Device, timeoutMs: number) {
  try {
    return await reach(context, relay, { service: 'mail', timeoutMs })
  } catch (error) {
    throw asSilence(error)
  }
}

/** What a relay says against it, older ones that they do not know of files, is no reason why nobody hands it out. */
function asSilence(error: unknown): unknown {
  const isNo = error instanceof BoxError && ['refused', 'fault'].includes(error.family)
  return isNo ? new BoxError('FILE_UNKNOWN', 'It does not lie with a relay.', error) : error
}

function sourceOn(clock: Clock, talk: PushTalk, tag: string, over: AbortController): Source {
  const within = async <T>(ms: number, work: (stir: () => void) => Promise<T>): Promise<T> => {
    const late = () => clock.after(ms, () => over.abort(new BoxError('PEER_TIMEOUT')))
    let timer: Timer = late()
    try {
      return await work(() => {
        timer.cancel()
        timer = late()
      })
    } finally {
      timer.cancel()
    }
  }
  return {
    receive: ({ offer, part, step }: Receiving) =>
      within(STALL_MS, async stir => {
        const from = part.next
        const { has } = readLying(await talk.ask('hand', { tag, from }))
        await talk.takeEach(Math.max(0, has - from), raw => {
          stir()
          part.take(openedPart(offer, raw))
          step(part.bytes)
        })
      }),
    thank: async () => {
      try {
        await within(THANKS_MS, () => talk.ask('unstore', { tag }))
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
      } finally {
        talk.close()
      }
    },
    close: () => talk.close(),
  }
}
