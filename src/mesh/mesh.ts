/**
 * The mesh: reaching peers by their key, wherever they are. The only file of src/mesh that the layers
 * above may know; which engine stands behind it (our own peer, or an installed GNUnet) changes nothing.
 *
 * Promises of every engine, checked by test/compliance:
 * - A channel delivers whole messages, each once and in order, or it closes and says so.
 * - Nothing is delivered before `attach`; what arrives earlier waits, and holds the sender back.
 * - `send` returning false is back-pressure: the message was taken, wait for `drained` before the next.
 * - Closing a channel throws away what is under way in both directions (CADET has no flush). Whoever
 *   needs an orderly end uses asDuplex (duplex.ts), which brings its own.
 * - A message is a GNUnet message: u16 size, u16 type, body. Type 1 is refused: it crashes C programs.
 * - After `close()` every channel has ended, no timer runs, and every call fails with ENGINE_CLOSED.
 */

import { BoxError } from '../base/errors.ts'
import type { HashCode, PeerId, PortId } from '../base/ids.ts'

/** The largest message a channel takes, header included (GNUNET_CONSTANTS_MAX_CADET_MESSAGE_SIZE). */
export const MESSAGE_SIZE_MAX = 64_348
/** Type 1 makes C programs abort (GNUNET_MESSAGE_TYPE_TEST of old; nobody sends it). */
const TYPE_REFUSED = 1
const HEADER_SIZE = 4

/** Which peer is ours: one of our own, that of the GNUnet installed here, or that where one answers. */
export const MESH_CHOICES = ['embedded', 'gnunet', 'auto'] as const
export type MeshChoice = (typeof MESH_CHOICES)[number]

export interface Mesh {
  readonly self: PeerId
  readonly dht: Dht
  /** Accepts channels on `port` until closed. Throws ADDRESS_IN_USE where somebody listens already. */
  listen(port: PortId, accept: (channel: Channel) => void): Listening
  /**
   * Opens a channel; resolves when the other side has accepted it.
   * Fails with PEER_UNREACHABLE, PEER_TIMEOUT, ENGINE_CLOSED, or the reason of `signal`.
   */
  connect(peer: PeerId, port: PortId, options?: ConnectOptions): Promise<Channel>
  /** Learns from its HELLO URL where a peer can be dialled, and keeps a link to it from now on. Throws INPUT_INVALID. */
  introduce(hello: string): PeerId
  /** Our own HELLO URL, with the addresses at which we can be dialled (perhaps none). */
  hello(): string
  /** Told of each neighbour that comes and goes, beginning with those that are there. */
  watch(events: NeighbourWatch): Listening
  status(): MeshStatus
  /** What neighbours tell each other of revoked zones; absent where the peer is another program's. */
  readonly gossip?: RevocationGossip
  close(): Promise<void>
}

/** Messages REVOCATION_REVOKE, whole and unchecked, between neighbours (gnunet-service-revocation.c). */
export interface RevocationGossip {
  /** To all neighbours that understand it and have not said it themselves. */
  spread(message: Uint8Array): void
  /**
   * Asks a daemon that looks after them itself whether the zone is revoked; nothing is told where it does not
   * answer. Absent where what neighbours say comes here.
   */
  query?(zone: Uint8Array, told: (isRevoked: boolean) => void): void
  /** There is one listener at a time. */
  listen(events: GossipEvents): Listening
}

export interface GossipEvents {
  /** `from` is the same for all that one neighbour says. The bytes may be a view: copy what you keep. */
  heard(message: Uint8Array, from: string): void
  /** What a new neighbour is told. */
  known(): readonly Uint8Array[]
}

export interface ConnectOptions {
  /**
   * Ways to the peer that the caller knows: each lists the hops between us and it, nearest first
   * (empty: it is a neighbour). The engine tries them beside those it finds itself.
   */
  readonly via?: readonly (readonly PeerId[])[]
  readonly signal?: AbortSignal
}

export interface Listening {
  close(): void
}

export interface NeighbourWatch {
  up(peer: PeerId): void
  down(peer: PeerId): void
}

