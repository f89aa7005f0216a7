/**
 * Ports and channels of the daemon's CADET (cadet.h). One connection carries all of them: when it is lost,
 * the channels are lost with it, while ports are opened again and channels that were only being opened are
 * asked for again.
 *
 * The service answers no request: a channel that cannot be opened is silent for ever. Whoever asks has a
 * clock of his own.
 */

import { keyOf } from '../../base/bytes.ts'
import { BoxError } from '../../base/errors.ts'
import { type PeerId, type PortId, peerId, portId } from '../../base/ids.ts'
import { WireError } from '../../wire/layout.ts'
import type { Channel, Listening } from '../mesh.ts'
import { type ChannelCarrier, DaemonChannel } from './cadet-channel.ts'
import {
  ChannelAck,
  ChannelCreate,
  ChannelData,
  ChannelDestroy,
  PortClose,
  PortOpen,
} from './messages.ts'
import { Service, type ServicePorts } from './service.ts'

/** The numbers of channels that clients open have this bit (GNUNET_CADET_LOCAL_CHANNEL_ID_CLI). */
const OWN_NUMBERS = 0x8000_0000
const NUMBERS_END = 0x1_0000_0000
/** Channels at a time; each is state in the daemon as well. */
const CHANNELS_MAX = 4_096
const PORTS_MAX = 1_024

export interface CadetPorts extends ServicePorts {
  /** The socket of the service. */
  readonly path: string
  wayTo(peer: PeerId): readonly PeerId[] | null
  /** The connection stands, or no longer. */
  changed(): void
}

export interface OpenEvents {
  opened(channel: Channel): void
  failed(reason: BoxError): void
}

interface Port {
  readonly port: PortId
  readonly accept: (channel: Channel) => void
}

export class DaemonCadet {
  private readonly ports: CadetPorts
  private readonly service: Service
  private readonly listening = new Map<string, Port>()
  private readonly channels = new Map<number, DaemonChannel>()
  private readonly opening = new Map<DaemonChannel, OpenEvents>()
  private readonly full = new Set<DaemonChannel>()
  private next = OWN_NUMBERS
  private closed = false
  private readonly carrier: ChannelCarrier = {
    say: raw => void this.service.send(raw),
    wayTo: peer => this.ports.wayTo(peer),
    hold: (channel, isFull) => this.hold(channel, isFull),
    gone: channel => this.gone(channel),
    malformed: () => this.ports.counters.add('ipc.cadet.malformed_message'),
  }

  constructor(ports: CadetPorts) {
    this.ports = ports
    this.service = new Service('cadet', ports.path, ports, {
      up: () => this.up(),
      received: (type, raw) => this.received(type, raw),
      down: reason => this.down(reason),
    })
  }

  start(): void {
    this.service.open()
  }

  /** Why the service cannot be used now; null where it can. */
  get trouble(): BoxError | null {
    return this.service.trouble
  }

  get standing(): boolean {
    return this.service.standing
  }

  /** Every channel, open or being opened. */
  get inUse(): readonly DaemonChannel[] {
    return [...this.channels.values()]
  }

  /** Throws ADDRESS_IN_USE, LIMIT_EXCEEDED, ENGINE_CLOSED. */
  listen(port: PortId, accept: (channel: Channel) => void): Listening {
    const key = keyOf(port)
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    if (this.listening.has(key)) throw new BoxError('ADDRESS_IN_USE', 'Somebody listens already.')
    if (this.listening.size >= PORTS_MAX) throw new BoxError('LIMIT_EXCEEDED', 'Too many ports.')
    const entry = { port: portId(port.slice()), accept }
    this.listening.set(key, entry)
    this.service.send(PortOpen.encode({ port }))
    return {
      close: () => {
        if (this.listening.get(key) !== entry) return
        this.listening.delete(key)
        this.service.send(PortClose.encode({ port }))
      },
    }
  }

  isListening(port: PortId): boolean {
    return this.listening.has(keyOf(port))
  }

  /** A channel has come to a port by another way than the service. */
  accepted(port: PortId, channel: Channel): void {
    const listener = this.listening.get(keyOf(port))
    if (listener) listener.accept(channel)
    else channel.close()
  }

