/**
 * One channel between two members of a place: messages in cells of few sizes, and whose zone it is that has
 * been proven at the other end. What is malformed closes it.
 */

import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { PeerId, ZoneKey } from '../base/ids.ts'
import type { Channel } from '../mesh/mesh.ts'
import { dispatch } from '../wire/dispatch.ts'
import { WireError } from '../wire/layout.ts'
import {
  PlaceAdmitted,
  PlaceAttach,
  PlaceAttached,
  PlaceBeat,
  PlaceCell,
  PlaceConfirm,
  PlaceEnter,
  PlaceEpochs,
  PlaceForgotten,
  PlaceForward,
  PlaceLeave,
  PlaceRedirect,
  PlaceRefused,
  PlaceReplay,
  PlaceSnapshot,
  PlaceTalk,
  PlaceTalked,
  PlaceTicketRefused,
} from './messages.ts'
import { cellPadding } from './padding.ts'

/** A channel at whose other end `zone` was proven (src/box/handshake.ts), in both directions. */
export interface Link {
  readonly zone: ZoneKey
  readonly channel: Channel
}

/** Somebody in the tree, and where. */
export interface TreeNode {
  readonly peer: PeerId
  readonly zone: ZoneKey
}

/** How long the other side has to read the last word. */
const LINGER_MS = 5_000

const read = dispatch([
  PlaceAttach,
  PlaceAttached,
  PlaceRedirect,
  PlaceTicketRefused,
  PlaceBeat,
  PlaceForward,
  PlaceReplay,
  PlaceForgotten,
  PlaceEnter,
  PlaceAdmitted,
  PlaceSnapshot,
  PlaceRefused,
  PlaceTalk,
  PlaceTalked,
  PlaceLeave,
  PlaceConfirm,
  PlaceEpochs,
])

export type EdgeMessage = NonNullable<ReturnType<typeof read>>

export interface EdgeEvents {
  /** Decoded fields are views. */
  message(message: EdgeMessage): void
  /** The channel takes more again. */
  drained(): void
  /** Once; not for one's own close. */
  closed(reason: BoxError): void
}

export class Edge {
  readonly zone: ZoneKey
  readonly peer: PeerId
  private readonly channel: Channel
  private events: EdgeEvents | null = null
  private open = true
  private timer: Timer | null = null

  constructor({ zone, channel }: Link) {
    this.zone = zone
    this.peer = channel.peer
    this.channel = channel
  }

  /** Begins delivery; may be called again to give the edge to another part of the program. */
  attach(events: EdgeEvents): void {
    const isFirst = this.events === null
    this.events = events
    if (!isFirst) return
    this.channel.attach({
      message: raw => this.take(raw),
      drained: () => this.events!.drained(),
      closed: reason => this.end(reason),
    })
  }

  /** Takes one message. False: wait for `drained`. */
  send(body: Uint8Array): boolean {
    if (!this.open) return true
    const padding = new Uint8Array(cellPadding(body.length))
    return this.channel.send(PlaceCell.encode({ body, padding }))
  }

  close(): void {
    this.timer?.cancel()
    if (!this.open) return
    this.open = false
    this.channel.close()
  }

  /** Says a last word and closes; not at once, which would take the word back. The other side should. */
  dismiss(body: Uint8Array, clock: Clock): void {
    this.send(body)
    this.attach({ message: () => {}, drained: () => {}, closed: () => {} })
    this.timer ??= clock.after(LINGER_MS, () => this.close())
  }

  private take(raw: Uint8Array): void {
    if (!this.open) return
    try {
      const message = read(PlaceCell.decode(raw).body)
      if (message) this.events!.message(message)
    } catch (error) {
      if (!(error instanceof WireError) && !(error instanceof BoxError)) throw error
      this.channel.close()
      this.end(new BoxError('STATE_UNEXPECTED', undefined, error))
    }
  }

  private end(reason: BoxError): void {
    if (!this.open) return
    this.open = false
    this.timer?.cancel()
    this.events!.closed(reason)
  }
}
