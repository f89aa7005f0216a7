/**
 * What leaves a tunnel, and in which order. Each encrypted message costs some fifteen HMACs, so what is small waits
 * for the end of the turn and travels together, where nobody else carries it, and acknowledgements travel with data where there is any, or will be
 * soon. Channels that have more than the way out can take stand in line.
 */

import { put, sizeOf } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { CadetChannel } from './channel.ts'
import type { Connection } from './connection.ts'
import {
  ChannelDestroy,
  ChannelKeepalive,
  TUNNEL_BODY_AT,
  TUNNEL_HEADER_AT,
  TUNNEL_HEADER_SIZE,
  TUNNEL_MAC_AT,
  TUNNEL_MAC_SIZE,
  TunnelEncrypted,
} from './messages.ts'
import type { Claimant } from './outlet.ts'
import type { Sealed } from './tunnel-keys.ts'
import { ACKNOWLEDGED_WITHIN_MS } from './window-size.ts'

/** What CORE takes in one message (GNUNET_CONSTANTS_MAX_ENCRYPTED_MESSAGE_SIZE), less our envelope. */
const BODY_MAX = 63 * 1_024 - 112
const ACKNOWLEDGEMENT_SIZE = 20

/**
 * Ours: with so much together a message goes at once: another hash for each of so many bytes costs little, and the
 * hops on the way give turns by messages.
 */
const TOGETHER_BYTES = 16 * 1_024

/** Ours: ends of channels to be told once there is a way; a peer we cannot tell finds out by asking. */
const FAREWELLS_MAX = 1_024

const UNSEALED: Sealed = {
  mac: new Uint8Array(TUNNEL_MAC_SIZE),
  header: new Uint8Array(TUNNEL_HEADER_SIZE),
  body: new Uint8Array(0),
}

/** What departures need of their tunnel. */
export interface Exit {
  readonly clock: Clock
  best(): Connection | null
  /** Whether there are keys to send with. */
  usable(): boolean
  /** Encrypts the body of a message where it lies; null where there are no keys. */
  seal(body: Uint8Array): Sealed | null
  /** Nobody waits: time to compute ahead. */
  rest(): void
}

export class Departures implements Claimant {
  private readonly exit: Exit
  private readonly waiting = new Set<CadetChannel>()
  private readonly acknowledging = new Set<CadetChannel>()
  /** Those that need no acknowledgement of their own yet. */
  private readonly later = new Set<CadetChannel>()
  private readonly farewells = new Set<number>()
  /** What travels together at the end of this turn, and over which connection. */
  private together: Uint8Array[] = []
  private togetherBytes = 0
  private via: Connection | null = null
  private turn: Timer | null = null
  private idle: Timer | null = null
  private late: Timer | null = null

  constructor(exit: Exit) {
    this.exit = exit
  }

  canSend(): boolean {
    if (!this.exit.usable()) return false
    const best = this.exit.best()
    return best !== null && !best.outlet.busy
  }

  /** Sends data, with the acknowledgements that fit beside it. Only where `canSend`. */
  sendData(...wire: readonly Uint8Array[]): Connection {
    const best = this.exit.best()!
    this.add(best, wire)
    return best
  }

  /** Sends a small message in this turn, busy or not; false where there is no way or no key. */
  say(wire: Uint8Array): boolean {
    const best = this.exit.best()
    if (!best || !this.exit.usable()) return false
    this.add(best, [wire])
    return true
  }

  /** Tells the peer that there is no channel of this number, now or when there is a way. */
  farewell(number: number): void {
    if (this.say(ChannelDestroy.encode({ channel: number }))) return
    if (this.farewells.size < FAREWELLS_MAX) this.farewells.add(number)
  }

  /** Lets `channel` send when there is room. */
  wait(channel: CadetChannel): void {
    this.waiting.add(channel)
    this.exit.best()?.outlet.claim(this)
  }

  acknowledge(channel: CadetChannel, when: 'now' | 'soon'): void {
    if (when === 'now') {
      this.acknowledging.add(channel)
      this.endTurn()
      return
    }
    this.later.add(channel)
    this.late ??= this.exit.clock.after(ACKNOWLEDGED_WITHIN_MS, () => {
      this.late = null
      for (const one of this.later) this.acknowledge(one, 'now')
    })
  }

  forget(channel: CadetChannel): void {
    this.waiting.delete(channel)
    this.forgetDue(channel)
  }