  /** Asks for a channel until it stands or is cancelled. */
  open(peer: PeerId, port: PortId, events: OpenEvents): { cancel(): void } {
    if (this.channels.size >= CHANNELS_MAX)
      throw new BoxError('LIMIT_EXCEEDED', 'There are too many channels.')
    const to = { peer: peerId(peer.slice()), port: portId(port.slice()), isOpen: false }
    const channel = new DaemonChannel(this.carrier, this.takeNumber(), to)
    this.channels.set(channel.number, channel)
    this.opening.set(channel, events)
    this.ask(channel)
    return {
      cancel: () => {
        if (channel.is === 'opening') channel.close()
      },
    }
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    const reason = new BoxError('ENGINE_CLOSED')
    const events = [...this.opening.values()]
    // The other sides hear of it before the connection ends: CADET tells them then, but only then.
    this.service.close()
    this.opening.clear()
    for (const { failed } of events) failed(reason)
    for (const channel of [...this.channels.values()]) channel.end(reason)
    this.channels.clear()
    this.listening.clear()
  }

  private up(): void {
    for (const { port } of this.listening.values()) this.service.send(PortOpen.encode({ port }))
    for (const channel of this.opening.keys()) this.ask(channel)
    this.ports.changed()
  }

  private down(reason: BoxError): void {
    for (const channel of [...this.channels.values()])
      if (!this.opening.has(channel))
        channel.end(new BoxError('CHANNEL_LOST', 'The GNUnet daemon is gone.', reason))
    this.ports.changed()
  }

  private ask({ number, peer, port }: DaemonChannel): void {
    this.service.send(ChannelCreate.encode({ channel: number, peer, port }))
  }

  private received(type: number, raw: Uint8Array): void {
    switch (type) {
      case ChannelData.type: {
        const { channel, payload } = ChannelData.decode(raw)
        this.channels.get(channel)?.received(payload)
        break
      }
      case ChannelAck.type:
        this.acknowledged(ChannelAck.decode(raw).channel)
        break
      case ChannelCreate.type:
        this.accept(raw)
        break
      case ChannelDestroy.type:
        this.destroyed(ChannelDestroy.decode(raw).channel)
        break
      default:
        this.ports.counters.add('ipc.cadet.unknown_type')
    }
  }

  private acknowledged(number: number): void {
    const channel = this.channels.get(number)
    if (!channel?.acknowledged()) return
    const events = this.opening.get(channel)
    this.opening.delete(channel)
    events?.opened(channel)
  }

  private accept(raw: Uint8Array): void {
    const { channel: number, peer, port } = ChannelCreate.decode(raw)
    if (number >= OWN_NUMBERS || this.channels.has(number))
      throw new WireError(ChannelCreate.name, 'channel', 4, `${number} is not free`)
    const listener = this.listening.get(keyOf(port))
    // It may have been closed while this was under way.
    if (!listener || this.channels.size >= CHANNELS_MAX) {
      this.service.send(ChannelDestroy.encode({ channel: number }))
      return
    }
    const from = { peer: peerId(peer.slice()), port: listener.port, isOpen: true }
    const channel = new DaemonChannel(this.carrier, number, from)
    this.channels.set(number, channel)
    listener.accept(channel)
  }

  private destroyed(number: number): void {
    const channel = this.channels.get(number)
    if (!channel) return
    const events = this.opening.get(channel)
    this.opening.delete(channel)
    channel.end(new BoxError('CHANNEL_CLOSED'))
    events?.failed(new BoxError('PEER_UNREACHABLE', 'The channel was refused.'))
  }

  private gone(channel: DaemonChannel): void {
    if (this.channels.get(channel.number) === channel) this.channels.delete(channel.number)
    this.opening.delete(channel)
    this.hold(channel, false)
  }

  /** As long as one channel is full, nothing is read: only channels to ourselves fill without asking. */
  private hold(channel: DaemonChannel, isFull: boolean): void {
    const before = this.full.size
    if (isFull) this.full.add(channel)
    else this.full.delete(channel)
    if (before === 0 && this.full.size > 0) this.service.pause()
    if (before > 0 && this.full.size === 0) this.service.resume()
  }

  private takeNumber(): number {
    for (;;) {
      const number = this.next
      this.next = number + 1 >= NUMBERS_END ? OWN_NUMBERS : number + 1
      if (!this.channels.has(number)) return number
    }
  }
}
