/** One peer of a simulated world: its key outlives its restarts, all else does not. */

import type { Clock } from '../../../src/base/clock.ts'
import { Counters } from '../../../src/base/counters.ts'
import { type PeerId, peerId } from '../../../src/base/ids.ts'
import { silentLog } from '../../../src/base/log.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import { Cadet } from '../../../src/mesh/cadet/cadet.ts'
import { TUNNEL_CIPHER_T1 } from '../../../src/mesh/cadet/tunnel-cipher.ts'
import type { Core, Neighbour, NeighbourEvents } from '../../../src/mesh/core/core.ts'
import type { Dht } from '../../../src/mesh/mesh.ts'
import type { World } from '../../sim/world.ts'

/** What a peer needs of its world. */
export interface Surroundings {
  readonly world: World
  dhtOf(peer: Peer): Dht
}

export class Peer {
  readonly name: string
  readonly key: SigningKey
  readonly id: PeerId
  cadet!: Cadet
  counters!: Counters
  core!: SimulatedCore
  running = false
  /** By how much its clock is wrong. */
  skewMs = 0
  private life = 0
  private readonly mesh: Surroundings
  private monotime = 0n

  constructor(mesh: Surroundings, name: string, seed: Uint8Array) {
    this.mesh = mesh
    this.name = name
    this.key = SigningKey.fromSeed(seed)
    this.id = peerId(this.key.publicKey)
  }

  start(): void {
    this.running = true
    this.counters = new Counters()
    this.core = new SimulatedCore()
    this.cadet = new Cadet({
      clock: this.clock(++this.life),
      random: this.mesh.world.random,
      core: this.core,
      dht: this.mesh.dhtOf(this),
      key: this.key,
      cipher: TUNNEL_CIPHER_T1,
      log: silentLog,
      counters: this.counters,
      monotime: () => ++this.monotime,
      hello: () => new Uint8Array([0, 40, 0, 17, ...new Uint8Array(4), ...this.id]),
    })
  }

  /** Takes it away: what it had in mind no longer happens. */
  stop(): void {
    this.running = false
    this.life++
  }

  private clock(life: number): Clock {
    const { world } = this.mesh
    return {
      now: () => world.now() + this.skewMs,
      elapsed: () => world.elapsed(),
      after: (ms, run) =>
        world.after(ms, () => {
          if (this.life === life) run()
        }),
    }
  }

  count(name: string): number {
    return this.counters.read()[name] ?? 0
  }
}

class SimulatedCore implements Core {
  readonly neighbours = new Map<string, Neighbour>()
  private events: NeighbourEvents | null = null

  handle(_types: readonly number[], events: NeighbourEvents): void {
    this.events = events
  }
  up(neighbour: Neighbour): void {
    this.neighbours.set(neighbour.key, neighbour)
    this.events?.up(neighbour)
  }
  down(neighbour: Neighbour): void {
    this.neighbours.delete(neighbour.key)
    this.events?.down(neighbour)
  }
  received(neighbour: Neighbour, message: Uint8Array): void {
    this.events?.received(neighbour, message)
  }
  drained(neighbour: Neighbour): void {
    this.events?.drained(neighbour)
  }
}
