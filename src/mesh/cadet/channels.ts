/** The channels of one tunnel, by number; reads what arrives for them. */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { type HashCode, hashCode, type PeerId, type PortId } from '../../base/ids.ts'
import { sha512 } from '../../crypto/hash.ts'
import type { Channel } from '../mesh.ts'
import { CadetChannel, type Carrier, type OpenEvents } from './channel.ts'
import {
  ChannelData,
  ChannelDataAck,
  ChannelDestroy,
  ChannelKeepalive,
  ChannelOpen,
  ChannelOpenAck,
} from './messages.ts'
import type { TunnelMeans } from './tunnel.ts'

/** The side with the larger pid sets this bit in its numbers (HIGH_BIT of _tunnels.c). */
const HIGH_BIT = 0x0800_0000
/** A channel nobody listens for is kept so long (TIMEOUT_CLOSED_PORT). */
const LOOSE_MS = 30_000

/** Ours: what we open is given up after so long. */
const OPENING_MS = 30_000
/** Ours: channels of one tunnel; each may hold messages for its client. */
const CHANNELS_MAX = 4_096
const LOOSE_MAX = 64

const HEADER_SIZE = 4

/** Who listens, by the key of the hashed port. */
export type Ports = ReadonlyMap<string, Port>

export interface Port {
  readonly port: PortId
  accept(channel: Channel): void
}

/** The port as it travels: only who knows it recognises it. */
export const hashPort = (port: PortId, listener: PeerId): HashCode =>
  hashCode(sha512(port, listener))

/** What the channels of a tunnel need of it. */
export interface ChannelsCarrier extends Carrier {
  /** There is a channel more: connections are wanted. */
  started(): void
  /** Tells the peer that it speaks of a channel that is not there. */
  unknown(number: number): void
}

export class Channels {
  private readonly means: TunnelMeans
  private readonly carrier: ChannelsCarrier
  private readonly ownBit: number
  private readonly byNumber = new Map<number, CadetChannel>()
  private next: number

  constructor(
    means: TunnelMeans,
    carrier: ChannelsCarrier,
    { numbersHigh }: { readonly numbersHigh: boolean },
  ) {
    this.means = means
    this.carrier = carrier
    this.ownBit = numbersHigh ? HIGH_BIT : 0
    // C counts from 0. Beginning anywhere keeps us from meeting a number of our life before a restart.
    this.next = means.random.below(HIGH_BIT)
  }

  get size(): number {
    return this.byNumber.size
  }

  all(): Iterable<CadetChannel> {
    return this.byNumber.values()
  }

  /** Those that both sides have agreed on. */
  open(): CadetChannel[] {
    return [...this.byNumber.values()].filter(({ is }) => is === 'open')
  }

  /** A new channel of ours. */
  create(port: PortId, events: OpenEvents): CadetChannel {
    while (this.byNumber.has(this.next | this.ownBit)) this.next = (this.next + 1) % HIGH_BIT
    const number = this.next | this.ownBit
    this.next = (this.next + 1) % HIGH_BIT
    const channel = this.add(number, hashPort(port, this.carrier.peer), 0)
    channel.open(port, events)
    return channel
  }

  remove(channel: CadetChannel): void {
    if (this.byNumber.get(channel.number) === channel) this.byNumber.delete(channel.number)
  }

  waitingFor(hashedPort: HashCode): CadetChannel[] {
    return [...this.byNumber.values()].filter(
      channel => channel.is === 'loose' && equalBytes(channel.hashedPort, hashedPort),
    )
  }

  endAll(code: ErrorCode): void {
    for (const channel of [...this.byNumber.values()]) channel.end(code, { tell: true })
  }