export interface Channel {
  readonly peer: PeerId
  /** The way messages take now, both ends included; [self, peer] or longer. Null where none stands at the moment. */
  path(): readonly PeerId[] | null
  /** Begins delivery. Once; before it, nothing is delivered. */
  attach(events: ChannelEvents): void
  /** Takes one message, at most MESSAGE_SIZE_MAX bytes, which must not change afterwards. False: wait for `drained`; what is sent all the same and hears true takes that back. Ignored once closed. */
  send(message: Uint8Array): boolean
  /** Holds the sender back, and lets it go on. */
  pause(): void
  resume(): void
  /** Whether somebody waits for the small things among what is sent: then little may stand before them on the way, and `send` says earlier to wait. */
  hurry?(isOn: boolean): void
  /** Ends the channel at once, in both directions. `closed` is not called for one's own close. */
  close(): void
}

export interface ChannelEvents {
  message(message: Uint8Array): void
  drained(): void
  /** The other side closed it (CHANNEL_CLOSED), or it was lost (CHANNEL_LOST, ENGINE_CLOSED). Once; the last call. */
  closed(reason: BoxError): void
}

/** What an engine can do with the distributed hash table. */
export interface Dht {
  put(block: DhtBlock): void
  /**
   * Asks, and asks again with backoff, until cancelled. The same block is reported once; where routes
   * are recorded, once for each route.
   */
  get(query: DhtQuery, found: (result: DhtResult) => void): Listening
}

export interface DhtBlock {
  readonly type: number
  readonly key: HashCode
  readonly data: Uint8Array
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  /** How many copies are wished for, 1 to 16. */
  readonly replication: number
  /** Bits of DHT_OPTION. */
  readonly options: number
}

export interface DhtQuery {
  readonly type: number
  readonly key: HashCode
  readonly replication: number
  readonly options: number
}

export interface DhtResult extends DhtBlock {
  /** From whoever put the block to whoever stored it, then from there to us; empty where no route was recorded. */
  readonly putPath: readonly PeerId[]
  readonly getPath: readonly PeerId[]
}

/** gnunet_dht_service.h: enum GNUNET_DHT_RouteOption. */
export const DHT_OPTION = { everywhere: 1, recordRoute: 2, approximate: 4, truncated: 8 } as const

export interface MeshStatus {
  readonly engine: 'embedded' | 'gnunet'
  readonly neighbours: readonly NeighbourStatus[]
  readonly tunnels: readonly TunnelStatus[]
  /** Counted events by name, since start: dropped messages by reason, relayed bytes, and so on. */
  readonly counters: Readonly<Record<string, number>>
  /** What stands behind the engine, for people: releases, wire class, configuration. Absent: this program. */
  readonly about?: string
  /** What is wrong with what stands behind the engine. Absent: nothing. */
  readonly troubles?: readonly Trouble[]
}

/** Something that people must repair, or wait for. */
export interface Trouble {
  /** `service`: a part of the daemon does not answer. The others are known faults of GNUnet (ipc/faults.ts). */
  readonly kind: 'service' | 'stale-tunnel' | 'lost-path' | 'identity-changed'
  readonly peer: PeerId | null
  readonly detail: string
  /** What to type, or to do. */
  readonly cure: string
}

export interface NeighbourStatus {
  readonly peer: PeerId
  /** As people write it, `192.0.2.1:2086`; empty where unknown. */
  readonly address: string
  readonly state: 'connecting' | 'up'
}

export interface TunnelStatus {
  readonly peer: PeerId
  readonly state: 'searching' | 'connecting' | 'keying' | 'up'
  readonly channels: number
  readonly paths: readonly (readonly PeerId[])[]
}

/** Whether these bytes have a header with their true size. */
export const isMessage = (bytes: Uint8Array): boolean =>
  bytes.length >= HEADER_SIZE && ((bytes[0]! << 8) | bytes[1]!) === bytes.length

/** Throws INPUT_INVALID where a channel must not carry this. */
export function checkMessage(message: Uint8Array): void {
  if (!isMessage(message) || message.length > MESSAGE_SIZE_MAX)
    throw new BoxError('INPUT_INVALID', 'A channel carries GNUnet messages with their true size.')
  if (((message[2]! << 8) | message[3]!) === TYPE_REFUSED)
    throw new BoxError('INPUT_INVALID', 'Messages of type 1 make C programs abort.')
}
