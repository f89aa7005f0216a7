/** The keys of messages that were overtaken by later ones of the same tunnel, for when they come. */

import type { HeaderKey, MessageKey, Sealed } from './tunnel-keys.ts'

/** Keys kept; the oldest goes first (gnunet-service-cadet_tunnels.c: MAX_SKIPPED_KEYS). */
export const SKIPPED_KEYS_MAX = 64

/** Former header keys tried on a message that fits no current one; each try reads the whole message. */
const FORMER_HEADERS_MAX = 3

interface Skipped {
  readonly header: HeaderKey
  readonly number: number
  readonly message: MessageKey
}

export class SkippedKeys {
  private readonly keys: Skipped[] = []

  store(header: HeaderKey, number: number, message: MessageKey): void {
    this.keys.push({ header, number, message })
    if (this.keys.length > SKIPPED_KEYS_MAX) this.keys.shift()
  }

  /** Takes the key of message `number` under `header`, or null where it was used or never kept. */
  take(header: HeaderKey, number: number): MessageKey | null {
    const at = this.keys.findIndex(key => key.header === header && key.number === number)
    return at < 0 ? null : this.keys.splice(at, 1)[0]!.message
  }

  /** The former header key the message was made with, or null. */
  headerOf(sealed: Sealed, except: HeaderKey | null): HeaderKey | null {
    const former = new Set<HeaderKey>()
    for (let i = this.keys.length - 1; i >= 0 && former.size < FORMER_HEADERS_MAX; i--)
      if (this.keys[i]!.header !== except) former.add(this.keys[i]!.header)
    for (const header of former) if (header.matches(sealed)) return header
    return null
  }
}