  /** Gives up what has waited too long. */
  review({ reached }: { readonly reached: boolean }): void {
    const now = this.means.clock.elapsed()
    for (const channel of [...this.byNumber.values()]) {
      const age = now - channel.startedAt
      if (channel.is === 'loose' && age >= LOOSE_MS) channel.end('CHANNEL_LOST', { tell: true })
      if (channel.is === 'opening' && age >= OPENING_MS)
        channel.end(reached ? 'PEER_TIMEOUT' : 'PEER_UNREACHABLE', { tell: true })
    }
  }

  /**
   * Reads the messages of one decrypted body. Returns false where it is not made of messages: the keys
   * have gone apart. Throws WireError where a message does not fit its layout.
   */
  receive(plain: Uint8Array, generation: number): boolean {
    for (let at = 0; at < plain.length; ) {
      if (plain.length - at < HEADER_SIZE) return false
      const size = (plain[at]! << 8) | plain[at + 1]!
      const type = (plain[at + 2]! << 8) | plain[at + 3]!
      if (size < HEADER_SIZE || size > plain.length - at) return false
      this.dispatch(type, plain.subarray(at, at + size), generation)
      at += size
    }
    return true
  }

  private dispatch(type: number, raw: Uint8Array, generation: number): void {
    switch (type) {
      case ChannelData.type: {
        const { channel, sequence, payload } = ChannelData.decode(raw)
        this.find(channel)?.receivedData(sequence, payload)
        break
      }
      case ChannelDataAck.type: {
        const received = ChannelDataAck.decode(raw)
        this.find(received.channel)?.receivedDataAck(received)
        break
      }
      case ChannelOpen.type:
        this.receivedOpen(ChannelOpen.decode(raw), generation)
        break
      case ChannelOpenAck.type: {
        const { channel, port, window } = ChannelOpenAck.decode(raw)
        this.find(channel)?.receivedOpenAck(port, window)
        break
      }
      case ChannelDestroy.type:
        this.receivedDestroy(ChannelDestroy.decode(raw).channel)
    }
  }

  private receivedDestroy(number: number): void {
    const channel = this.byNumber.get(number)
    if (channel?.is === 'opening')
      channel.end('PEER_UNREACHABLE', { tell: false, detail: 'Nobody listens on the port.' })
    else channel?.end('CHANNEL_CLOSED', { tell: false })
  }

  private find(number: number): CadetChannel | null {
    const channel = this.byNumber.get(number)
    if (!channel) this.carrier.unknown(number)
    return channel ?? null
  }

  private receivedOpen(open: ReturnType<typeof ChannelOpen.decode>, generation: number): void {
    const known = this.byNumber.get(open.channel)
    const theirs = (open.channel & HIGH_BIT) !== this.ownBit
    if (known) {
      const reborn =
        theirs &&
        ((known.used && known.generation !== generation) ||
          !equalBytes(known.hashedPort, open.port))
      if (!reborn) {
        if (known.is === 'loose') this.carrier.say(ChannelKeepalive.encode({}))
        else known.accepted()
        return
      }
      known.end('CHANNEL_LOST', { tell: false, detail: 'The peer has restarted.' })
    }
    const loose = [...this.byNumber.values()].filter(({ is }) => is === 'loose').length
    if (!theirs || this.byNumber.size >= CHANNELS_MAX || loose >= LOOSE_MAX) {
      this.carrier.unknown(open.channel)
      return
    }
    const channel = this.add(open.channel, hashCode(open.port.slice()), open.options)
    channel.generation = generation
    const listener = this.means.ports.get(keyOf(channel.hashedPort))
    if (!listener) {
      // Says at least that we are here, so that nobody looks for another way to us.
      this.carrier.say(ChannelKeepalive.encode({}))
      return
    }
    channel.bind(listener.port)
    listener.accept(channel)
  }

  private add(number: number, hashedPort: HashCode, options: number): CadetChannel {
    const { clock, budget } = this.means
    const channel = new CadetChannel({
      clock,
      carrier: this.carrier,
      budget,
      number,
      hashedPort,
      options,
    })
    this.byNumber.set(number, channel)
    this.carrier.started()
    return channel
  }
}
