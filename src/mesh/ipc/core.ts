/** Who the daemon's peer is, and which neighbours it has: CORE's first answer and its monitor (core.h). */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import type { BoxError } from '../../base/errors.ts'
import { type PeerId, peerId } from '../../base/ids.ts'
import type { Dialect } from './dialect.ts'
import { CoreInit, CoreInitReply, CoreMonitorNotify, CoreMonitorPeers } from './messages.ts'
import { Service, type ServicePorts } from './service.ts'

/** A daemon with more neighbours would be no daemon. */
const NEIGHBOURS_MAX = 4_096

export interface CoreEvents {
  /** CORE has told who the peer is; again after each loss. `tellsClass`: it is of 0.25 or later. */
  introduced(self: PeerId, tellsClass: boolean): void
  up(peer: PeerId): void
  down(peer: PeerId): void
  lost(reason: BoxError): void
}

export interface CorePorts extends ServicePorts {
  readonly path: string
  readonly dialect: () => Dialect
}

export class DaemonCore {
  private readonly ports: CorePorts
  private readonly service: Service
  private readonly events: CoreEvents
  /** Every peer CORE talks to, and whether the keys are agreed. */
  private readonly peers = new Map<string, { readonly peer: PeerId; isUp: boolean }>()
  private self: PeerId | null = null

  constructor(ports: CorePorts, events: CoreEvents) {
    this.ports = ports
    this.events = events
    this.service = new Service('core', ports.path, ports, {
      up: () => {
        this.service.send(CoreInit.encode({}))
        this.service.send(CoreMonitorPeers.encode({}))
      },
      received: (type, raw) => this.received(type, raw),
      down: reason => this.down(reason),
    })
  }

  start(): void {
    this.service.open()
  }

  get trouble(): BoxError | null {
    return this.service.trouble
  }

  get neighbours(): readonly { readonly peer: PeerId; readonly isUp: boolean }[] {
    return [...this.peers.values()]
  }

  isUp(peer: PeerId): boolean {
    return this.peers.get(keyOf(peer))?.isUp ?? false
  }

  close(): void {
    this.service.close()
    this.peers.clear()
  }

  private received(type: number, raw: Uint8Array): void {
    if (type === CoreInitReply.type) {
      const { peer, peerClass } = CoreInitReply.decode(raw)
      this.self = peerId(peer.slice())
      this.events.introduced(this.self, peerClass !== null)
    } else if (type === CoreMonitorNotify.type) this.monitored(raw)
  }

  private monitored(raw: Uint8Array): void {
    const { state, peer } = CoreMonitorNotify.decode(raw)
    const { connected, gone, listEnd } = this.ports.dialect()
    if (state === listEnd || (this.self && equalBytes(peer, this.self))) return
    const key = keyOf(peer)
    const known = this.peers.get(key)
    if (gone.includes(state)) {
      this.peers.delete(key)
      if (known?.isUp) this.events.down(known.peer)
      return
    }
    if (!known && this.peers.size >= NEIGHBOURS_MAX) return
    const entry = known ?? { peer: peerId(peer.slice()), isUp: false }
    this.peers.set(key, entry)
    const isUp = connected.includes(state)
    if (isUp === entry.isUp) return
    entry.isUp = isUp
    if (isUp) this.events.up(entry.peer)
    else this.events.down(entry.peer)
  }

  private down(reason: BoxError): void {
    const up = [...this.peers.values()].filter(({ isUp }) => isUp)
    this.peers.clear()
    for (const { peer } of up) this.events.down(peer)
    this.events.lost(reason)
  }
}
