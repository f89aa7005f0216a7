/**
 * What is known to go wrong with the daemons of today, recognised from outside and told with its cure
 * (seen with 0.19.3, 0.20.0 and 0.27.0): a way that is lost for ever, and a tunnel that keeps the keys of a peer
 * that was restarted since. Neither heals by itself within any time worth waiting.
 */

import { keyOf } from '../../base/bytes.ts'
import type { PeerId } from '../../base/ids.ts'
import { encodeBase32 } from '../../wire/base32.ts'
import type { Trouble } from '../mesh.ts'
import type { DaemonTunnel } from './cadet-info.ts'

/** A channel is open within a second or two where all is well. */
export const SUSPICIOUS_MS = 8_000
/** What was recognised is told so long after it was last seen. */
const TOLD_MS = 600_000
const FAULTS_MAX = 64
const REACHED_MAX = 1_024

/** A channel that is being opened. */
export interface Attempt {
  readonly peer: PeerId
  readonly since: number
}

interface Fault {
  readonly trouble: Trouble
  seenAt: number
}

export class Faults {
  private readonly cure: string
  private readonly faults = new Map<string, Fault>()
  private readonly reached = new Set<string>()

  /** `configuration`: the file of the daemon, for the command that helps. */
  constructor(configuration: string | null) {
    const arm = `gnunet-arm${configuration === null ? '' : ` -c ${configuration}`}`
    this.cure = `${arm} -k cadet; ${arm} -i cadet`
  }

  /** A channel to the peer stands: all is well with it. */
  cleared(peer: PeerId): void {
    const key = keyOf(peer)
    this.faults.delete(key)
    this.reached.add(key)
    const [oldest] = this.reached
    if (this.reached.size > REACHED_MAX) this.reached.delete(oldest!)
  }

  /** Looks at the channels that do not open, with what CADET says of their tunnels. */
  look(
    attempts: readonly Attempt[],
    tunnels: readonly DaemonTunnel[],
    isNeighbour: (peer: PeerId) => boolean,
    now: number,
  ): void {
    const byPeer = new Map(tunnels.map(tunnel => [keyOf(tunnel.peer), tunnel]))
    for (const { peer, since } of attempts) {
      if (now - since < SUSPICIOUS_MS) continue
      const key = keyOf(peer)
      const tunnel = byPeer.get(key)
      const trouble = this.judge(peer, tunnel, isNeighbour(peer))
      if (trouble) this.faults.set(key, { trouble, seenAt: now })
    }
    const [oldest] = this.faults.keys()
    if (this.faults.size > FAULTS_MAX) this.faults.delete(oldest!)
  }

  troubles(now: number): readonly Trouble[] {
    for (const [key, { seenAt }] of this.faults) if (now - seenAt > TOLD_MS) this.faults.delete(key)
    return [...this.faults.values()].map(({ trouble }) => trouble)
  }

  private judge(
    peer: PeerId,
    tunnel: DaemonTunnel | undefined,
    isNeighbour: boolean,
  ): Trouble | null {
    const name = encodeBase32(peer).slice(0, 4)
    const wasReached = this.reached.has(keyOf(peer))
    const { cure } = this
    if (tunnel && tunnel.connections > 0)
      return {
        kind: 'stale-tunnel',
        peer,
        detail: wasReached
          ? `${name} answered before and has a tunnel, but no channel opens: it was restarted, and GNUnet keeps the old keys.`
          : `${name} has a tunnel, but no channel opens: it was restarted and GNUnet keeps the old keys, or nobody listens there.`,
        cure,
      }
    if (isNeighbour || !(tunnel || wasReached)) return null
    return {
      kind: 'lost-path',
      peer,
      detail: wasReached
        ? `The way to ${name} is lost: GNUnet does not search again for a peer that was left alone for minutes.`
        : `No way to ${name} is found: it is not there, or GNUnet has stopped searching for it.`,
      cure,
    }
  }
}
