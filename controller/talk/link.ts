/**
 * A channel with one person, after both have proven themselves: letters both ways, each acknowledged when it is on the
 * disk. What was not acknowledged when the channel ends is sent by the next one, and taken once.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { CELL_SIZES } from '../../src/psyc/padding.ts'
import { decodeLetter, encodeLetter, type Letter } from '../../src/social/letter.ts'
import { TalkAck, TalkSay } from '../../src/social/messages.ts'
import { messageType } from '../../src/wire/dispatch.ts'
import { WireError } from '../../src/wire/layout.ts'

/** Letters under way: few, since each is written to a disk. */
const WINDOW = 8
/** Letters that came and are not on our disk yet; before that the other side is held back. */
const WAITING_MAX = 4 * WINDOW
/** A channel over which nothing goes is not kept for ever. */
const IDLE_MS = 10 * 60_000
const HEADER_SIZE = 4
const ACK_PADDING = CELL_SIZES[0] - HEADER_SIZE - 8

export interface LinkEvents {
  /** Takes a letter; it is acknowledged when this resolves. Fails where it cannot be taken now: the link ends. */
  take(letter: Letter): Promise<unknown>
  /** They have this one. */
  heard(number: number): void
  closed(): void
}

export class TalkLink {
  /** By which keys both know each other on it (tie.ts). */
  readonly name: string
  private readonly channel: Channel
  private readonly clock: Clock
  private readonly events: LinkEvents
  private readonly waiting: Letter[] = []
  private readonly underWay = new Set<number>()
  private isTaking = false
  isOpen = true
  private idle: Timer

  constructor(channel: Channel, clock: Clock, name: string, events: LinkEvents) {
    this.name = name
    this.channel = channel
    this.clock = clock
    this.events = events
    this.idle = this.idleTimer()
    channel.attach({
      message: raw => this.got(raw),
      drained: () => {},
      closed: () => this.ended(),
    })
  }

  /** Sends what is not under way, as far as the window goes. */
  send(letters: readonly Letter[]): void {
    if (!this.isOpen) return
    for (const letter of letters) {
      if (this.underWay.size >= WINDOW) return
      if (this.underWay.has(letter.number)) continue
      this.underWay.add(letter.number)
      this.channel.send(TalkSay.encode({ letter: encodeLetter(letter, HEADER_SIZE) }))
      this.stir()
    }
  }

  /** Says that we have it. */
  acknowledge(number: number): void {
    if (!this.isOpen) return
    const padding = new Uint8Array(ACK_PADDING)
    this.channel.send(TalkAck.encode({ number: BigInt(number), padding }))
  }

  close(): void {
    if (!this.isOpen) return
    this.channel.close()
    this.ended()
  }

  private got(raw: Uint8Array): void {
    this.stir()
    try {
      switch (messageType(raw)) {
        case TalkSay.type:
          this.said(decodeLetter(TalkSay.decode(raw).letter))
          return
        case TalkAck.type: {
          const number = Number(TalkAck.decode(raw).number)
          this.underWay.delete(number)
          this.events.heard(number)
          return
        }
        default:
        // A newer one may say more.
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.close()
    }
  }

  private said(letter: Letter): void {
    this.waiting.push(letter)
    if (this.waiting.length >= WINDOW) this.channel.pause()
    if (this.waiting.length > WAITING_MAX) {
      this.close()
      return
    }
    if (this.isTaking) return
    this.isTaking = true
    this.takeAll().catch(error => {
      this.close()
      if (!(error instanceof BoxError)) throw error
    })
  }

  private async takeAll(): Promise<void> {
    for (let letter = this.waiting[0]; letter && this.isOpen; letter = this.waiting[0]) {
      await this.events.take(letter)
      this.acknowledge(letter.number)
      this.waiting.shift()
      if (this.waiting.length < WINDOW) this.channel.resume()
    }
    this.isTaking = false
  }

  private ended(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.idle.cancel()
    this.waiting.length = 0
    this.events.closed()
  }

  private stir(): void {
    if (!this.isOpen) return
    this.idle.cancel()
    this.idle = this.idleTimer()
  }

  private idleTimer(): Timer {
    return this.clock.after(IDLE_MS, () => this.close())
  }
}
