/**
 * What differs between the wire classes of GNUnet, behind one interface: transport, CORE, HELLO, and
 * the variant of CADET's tunnel encryption. Everything above is the same for all of them.
 */

import type { Clock } from '../base/clock.ts'
import type { Counters } from '../base/counters.ts'
import type { PeerId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Store } from '../base/store.ts'
import type { Address, Network } from '../base/stream.ts'
import type { SigningKey } from '../crypto/signing.ts'
import type { Core } from './core/core.ts'
import { EphemeralCore } from './core/ephemeral/ephemeral-core.ts'
import { HELLO_TYPE, HelloGossip } from './core/ephemeral/hello-gossip.ts'
import type { NeighbourStatus } from './mesh.ts'
import { LegacyTransport } from './transport/legacy/transport.ts'

/** How CADET derives HMAC keys and IVs: up to GNUnet 0.26, and since 0.27. */
export type TunnelCrypto = 'T1' | 'T2'

export interface UnderlayOptions {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly store: Store
  readonly log: Log
  readonly counters: Counters
  readonly key: SigningKey
  /** Where to accept connections; nowhere where empty. */
  readonly listen: readonly Address[]
  /** The addresses to tell others; where empty, those we listen at, as far as they can be dialled. */
  readonly advertise: readonly Address[]
}

/** Neighbours, and how to come to them: what CADET and the DHT stand on. */
export interface Underlay {
  readonly core: Core
  /** Begins to listen and to dial, when all handlers are registered with `core`. Fails with ADDRESS_IN_USE. */
  start(): Promise<void>
  /** Keeps a link to the peer from now on: dials it again, for ever, watches it closely. */
  want(peer: PeerId): void
  unwant(peer: PeerId): void
  /** Takes a HELLO URL from a person; returns the peer. Throws BoxError INPUT_INVALID. */
  introduce(url: string): PeerId
  /** Takes a HELLO that was found somewhere; nothing in it is believed. False: it is none. */
  learn(hello: Uint8Array): boolean
  /** Our own HELLO, as the DHT has it and as people pass it on. */
  hello(): Uint8Array
  helloUrl(): string
  /** Replaces the addresses to tell others. */
  advertise(addresses: readonly Address[]): void
  /** The machine has other addresses or routes than before. */
  networkChanged(): void
  status(): NeighbourStatus[]
  close(): void
}

export interface Profile {
  /** The class, and the releases that speak it. */
  readonly name: string
  readonly tunnelCrypto: TunnelCrypto
  /** Whether a DHT request may ask for the route: daemons of 0.25 and later crash over it. */
  readonly recordsRoutes: boolean
  /** Makes everything ready; nothing happens before `start`. */
  create(options: UnderlayOptions): Underlay
}

/** Legacy transport, CORE with ephemeral keys. */
class LegacyUnderlay implements Underlay {
  readonly core: EphemeralCore
  private readonly transport: LegacyTransport
  private readonly gossip: HelloGossip

  constructor(options: UnderlayOptions) {
    const { clock, random, log, counters, key } = options
    this.transport = new LegacyTransport(options)
    this.core = new EphemeralCore({ clock, random, log, counters, key })
    this.gossip = new HelloGossip({
      clock,
      learn: (hello, from) => void this.transport.learn(hello, from),
      known: () => this.transport.known(),
      helloOf: peer => this.transport.helloOf(peer),
    })
    this.core.handle([HELLO_TYPE], this.gossip)
  }

  start(): Promise<void> {
    return this.transport.start(this.core.linkEvents)
  }

  want(peer: PeerId): void {
    this.transport.want(peer)
  }

  unwant(peer: PeerId): void {
    this.transport.unwant(peer)
  }

  introduce(url: string): PeerId {
    return this.transport.introduce(url)
  }

  learn(hello: Uint8Array): boolean {
    return this.transport.learn(hello, '')
  }

  hello(): Uint8Array {
    return this.transport.hello()
  }

  helloUrl(): string {
    return this.transport.helloUrl()
  }

  advertise(addresses: readonly Address[]): void {
    this.transport.advertise(addresses)
  }

  networkChanged(): void {
    this.transport.networkChanged()
  }

  status(): NeighbourStatus[] {
    return this.transport.status().map(({ key, peer, address }) => ({
      peer,
      address,
      state: this.core.neighbours.has(key) ? 'up' : 'connecting',
    }))
  }

  close(): void {
    this.gossip.close()
    this.core.flush()
    this.transport.close()
    this.core.close()
  }
}

/** GNUnet 0.19.3 and 0.20.0: what Debian 12 and 13 ship. */
export const classA: Profile = {
  name: 'A (GNUnet 0.19.3, 0.20.0)',
  tunnelCrypto: 'T1',
  recordsRoutes: true,
  create: options => new LegacyUnderlay(options),
}
