/**
 * One attempt to open a channel, as a promise: it ends with the channel, with a failure, or because the
 * caller (by its signal) or the engine gives it up; whichever comes first, and nothing is left of it.
 */

import type { Channel } from './mesh.ts'

/** How the engine learns what became of an opening. */
export interface AttemptEvents {
  opened(channel: Channel): void
  failed(reason: unknown): void
}

export interface AttemptOptions {
  readonly signal?: AbortSignal | undefined
  /** Begins to open; may end at once. */
  readonly open: (events: AttemptEvents) => { cancel(): void }
  /** Told how the engine can give it up, before it begins. */
  readonly begun: (giveUp: (reason: unknown) => void) => void
  /** It is over, however it ended. */
  readonly ended: () => void
}

/** Fails with what `failed` or `giveUp` is told, or the reason of the signal. */
export function attempt({ signal, open, begun, ended }: AttemptOptions): Promise<Channel> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    let opening: { cancel(): void } | null = null
    const settle = () => {
      ended()
      signal?.removeEventListener('abort', aborted)
    }
    const fail = (reason: unknown) => {
      settle()
      reject(reason)
    }
    const giveUp = (reason: unknown) => {
      opening?.cancel()
      fail(reason)
    }
    const aborted = () => giveUp(signal?.reason)
    begun(giveUp)
    signal?.addEventListener('abort', aborted)
    opening = open({
      opened: channel => {
        settle()
        resolve(channel)
      },
      failed: fail,
    })
  })
}
