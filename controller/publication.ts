/** Sees to it that our names are out: in passing, with each device that is reached, and while `box up` stays. */

import { pause } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Context } from './context.ts'
import type { Fleet } from './fleet.ts'
import { publishZone } from './names.ts'

/** Enough for all names of a large fleet. */
const WHOLE_MS = 60_000
/** What a name has left of its life when it is put again is counted in hours. */
const EVERY_MS = 30 * 60_000

/** Of one process, whose contexts differ by their signals. */
const running = new WeakMap<Fleet, Promise<void>>()

/** However many devices are reached at once, the names go out once. Fails as `publishZone`. */
export const publishInPassing = (context: Context): Promise<void> =>
  running.get(context.fleet) ?? begin(context)

/** Resolves when the signal is aborted; a publication that fails is tried again with the next. */
export async function keepPublished(context: Context, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await running.get(context.fleet)
      await begin({ ...context, signal }, { waitMs: WHOLE_MS })
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof BoxError)) throw error
      context.log.note('warn', 'controller', 'names not published', { code: error.code })
    }
    await pause(context.clock, EVERY_MS, signal)
  }
}

function begin(context: Context, options: Parameters<typeof publishZone>[1] = {}): Promise<void> {
  const { fleet } = context
  const publication = publishZone(context, options).finally(() => {
    if (running.get(fleet) === publication) running.delete(fleet)
  })
  running.set(fleet, publication)
  return publication
}
