/**
 * The known ways to a peer. They come from callers, from connections the peer made to us, and from the
 * DHT, where anybody may write: so they are hints, kept in bounded number, best first, and those that
 * fail are left alone for a while.
 */

import { keyOf } from '../../base/bytes.ts'
import type { PeerId } from '../../base/ids.ts'

/** Ours: hops between two peers; each adds its delay, and its work. */
export const HOPS_MAX = 8
/** Ours: ways kept to one peer; a device has few hubs. */
const PATHS_MAX = 16
/** Ours: peers whose ways are remembered, at some 1 KB each; the one longest unused is forgotten first. */
const PEERS_MAX = 2_000

/** Ours: a way that failed is tried again after so long, doubled each time. */
const REST_MS = 250
const REST_MAX_MS = 2_000
/** Ours: one that never works is tried this rarely in the end. */
const REST_LONG_MS = 15_000
const FAILURES_SHORT = 12
/** Ours: one that nobody gave us is forgotten then. */
const FAILURES_FORGET = 6

/** How good a way is likely to be: what the caller says, what the peer itself used, what strangers wrote. */
export type Source = 'given' | 'inbound' | 'found'

export interface Path {
  /** Between us and the peer, nearest first; empty where it is our neighbour. */
  readonly hops: readonly PeerId[]
  readonly key: string
  source: Source
  failures: number
  restsUntil: number
}

export const pathKey = (hops: readonly PeerId[]): string => hops.map(keyOf).join('')

export class Paths {
  private readonly known = new Map<string, Path>()

  /** Learns a way; returns whether it is a new one. */
  add(hops: readonly PeerId[], source: Source): boolean {
    if (hops.length > HOPS_MAX) return false
    const key = pathKey(hops)
    const path = this.known.get(key)
    if (path) {
      if (source === 'given') path.source = source
      if (source === 'inbound') this.worked(path)
      return false
    }
    if (this.known.size >= PATHS_MAX && !this.makeRoom()) return false
    const copy = hops.map(hop => hop.slice() as PeerId)
    this.known.set(key, { hops: copy, key, source, failures: 0, restsUntil: 0 })
    return true
  }

  get(key: string): Path | null {
    return this.known.get(key) ?? null
  }

  /** All ways, the most promising first. */
  all(): Path[] {
    return [...this.known.values()].sort((a, b) => cost(a) - cost(b))
  }

  worked(path: Path): void {
    path.failures = 0
    path.restsUntil = 0
  }

  failed(path: Path, now: number): void {
    path.failures++
    if (path.source !== 'given' && path.failures >= FAILURES_FORGET) {
      this.known.delete(path.key)
      return
    }
    const short = Math.min(REST_MAX_MS, REST_MS * 2 ** (path.failures - 1))
    path.restsUntil = now + (path.failures > FAILURES_SHORT ? REST_LONG_MS : short)
  }

  private makeRoom(): boolean {
    // What a caller gave goes only where it fails: a device that moves on has other hubs each time.
    const worst = this.all().findLast(path => path.source !== 'given' || path.failures > 0)
    return worst !== undefined && this.known.delete(worst.key)
  }
}

const cost = ({ hops, failures, source }: Path): number =>
  hops.length + 2 * failures + (source === 'found' ? 1 : 0)

/** The ways to all peers we have had to do with. */
export class PathDirectory {
  private readonly peers = new Map<string, Paths>()

  of(peer: PeerId): Paths {
    const key = keyOf(peer)
    const known = this.peers.get(key)
    if (known) this.peers.delete(key)
    const paths = known ?? new Paths()
    this.peers.set(key, paths)
    if (this.peers.size > PEERS_MAX) this.peers.delete(this.peers.keys().next().value!)
    return paths
  }

  get size(): number {
    return this.peers.size
  }
}
