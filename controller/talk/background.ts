/** Private talk for as long as `box up` stays: contacts reach us, and what waits for them is brought. */

import { pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { TalkDesk } from './desk.ts'
import { SealedState } from './sealed-state.ts'

/** Somebody may have got a first contact meanwhile. */
const LOOK_EVERY_MS = 5_000

/** Resolves when the signal is aborted; what goes wrong is in the log. */
export async function talkMeanwhile(context: Context, signal: AbortSignal): Promise<void> {
  const { clock, state, random, log } = context
  try {
    // Whoever talks to nobody is found by nobody.
    while (!SealedState.find(state, random) && !signal.aborted)
      await pause(clock, LOOK_EVERY_MS, signal)
    if (signal.aborted) return
    const desk = await TalkDesk.open({ ...context, signal }, { stays: true })
    await new Promise<void>(resolve => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await desk.close()
  } catch (error) {
    if (!(error instanceof BoxError) && !signal.aborted) throw error
    log.note('error', 'talk', 'no private talk', { why: `${error}` })
  }
}
