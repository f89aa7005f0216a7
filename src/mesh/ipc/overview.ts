/**
 * Which tunnels the daemon has and which ways they take, looked at from time to time: CADET tells nobody
 * of what changes. It keeps a channel to a peer that is gone for ever; what has been without any connection
 * for long is ended here.
 */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { BoxError } from '../../base/errors.ts'
import type { PeerId } from '../../base/ids.ts'
import type { TunnelStatus } from '../mesh.ts'
import type { DaemonChannel } from './cadet-channel.ts'
import type { CadetInfo, DaemonTunnel } from './cadet-info.ts'

/** How often CADET is asked for its tunnels while somebody waits for one, or uses one; */
const LOOK_MS = 2_000
/** and otherwise. */
const LOOK_IDLE_MS = 30_000
/** A peer without any connection for so long is gone. */
const LOST_MS = 180_000
/** Peers whose ways are remembered. */
const WAYS_MAX = 1_024

export interface OverviewPorts {
  readonly clock: Clock
  readonly info: CadetInfo
  readonly self: () => PeerId
  readonly isNeighbour: (peer: PeerId) => boolean
  /** Every channel of ours, open or being opened. */
  readonly channels: () => readonly DaemonChannel[]
  /** CADET has told its tunnels. */
  readonly looked: (tunnels: readonly DaemonTunnel[]) => void
}

export class Overview {
  private readonly ports: OverviewPorts
  private readonly ways = new Map<string, readonly PeerId[]>()
  private tunnels: readonly DaemonTunnel[] = []
  /** Since when a peer with channels of ours has had no connection. */
  private readonly missing = new Map<string, number>()
  private timer: Timer | null = null
  private lookAt = 0
  private closed = false

  constructor(ports: OverviewPorts) {
    this.ports = ports
  }

  /** Looks now, and again and again. */
  look(): void {
    this.ports.info.tunnels(tunnels => {
      if (this.closed) return
      if (tunnels) {
        this.tunnels = tunnels
        this.ports.looked(tunnels)
        this.endLost()
      }
      this.lookSoon()
    })
  }

  /** Somebody waits for a tunnel: it is looked at soon. */
  lookSoon(): void {
    if (this.closed) return
    const { clock, channels } = this.ports
    const at = clock.elapsed() + (channels().length > 0 ? LOOK_MS : LOOK_IDLE_MS)
    // Whoever opens channel after channel must not put it off for ever.
    if (this.timer && this.lookAt <= at) return
    this.timer?.cancel()
    this.lookAt = at
    this.timer = clock.after(at - clock.elapsed(), () => {
      this.timer = null
      this.look()
    })
  }

  /** The way to a peer, both ends included, as far as it is known. */
  wayTo(peer: PeerId): readonly PeerId[] | null {
    const self = this.ports.self()
    if (equalBytes(peer, self)) return [self]
    if (this.ports.isNeighbour(peer)) return [self, peer]
    const hops = this.ways.get(keyOf(peer))
    return hops ? [self, ...hops] : null
  }

  /** Which connection carries a tunnel, CADET does not tell; it takes the shortest path that it knows. */
  askWay(peer: PeerId, then: () => void): void {
    const { info, isNeighbour, self } = this.ports
    if (isNeighbour(peer) || equalBytes(peer, self())) {
      then()
      return
    }
    info.paths(peer, paths => {
      const key = keyOf(peer)
      this.ways.delete(key)
      this.ways.set(key, paths?.[0] ?? [peer])
      const [oldest] = this.ways.keys()
      if (this.ways.size > WAYS_MAX) this.ways.delete(oldest!)
      then()
    })
  }

  isConnected(peer: PeerId): boolean {
    return this.tunnels.some(known => known.connections > 0 && equalBytes(known.peer, peer))
  }

  status(): readonly TunnelStatus[] {
    const all = new Map<string, TunnelStatus>()
    for (const { peer, channels, connections, isKeyed } of this.tunnels)
      all.set(keyOf(peer), {
        peer,
        channels,
        paths: this.pathsTo(peer),
        state: connections === 0 ? 'searching' : isKeyed ? 'up' : 'keying',
      })
    for (const { peer, is } of this.ports.channels())
      if (!all.has(keyOf(peer)))
        all.set(keyOf(peer), {
          peer,
          channels: 1,
          paths: this.pathsTo(peer),
          state: is === 'open' ? 'up' : 'searching',
        })
    return [...all.values()]
  }

  close(): void {
    this.closed = true
    this.timer?.cancel()
  }

  private pathsTo(peer: PeerId): readonly (readonly PeerId[])[] {
    const way = this.wayTo(peer)
    return way ? [way] : []
  }

  private endLost(): void {
    const now = this.ports.clock.elapsed()
    const self = this.ports.self()
    const open = this.ports
      .channels()
      .filter(({ is, peer }) => is === 'open' && !equalBytes(peer, self))
    const used = new Set(open.map(({ peer }) => keyOf(peer)))
    for (const key of this.missing.keys()) if (!used.has(key)) this.missing.delete(key)
    for (const channel of open) {
      const key = keyOf(channel.peer)
      if (this.isConnected(channel.peer)) {
        this.missing.delete(key)
        continue
      }
      const since = this.missing.get(key) ?? now
      this.missing.set(key, since)
      if (now - since >= LOST_MS) channel.giveUp(new BoxError('CHANNEL_LOST'))
    }
  }
}
