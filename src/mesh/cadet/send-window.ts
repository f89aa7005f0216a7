/**
 * Keeps the messages of a channel until the peer has them: what may be sent now, what must be repeated,
 * and when (gnunet-service-cadet_channel.c: GCCH_handle_channel_plaintext_data_ack, retry_transmission).
 * Losses are found by the gaps in acknowledgements, the last ones by time; after a loss less is under way
 * at once, since a hub on the way may be overloaded.
 */

import type { Connection } from './connection.ts'
import { FlightLimit } from './flight-limit.ts'
import type { Received } from './receive-window.ts'
import { ACKNOWLEDGED_WITHIN_MS, WINDOW_BYTES, WINDOW_GNUNET } from './window-size.ts'

/** Ours: what is no larger does not wait for room on the way, where somebody waits for what is small. */
const SMALL_MAX = 1_024
/** Ours: a gap is a loss once so many later messages have arrived (as TCP, RFC 5681 section 3.2). */
const OVERTAKEN_MAX = 3

const HALF_CYCLE = 0x8000_0000

interface Outgoing {
  readonly sequence: number
  /** Null once the peer has it, though its client has not taken it. */
  payload: Uint8Array | null
  readonly size: number
  times: number
  sentAt: number
  /** Taken for lost: to be sent again. */
  lost: boolean
  via: Connection | null
}

export class SendWindow {
  /** How many messages ahead the peer keeps. */
  private window = WINDOW_GNUNET
  private readonly messages: Outgoing[] = []
  /** How many of `messages` have been sent. */
  private sent = 0
  private sentBytes = 0
  private unsentBytes = 0
  /** How many the peer does not have, as far as we know. */
  private missing = 0
  private missingBytes = 0
  private readonly flight = new FlightLimit()
  /** The same for all the way to the peer's client, which may take less than arrives. */
  private readonly appetite = new FlightLimit()
  private allowance = Number.POSITIVE_INFINITY
  private next = 1
  private newsAt = 0
  /** How often in a row nothing came in time. */
  private silences = 0

  /** The number of the first message the peer's client has not taken. */
  get base(): number {
    return this.messages[0]?.sequence ?? this.next
  }

  get unsent(): number {
    return this.messages.length - this.sent
  }

  get waitingBytes(): number {
    return this.unsentBytes
  }

  /** Whether the peer has told that its client took all. */
  get settled(): boolean {
    return this.messages.length === 0
  }

  /** Whether something could be sent if only the peer's client took what it has. */
  get blocked(): boolean {
    return this.unsent > 0 && this.missing === 0
  }

  /** Whether to wait with more: something waits already, or enough is under way before what is small and waited for. */
  mustWait(): boolean {
    if (this.unsent > 0) return true
    if (!this.flight.isHurried || this.missingBytes < this.flight.current) return false
    // Whoever is told to wait has more: else nothing would be learned of a way that becomes slower.
    this.flight.reached()
    return true
  }

  /** Whether the peer is one of ours, which acknowledges late and waits for late acknowledgements. */
  get isPatient(): boolean {
    return this.window > WINDOW_GNUNET
  }

  /** The peer has said how many messages ahead it keeps. */
  widen(window: number): void {
    this.window = Math.max(this.window, window)
  }

  /** See `hurry` of a channel. */
  hurry(isOn: boolean): void {
    this.flight.hurry(isOn)
    this.appetite.hurry(isOn)
  }

  /** Takes a message, which gets the next number. */
  push(payload: Uint8Array): void {
    const size = payload.length
    const sequence = this.next
    this.messages.push({ sequence, payload, size, times: 0, sentAt: 0, lost: false, via: null })
    this.next = (this.next + 1) >>> 0
    this.unsentBytes += size
  }

  /** What to send now, or null: first what was lost, then what is new and has room. */
  ready(): Outgoing | null {
    for (let i = 0; i < this.sent; i++) {
      const message = this.messages[i]!
      if (message.lost && message.payload) return message
    }
    const fresh = this.messages[this.sent]
    return fresh && this.hasRoom(fresh) ? fresh : null
  }

  /** `message`, which `ready` gave, has gone out. */
  transmitted(message: Outgoing, via: Connection, now: number): void {
    if (message.times === 0) {
      if (this.missing === 0) this.newsAt = now
      this.sent++
      this.sentBytes += message.size
      this.unsentBytes -= message.size
      this.missing++
      this.missingBytes += message.size
    }
    message.via = via
    message.sentAt = now
    message.lost = false
    message.times++
  }

