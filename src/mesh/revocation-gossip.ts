/**
 * Revocations of zones, passed between neighbours as gnunet-service-revocation does: a message of CORE to each,
 * once. Its daemons also compare their sets over CADET when they meet; with 0.19.3 and 0.20.0 that fails between
 * themselves (elements are not of the size they check for), so a new neighbour is told here instead.
 */

import { keyOf } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Counters } from '../base/counters.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Core, Neighbour, NeighbourEvents } from './core/core.ts'
import type { GossipEvents, Listening, RevocationGossip } from './mesh.ts'

/** gnunet_protocols.h: REVOCATION_REVOKE. */
const REVOKE = 638
/** Real daemons say a second after the session stands which messages they understand. */
const GREET_MS = 3_000
/** Of what is known; a hub that serves many must not say all to each. */
const GREETED_MAX = 64
/** Messages of one neighbour that are looked at, with one given back in this time. */
const HEARD_MAX = 64
const HEARD_EVERY_MS = 10_000
/** Which messages each neighbour knows already. */
const SAID_MAX = 512

interface Partner {
  readonly neighbour: Neighbour
  readonly said: Set<string>
  greeting: Timer | null
  allowance: number
  countedAt: number
}

export class Gossip implements RevocationGossip, NeighbourEvents {
  private readonly clock: Clock
  private readonly counters: Counters
  private readonly partners = new Map<string, Partner>()
  private events: GossipEvents | null = null

  constructor(options: {
    readonly core: Core
    readonly clock: Clock
    readonly counters: Counters
  }) {
    this.clock = options.clock
    this.counters = options.counters
    options.core.handle([REVOKE], this)
  }

  spread(message: Uint8Array): void {
    for (const partner of this.partners.values()) this.tell(partner, message)
  }

  listen(events: GossipEvents): Listening {
    this.events = events
    return {
      close: () => {
        if (this.events === events) this.events = null
      },
    }
  }

  up(neighbour: Neighbour): void {
    this.down(neighbour)
    const partner: Partner = {
      ...{ neighbour, said: new Set<string>(), allowance: HEARD_MAX },
      greeting: this.clock.after(GREET_MS, () => this.greet(partner)),
      countedAt: this.clock.elapsed(),
    }
    this.partners.set(neighbour.key, partner)
  }

  down({ key }: Neighbour): void {
    this.partners.get(key)?.greeting?.cancel()
    this.partners.delete(key)
  }

  received({ key }: Neighbour, message: Uint8Array): void {
    const partner = this.partners.get(key)
    if (!partner) return
    const now = this.clock.elapsed()
    const given = Math.floor((now - partner.countedAt) / HEARD_EVERY_MS)
    partner.countedAt += given * HEARD_EVERY_MS
    partner.allowance = Math.min(HEARD_MAX, partner.allowance + given)
    if (partner.allowance === 0) {
      this.counters.add('revocation.over_allowance')
      return
    }
    partner.allowance--
    this.counters.add('revocation.received')
    note(partner, message)
    this.events?.heard(message, key)
  }

  drained(): void {}

  close(): void {
    for (const { greeting } of this.partners.values()) greeting?.cancel()
    this.partners.clear()
    this.events = null
  }

  private greet(partner: Partner): void {
    partner.greeting = null
    const known = this.events?.known() ?? []
    for (const message of known.slice(-GREETED_MAX)) this.tell(partner, message)
  }

  private tell(partner: Partner, message: Uint8Array): void {
    if (!partner.neighbour.understands(REVOKE) || !note(partner, message)) return
    this.counters.add('revocation.sent')
    partner.neighbour.send(message)
  }
}

/** False where the neighbour knows it already. */
function note({ said }: Partner, message: Uint8Array): boolean {
  const name = keyOf(sha256(message))
  if (said.has(name)) return false
  if (said.size >= SAID_MAX) said.clear()
  said.add(name)
  return true
}