  serve(): boolean {
    for (const channel of this.waiting) {
      this.waiting.delete(channel)
      if (channel.serve()) this.waiting.add(channel)
      break
    }
    return this.waiting.size > 0
  }

  /** There is a way again, or another one. */
  resume(): void {
    for (const number of this.farewells) {
      if (!this.say(ChannelDestroy.encode({ channel: number }))) return
      this.farewells.delete(number)
    }
    this.flush()
    while (this.waiting.size > 0 && this.canSend()) this.serve()
    if (this.waiting.size > 0) this.exit.best()?.outlet.claim(this)
  }

  /** Keeps the hops of an idle connection from forgetting it, and both sides from forgetting different channels. */
  keepAlive(connection: Connection, channels: Iterable<CadetChannel>): void {
    if (!this.exit.usable()) return
    const parts = [ChannelKeepalive.encode({})]
    let room = BODY_MAX - parts[0]!.length
    for (const channel of channels) {
      if (room < ACKNOWLEDGEMENT_SIZE) break
      parts.push(channel.acknowledgement())
      room -= ACKNOWLEDGEMENT_SIZE
    }
    this.send(connection, parts)
  }

  /** Sends what was said last, and nothing more. */
  close(): void {
    this.leave()
    this.turn?.cancel()
    this.idle?.cancel()
    this.late?.cancel()
    this.turn = null
    this.idle = null
    this.late = null
    this.waiting.clear()
    this.acknowledging.clear()
    this.later.clear()
    this.farewells.clear()
  }

  /** At the end of the turn sends what found no data to travel with; rests in the next, when CORE has sent it too. */
  endTurn(): void {
    const { clock } = this.exit
    this.turn ??= clock.after(0, () => {
      this.turn = null
      this.flush()
      this.idle ??= clock.after(0, () => {
        this.idle = null
        this.exit.rest()
      })
    })
  }

  private flush(): void {
    this.leave()
    const best = this.exit.best()
    if (!best || !this.exit.usable()) return
    while (this.acknowledging.size > 0) this.send(best, this.takeAcknowledgements(BODY_MAX))
  }

  private add(via: Connection, wire: readonly Uint8Array[]): void {
    const size = sizeOf(wire)
    if (this.via && (this.via !== via || this.togetherBytes + size > BODY_MAX)) this.leave()
    if (!this.via) via.outlet.atTurnsEnd(() => this.leave())
    this.via = via
    this.together.push(...wire)
    this.togetherBytes += size
    // A hub is to see each message alone: channels that are padded to few sizes promise that (src/psyc/padding.ts).
    if (this.togetherBytes >= TOGETHER_BYTES || via.hops.length > 0) this.leave()
    this.endTurn()
  }

  /** Sends what has come together. Without keys it is lost, as on the way: what matters is said again. */
  private leave(): void {
    const { via, together, togetherBytes } = this
    if (!via) return
    this.via = null
    this.together = []
    this.togetherBytes = 0
    const way = via.state === 'closed' ? this.exit.best() : via
    if (!way || !this.exit.usable()) return
    this.send(way, [...this.takeAcknowledgements(BODY_MAX - togetherBytes), ...together])
  }

  private takeAcknowledgements(room: number): Uint8Array[] {
    const parts: Uint8Array[] = []
    for (const due of [this.acknowledging, this.later])
      for (const channel of due) {
        if ((parts.length + 1) * ACKNOWLEDGEMENT_SIZE > room) return parts
        this.forgetDue(channel)
        parts.push(channel.acknowledgement())
      }
    return parts
  }

  private forgetDue(channel: CadetChannel): void {
    this.acknowledging.delete(channel)
    this.later.delete(channel)
  }

  /** One message with all parts, which is put together and encrypted in one place. */
  private send(connection: Connection, parts: readonly Uint8Array[]): void {
    const message = TunnelEncrypted.encodeWithRoom(
      { connection: connection.id, ...UNSEALED },
      sizeOf(parts),
    )
    put(message, TUNNEL_BODY_AT, parts)
    const sealed = this.exit.seal(message.subarray(TUNNEL_BODY_AT))
    if (!sealed) return
    message.set(sealed.mac, TUNNEL_MAC_AT)
    message.set(sealed.header, TUNNEL_HEADER_AT)
    connection.send(message)
  }
}
