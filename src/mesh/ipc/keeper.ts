/**
 * Keeps a channel open to every peer that was connected to lately.
 *
 * GNUnet 0.19 to 0.27 lose the way to a peer several hops away for ever when no channel to it was open for
 * some 210 seconds: the search for it is not begun again (gnunet-service-cadet_peer.c). An open channel is
 * immune, and so is one that was only asked for: nobody need listen at the other end.
 */

import { keyOf } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { PortId } from '../../base/ids.ts'
import { type PeerId, portId } from '../../base/ids.ts'
import { sha512 } from '../../crypto/hash.ts'
import type { OpenEvents } from './cadet.ts'

/** Where engines of this kind listen for one another's. */
export const KEEP_PORT: PortId = portId(sha512(new TextEncoder().encode('secushare-box keep')))

/** Most channels are short, and most processes too: what is over by then needs no keeping. */
const AFTER_MS = 20_000
/** A peer that was not used for so long is let go. */
const IDLE_MS = 3_600_000
/** After a refusal: well within the 90 seconds that a tunnel lives without a channel. */
const AGAIN_MS = 60_000
const PEERS_MAX = 64

export interface KeeperPorts {
  readonly clock: Clock
  open(peer: PeerId, port: PortId, events: OpenEvents): { cancel(): void }
}

interface Kept {
  readonly peer: PeerId
  usedAt: number
  timer: Timer
  release(): void
}

const nothing = (): void => {}

export class Keeper {
  private readonly ports: KeeperPorts
  private readonly kept = new Map<string, Kept>()

  constructor(ports: KeeperPorts) {
    this.ports = ports
  }

  get size(): number {
    return this.kept.size
  }

  /** A channel to the peer was opened. */
  used(peer: PeerId): void {
    const { clock } = this.ports
    const key = keyOf(peer)
    const known = this.kept.get(key)
    const usedAt = clock.elapsed()
    if (known) {
      known.usedAt = usedAt
      this.kept.delete(key)
      this.kept.set(key, known)
      return
    }
    const timer = clock.after(AFTER_MS, () => this.hold(key))
    this.kept.set(key, { peer, usedAt, timer, release: nothing })
    const [oldest] = this.kept.keys()
    if (this.kept.size > PEERS_MAX) this.letGo(oldest!)
  }

  close(): void {
    for (const key of [...this.kept.keys()]) this.letGo(key)
  }

  private letGo(key: string): void {
    const kept = this.kept.get(key)
    if (!kept) return
    this.kept.delete(key)
    kept.timer.cancel()
    kept.release()
  }

  private hold(key: string): void {
    const kept = this.kept.get(key)
    if (!kept) return
    const { clock, open } = this.ports
    if (clock.elapsed() - kept.usedAt >= IDLE_MS) {
      this.letGo(key)
      return
    }
    kept.release()
    const again = () => {
      kept.release = nothing
      if (this.kept.get(key) !== kept) return
      kept.timer.cancel()
      kept.timer = clock.after(AGAIN_MS, () => this.hold(key))
    }
    // The channel may stand for hours: whether it is still wanted is looked at from time to time.
    kept.timer = clock.after(IDLE_MS, () => this.hold(key))
    const opening = open(kept.peer, KEEP_PORT, {
      opened: channel => {
        kept.release = () => channel.close()
        channel.attach({ message: nothing, drained: nothing, closed: again })
      },
      failed: again,
    })
    if (kept.release === nothing) kept.release = () => opening.cancel()
  }
}
