/**
 * What the daemon's CADET knows of peers, paths and tunnels, on a connection of its own: an answer that
 * does not come must not cost a channel. Requests are answered one after the other.
 */

import type { BoxError } from '../../base/errors.ts'
import { type PeerId, peerId } from '../../base/ids.ts'
import { type Message, WireError } from '../../wire/layout.ts'
import { Exchange } from './exchange.ts'
import {
  PathEnd,
  PathInfo,
  PathRequest,
  PeersEnd,
  PeersInfo,
  PeersRequest,
  TunnelsEnd,
  TunnelsInfo,
  TunnelsRequest,
} from './messages.ts'
import type { ServicePorts } from './service.ts'

const PID_SIZE = 32
/** Entries of one answer that are kept. */
const ENTRIES_MAX = 4_096

/** A peer that CADET has heard of. */
export interface KnownPeer {
  readonly peer: PeerId
  readonly paths: number
  readonly hasTunnel: boolean
}

export interface DaemonTunnel {
  readonly peer: PeerId
  readonly channels: number
  readonly connections: number
  /** Whether the key exchange is done (CADET_TUNNEL_KEY_OK). */
  readonly isKeyed: boolean
}

/** CADET_TUNNEL_KEY_OK of gnunet-service-cadet_tunnels.h. */
const KEY_OK = 5

export class CadetInfo {
  private readonly exchange: Exchange

  constructor(path: string, ports: ServicePorts) {
    this.exchange = new Exchange('cadet', path, ports)
  }

  start(): void {
    this.exchange.start()
  }

  /** Why CADET does not answer now; null where it does. */
  get trouble(): BoxError | null {
    return this.exchange.trouble
  }

  tunnels(answer: (tunnels: readonly DaemonTunnel[] | null) => void): void {
    this.ask(TunnelsRequest.encode({}), TunnelsInfo, TunnelsEnd, answer, value => ({
      peer: peerId(value.peer.slice()),
      channels: value.channels,
      connections: value.connections,
      isKeyed: value.encryption === KEY_OK,
    }))
  }

  peers(answer: (peers: readonly KnownPeer[] | null) => void): void {
    this.ask(PeersRequest.encode({}), PeersInfo, PeersEnd, answer, value => ({
      peer: peerId(value.peer.slice()),
      paths: value.paths,
      hasTunnel: value.hasTunnel !== 0,
    }))
  }

  /** The hops to a peer and itself, nearest first, for each path; the shortest path first. */
  paths(peer: PeerId, answer: (paths: readonly (readonly PeerId[])[] | null) => void): void {
    const shortestFirst = (paths: readonly (readonly PeerId[])[] | null) =>
      answer(paths?.toSorted((a, b) => a.length - b.length) ?? null)
    this.ask(
      PathRequest.encode({ peer }),
      PathInfo,
      PathEnd,
      shortestFirst,
      ({ offset, hops }): readonly PeerId[] => {
        const size = (offset + 1) * PID_SIZE
        if (size > hops.length)
          throw new WireError(PathInfo.name, 'offset', 4, `${offset} is beyond the path`)
        return Array.from({ length: offset + 1 }, (_, at) =>
          peerId(hops.slice(at * PID_SIZE, (at + 1) * PID_SIZE)),
        )
      },
    )
  }

  close(): void {
    this.exchange.close()
  }

  /** Gathers a list; null where no answer came. */
  private ask<T, R>(
    ask: Uint8Array,
    item: Message<T>,
    end: Message<Record<never, unknown>>,
    answer: (all: readonly R[] | null) => void,
    read: (value: T) => R,
  ): void {
    const all: R[] = []
    this.exchange.ask({
      ask,
      heard: (type, raw) => {
        if (type === item.type && all.length < ENTRIES_MAX) all.push(read(item.decode(raw)))
        if (type !== end.type) return false
        answer(all)
        return true
      },
      failed: () => answer(null),
    })
  }
}