  /** Notes what the peer has. Returns whether that was news. */
  acknowledged({ expected, futuresHigh, futuresLow }: Received, now: number): boolean {
    const advance = (expected - this.base) >>> 0
    if (advance >= HALF_CYCLE || advance > this.sent) return false // Overtaken, or nonsense.
    let news = advance > 0
    for (let i = 0; i < advance; i++) {
      const message = this.messages[i]!
      this.arrived(message, now)
      this.taken(message, now)
    }
    this.messages.splice(0, advance)
    this.sent -= advance
    for (let i = 0; i < this.sent; i++) {
      const bit = i === 0 ? 63 : i - 1
      const set = bit < 32 ? futuresLow & (1 << bit) : futuresHigh & (1 << (bit - 32))
      if (set !== 0 && this.messages[i]!.payload) {
        this.arrived(this.messages[i]!, now)
        news = true
      }
    }
    if (news) {
      this.newsAt = now
      this.silences = 0
      this.findLost()
    }
    return news
  }

  /** What is under way over `via` (or at all) is to be sent again at once. */
  lost(via: Connection | null): void {
    for (let i = 0; i < this.sent; i++) {
      const message = this.messages[i]!
      if (message.payload && (!via || message.via === via)) message.lost = true
    }
  }

  /** When to give up waiting for news; Infinity where nothing is missing. */
  silentAt(): number {
    const oldest = this.oldest()
    if (!oldest?.via) return Number.POSITIVE_INFINITY
    const late = this.isPatient ? ACKNOWLEDGED_WITHIN_MS : 0
    return Math.max(this.newsAt, oldest.sentAt) + oldest.via.roundTrip.timeoutMs() + late
  }

  /**
   * Nothing came in time: the first messages under way are taken for lost, and few are sent at once until
   * something comes. Returns how the first of them went, and how often nothing came.
   */
  silence(now: number): { readonly via: Connection; readonly times: number } | null {
    const oldest = this.oldest()
    if (!oldest?.via) return null
    this.silences++
    oldest.via.roundTrip.silent(now)
    this.allowance = WINDOW_GNUNET
    for (let i = 0, count = 0; i < this.sent && count < WINDOW_GNUNET; i++) {
      const message = this.messages[i]!
      if (!message.payload) continue
      message.lost = true
      count++
    }
    return { via: oldest.via, times: this.silences }
  }

  /** The first message under way that the peer does not have. */
  private oldest(): Outgoing | null {
    for (let i = 0; i < this.sent; i++) {
      const message = this.messages[i]!
      if (message.payload && !message.lost) return message
    }
    return null
  }

  private hasRoom(fresh: Outgoing): boolean {
    if (this.sent === 0) return true
    if (this.sent >= this.window || this.missing >= this.allowance) return false
    if (this.sentBytes + fresh.size > WINDOW_BYTES) return false
    // The first that is not taken has arrived: it waits for the client, and all others behind it.
    if (this.messages[0]!.payload === null && this.sentBytes >= this.appetite.current) {
      this.appetite.reached()
      return false
    }
    if (this.flight.isHurried && fresh.size <= SMALL_MAX) return true
    // To the nearest message.
    if (this.missingBytes + fresh.size / 2 < this.flight.current) return true
    this.flight.reached()
    return false
  }

  private arrived(message: Outgoing, now: number): void {
    if (!message.payload) return
    message.payload = null
    this.missing--
    this.missingBytes -= message.size
    this.allowance++
    if (!message.via) return
    const { roundTrip } = message.via
    const tripMs = now - message.sentAt
    if (message.times === 1) {
      roundTrip.observe(tripMs, now)
      message.via.confirm()
    }
    if (roundTrip.leastMs < Number.POSITIVE_INFINITY)
      this.flight.arrived(message.size, tripMs, roundTrip.leastMs, now)
  }

  private taken({ size, sentAt, via }: Outgoing, now: number): void {
    this.sentBytes -= size
    const leastMs = via?.roundTrip.leastMs ?? Number.POSITIVE_INFINITY
    if (leastMs < Number.POSITIVE_INFINITY) this.appetite.arrived(size, now - sentAt, leastMs, now)
  }

  /** A message is lost where enough that went out after it, the same way, have arrived. */
  private findLost(): void {
    for (let i = 0; i < this.sent; i++) {
      const message = this.messages[i]!
      if (!message.payload || message.lost) continue
      let overtaken = 0
      for (let k = i + 1; k < this.sent && overtaken < OVERTAKEN_MAX; k++) {
        const later = this.messages[k]!
        if (!later.payload && later.via === message.via && later.sentAt >= message.sentAt)
          overtaken++
      }
      if (overtaken < OVERTAKEN_MAX) return
      message.lost = true
      this.allowance = Math.max(WINDOW_GNUNET, Math.min(this.allowance, this.missing) / 2)
    }
  }
}
