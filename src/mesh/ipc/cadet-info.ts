/**
 * What the daemon's CADET knows of peers, paths and tunnels, on a connection of its own: an answer that
 * does not come must not cost a channel. Requests are answered one after the other.
 */

import type { Timer } from '../../base/clock.ts'
import { BoxError } from '../../base/errors.ts'
import { type PeerId, peerId } from '../../base/ids.ts'
import { type Message, WireError } from '../../wire/layout.ts'
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
import { Service, type ServicePorts } from './service.ts'

const PID_SIZE = 32
/** A local service that has not answered by then, is stuck. */
const ANSWER_MS = 5_000
/** Questions that wait; with more, the oldest gets no answer. */
const WAITING_MAX = 64
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

interface Question {
  readonly ask: Uint8Array
  readonly itemType: number
  readonly endType: number
  readonly items: Uint8Array[]
  /** Null where no answer came. */
  done(items: readonly Uint8Array[] | null): void
}

export class CadetInfo {
  private readonly ports: ServicePorts
  private readonly service: Service
  private readonly waiting: Question[] = []
  private current: Question | null = null
  private deadline: Timer | null = null

  constructor(path: string, ports: ServicePorts) {
    this.ports = ports
    this.service = new Service('cadet', path, ports, {
      up: () => this.next(),
      received: (type, raw) => this.received(type, raw),
      down: () => this.down(),
    })
  }

  start(): void {
    this.service.open()
  }

  get trouble(): BoxError | null {
    return this.service.trouble
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
    this.deadline?.cancel()
    this.service.close()
    for (const { done } of [...(this.current ? [this.current] : []), ...this.waiting.splice(0)])
      done(null)
    this.current = null
  }

  private ask<T, R>(
    ask: Uint8Array,
    item: Message<T>,
    end: Message<Record<never, unknown>>,
    answer: (all: readonly R[] | null) => void,
    read: (value: T) => R,
  ): void {
    if (this.waiting.length >= WAITING_MAX) this.waiting.shift()!.done(null)
    const done = (items: readonly Uint8Array[] | null) =>
      answer(items?.map(raw => read(item.decode(raw))) ?? null)
    this.waiting.push({ ask, itemType: item.type, endType: end.type, items: [], done })
    if (!this.current) this.next()
  }

  private next(): void {
    if (this.current || !this.service.standing) return
    this.current = this.waiting.shift() ?? null
    if (!this.current) return
    this.service.send(this.current.ask)
    this.deadline = this.ports.clock.after(ANSWER_MS, () =>
      this.service.renew(new BoxError('GNUNET_SILENT', 'cadet does not answer.')),
    )
  }

  private received(type: number, raw: Uint8Array): void {
    const { current } = this
    if (current && type === current.itemType && current.items.length < ENTRIES_MAX) {
      current.items.push(raw.slice())
      return
    }
    if (!current || type !== current.endType) return
    this.deadline?.cancel()
    this.current = null
    try {
      current.done(current.items)
    } catch (error) {
      current.done(null)
      throw error
    }
    this.next()
  }

  private down(): void {
    this.deadline?.cancel()
    const { current } = this
    this.current = null
    current?.done(null)
  }
}
