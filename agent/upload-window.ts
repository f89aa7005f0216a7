/**
 * What the client may send on a channel of SSH while somebody types beside it.
 *
 * All channels of a connection are one stream: a key comes after whatever stands before it, also in stock ssh and in its
 * pipe, where we see nothing. What holds from end to end is the window of the channel (RFC 4254 section 5.2): while
 * somebody types, the client is granted little more than arrives.
 *
 * ssh2 1.17.0 keeps the window in the channel and tells nobody when it changes, so its place is watched.
 */

import type { ServerChannel } from 'ssh2'
import type { Clock, Timer } from '../src/base/clock.ts'
import type { Carrier } from './carrier.ts'
import { UploadPace } from './upload-pace.ts'

/** What the client is granted at once, at least: telling it costs a message. */
const GRANT_MIN = 16 * 1_024
/** What ssh2 gives a channel (lib/Channel.js, MAX_WINDOW). */
const WINDOW = 2 * 1_024 * 1_024
/** Added to what ssh2 takes for the window, so that it grants nothing by itself. */
const HIDDEN = 2 ** 40
/** How often it is looked whether the program has taken what arrived, where nothing more does. */
const LOOK_MS = 20

/** What is behind the types of ssh2. */
interface Insides {
  readonly incoming: { window: number }
  readonly outgoing: { readonly id: number; readonly state: string }
  readonly _client: { readonly _protocol: { channelWindowAdjust(id: number, bytes: number): void } }
}

/** Holds for a channel from its beginning to its end. One without a window has all that its client sends already. */
export function paceUpload(channel: ServerChannel, carrier: Omit<Carrier, 'stream'>): void {
  if ('incoming' in channel) new UploadWindow(channel, carrier)
}

class UploadWindow {
  private readonly channel: ServerChannel
  private readonly clock: Clock
  private readonly insides: Insides
  private readonly pace = new UploadPace()
  private isNarrow = false
  private look: Timer | null = null

  constructor(channel: ServerChannel, { typing, clock }: Omit<Carrier, 'stream'>) {
    this.channel = channel
    this.clock = clock
    this.insides = channel as unknown as Insides
    const { incoming } = this.insides
    let { window } = incoming
    Object.defineProperty(incoming, 'window', {
      get: () => window,
      set: (now: number) => {
        const arrived = window - now
        window = now
        if (arrived > 0 && arrived < HIDDEN) this.arrived(arrived)
      },
    })
    const leave = typing.join(isOn => (isOn ? this.narrow() : this.widen()))
    channel.once('close', () => {
      leave()
      this.look?.cancel()
    })
  }

  private arrived(bytes: number): void {
    if (!this.isNarrow) return
    this.pace.arrived(bytes, this.clock.elapsed())
    this.grant()
  }

  private narrow(): void {
    this.isNarrow = true
    this.insides.incoming.window += HIDDEN
    this.grant()
  }

  private widen(): void {
    const { incoming } = this.insides
    this.isNarrow = false
    incoming.window -= HIDDEN
    this.pace.forget()
    this.give(WINDOW - incoming.window)
  }

  private grant(): void {
    if (!this.isNarrow) return
    const open = this.insides.incoming.window - HIDDEN
    const { readableLength: waiting } = this.channel
    const room = this.pace.current - open - waiting
    if (room >= GRANT_MIN && (open === 0 || !this.pace.isUnknown)) {
      if (open === 0) this.pace.empty(this.clock.elapsed())
      this.give(room)
    } else if (waiting > 0) this.lookAgain()
  }

  private lookAgain(): void {
    this.look ??= this.clock.after(LOOK_MS, () => {
      this.look = null
      this.grant()
    })
  }

  private give(bytes: number): void {
    const { incoming, outgoing, _client } = this.insides
    // Who has said that it closes says nothing more (RFC 4254 section 5.3).
    if (bytes <= 0 || outgoing.state === 'closing' || outgoing.state === 'closed') return
    incoming.window += bytes
    _client._protocol.channelWindowAdjust(outgoing.id, bytes)
  }
}
