/**
 * A computer in the simulated world: its clock, its chance, its disk, its place in the network.
 * It can lose power, lose its process, come back, move to another network, and be wrong about the time.
 */

import type { Clock } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import type { Address, Listener, Network, Stream, StreamEvents } from '../../src/base/stream.ts'
import { dial, type End } from './connection.ts'
import type { Line } from './line.ts'
import { Nat } from './nat.ts'
import { type SeededRandom, seededRandom } from './random.ts'
import type { World } from './world.ts'

type Accept = (stream: Stream) => StreamEvents

const FIRST_EPHEMERAL_PORT = 32_768
const LAST_PORT = 65_535

export class Machine {
  readonly name: string
  readonly world: World
  readonly line: Line
  readonly random: SeededRandom
  /** The disk: it survives everything. */
  readonly store: Store = memoryStore()
  /** When the line is free for the next byte, in either direction. */
  readonly busyUntil = { up: 0, down: 0 }
  /** Every connection this machine knows of. */
  readonly ends = new Set<End>()
  /** The address on the machine's own interface. */
  address = ''
  nat: Nat | null = null
  up = true
  /** Counts the lives of the machine: what belongs to an earlier one is never called again. */
  life = 0
  /** Counts the places the machine has been at: connections do not follow it. */
  moves = 0
  private clockErrorMs = 0
  private bornAt: number
  private readonly listeners = new Map<number, Accept>()
  private nextPort = FIRST_EPHEMERAL_PORT

  constructor(world: World, name: string, place: string | Nat, line: Line) {
    this.world = world
    this.name = name
    this.line = line
    this.random = seededRandom(world.random.below(2 ** 31))
    this.bornAt = world.now()
    this.settle(place)
  }

  /** The address by which the world knows this machine: its own, or that of its NAT. */
  get public(): string {
    return this.nat?.public ?? this.address
  }

  /** The clock for the programs of this life; it falls silent when the life ends. */
  get clock(): Clock {
    const { world, life, bornAt } = this
    return {
      now: () => world.now() + this.clockErrorMs,
      elapsed: () => world.now() - bornAt,
      after: (ms, run) => {
        if (this.life !== life) return { cancel: () => {} }
        return world.after(ms, () => {
          if (this.life === life) run()
        })
      },
    }
  }

  /** Sets the machine's clock wrong by so much more; the passing of time is not affected. */
  jumpClock(ms: number): void {
    this.clockErrorMs += ms
  }

  /** The network for the programs of this life. */
  network(): Network {
    const { life } = this
    return {
      dial: (to, events) => dial(this, life, to, events),
      listen: (at, accept) => this.listen(life, at, accept),
    }
  }

  /** Who accepts connections at a port; null where nobody does. */
  accepting(port: number): Accept | null {
    return this.listeners.get(port) ?? null
  }

  ephemeralPort(): number {
    const port = this.nextPort++
    if (this.nextPort > LAST_PORT) this.nextPort = FIRST_EPHEMERAL_PORT
    return port
  }

  /** The power goes: nobody is told anything. */
  crash(): void {
    this.endLife()
    this.up = false
    for (const end of this.ends) end.vanish()
  }

  /** The process dies, the system lives on and ends the connections for it. */
  kill(): void {
    this.endLife()
    for (const end of this.ends) end.close()
  }

  /** The power is back. Programs have to be started again, with the old disk. */
  restart(): void {
    this.up = true
  }

  /** Goes to another network. Listeners follow; connections stay behind and are never heard of again. */
  move(place: string | Nat): void {
    this.leave()
    this.moves++
    this.settle(place)
  }

  private endLife(): void {
    this.life++
    this.bornAt = this.world.now()
    this.listeners.clear()
  }

  private settle(place: string | Nat): void {
    if (place instanceof Nat) {
      this.nat = place
      this.address = place.admit(this)
    } else {
      this.nat = null
      this.address = place
      this.world.place(place, this)
    }
  }

  private leave(): void {
    if (this.nat) this.nat.dismiss(this.address)
    else this.world.place(this.address, null)
  }

  private async listen(life: number, at: Address, accept: Accept): Promise<Listener> {
    if (life !== this.life) throw new BoxError('ADDRESS_IN_USE', 'The machine has restarted.')
    const port = at.port || this.ephemeralPort()
    if (this.listeners.has(port)) throw new BoxError('ADDRESS_IN_USE', `Port ${port} is taken.`)
    this.listeners.set(port, accept)
    return {
      local: { host: at.host, port },
      close: () => {
        if (this.listeners.get(port) === accept) this.listeners.delete(port)
      },
    }
  }
}
