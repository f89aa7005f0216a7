/**
 * Neighbours tell each other of other peers' addresses, in private (gnunet-daemon-topology.c): so a
 * mesh finds together from one known hub. We pass on only what its owner has signed for.
 */

import type { Clock, Timer } from '../../../base/clock.ts'
import type { PeerId } from '../../../base/ids.ts'
import { HelloMessage } from '../../transport/legacy/hello.ts'
import type { Neighbour, NeighbourEvents } from '../core.ts'

export const HELLO_TYPE = HelloMessage.type

/** A newcomer is told of so many peers at once... */
const FIRST_MAX = 4
/** ...and of one more so often. */
const PERIOD_MS = 60_000
/** The same HELLO is not told again for so long: half of what its addresses hold. */
const REPEAT_MS = 6 * 3_600_000

export interface HelloGossipOptions {
  readonly clock: Clock
  /** Takes a HELLO message that came from a neighbour at an address. */
  learn(hello: Uint8Array, from: string): void
  /** Peers we know of. */
  known(): readonly PeerId[]
  /** What we vouch for of a peer; null where that is nothing. */
  helloOf(peer: PeerId): Uint8Array | null
}

export class HelloGossip implements NeighbourEvents {
  private readonly options: HelloGossipOptions
  /** For each neighbour, whom it was told of, and when. */
  private readonly told = new Map<Neighbour, Map<PeerId, number>>()
  private timer: Timer | null = null

  constructor(options: HelloGossipOptions) {
    this.options = options
  }

  up(neighbour: Neighbour): void {
    this.told.set(neighbour, new Map())
    this.tell(neighbour, FIRST_MAX)
    this.timer ??= this.options.clock.after(PERIOD_MS, () => this.onPeriod())
  }

  received(neighbour: Neighbour, message: Uint8Array): void {
    this.options.learn(message, neighbour.address)
  }

  drained(): void {}

  down(neighbour: Neighbour): void {
    this.told.delete(neighbour)
  }

  close(): void {
    this.timer?.cancel()
    this.timer = null
  }

  private onPeriod(): void {
    this.timer =
      this.told.size > 0 ? this.options.clock.after(PERIOD_MS, () => this.onPeriod()) : null
    for (const neighbour of this.told.keys()) this.tell(neighbour, 1)
  }

  private tell(neighbour: Neighbour, countMax: number): void {
    const told = this.told.get(neighbour)
    if (!told || !neighbour.understands(HELLO_TYPE)) return
    const { clock, known, helloOf } = this.options
    const now = clock.elapsed()
    const peers = known()
    for (const peer of told.keys()) if (!peers.includes(peer)) told.delete(peer)
    let count = 0
    for (const peer of peers) {
      if (count >= countMax) return
      if (now - (told.get(peer) ?? -Infinity) < REPEAT_MS || isSame(peer, neighbour)) continue
      const hello = helloOf(peer)
      if (!hello) continue
      told.set(peer, now)
      neighbour.send(hello)
      count++
    }
  }
}

const isSame = (peer: PeerId, neighbour: Neighbour): boolean =>
  peer.every((byte, i) => byte === neighbour.peer[i])
