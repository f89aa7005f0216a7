/** A peer of wire class A on a simulated machine, and what CORE told it. */

import { Counters } from '../../../../src/base/counters.ts'
import type { Fields, Log } from '../../../../src/base/log.ts'
import { SigningKey } from '../../../../src/crypto/signing.ts'
import type { Neighbour, NeighbourEvents } from '../../../../src/mesh/core/core.ts'
import { classA, type Underlay } from '../../../../src/mesh/profile.ts'
import type { Machine } from '../../../sim/machine.ts'

const PORT = 2086
/** A type that these tests use for their own. */
export const CHAT = 1000

export class Member implements NeighbourEvents {
  readonly machine: Machine
  readonly underlay: Underlay
  readonly counters = new Counters()
  /** One word for each event: `up`, `down`, `drained`. */
  readonly story: string[] = []
  readonly got: Uint8Array[] = []
  readonly warnings: Fields[] = []
  neighbour: Neighbour | null = null
  onMessage: (neighbour: Neighbour, message: Uint8Array) => void = () => {}

  constructor(machine: Machine, seed: number, { listens = false, types = [CHAT] } = {}) {
    this.machine = machine
    const log: Log = {
      note: (level, _area, _event, fields) => {
        if (level === 'warn') this.warnings.push(fields ?? {})
      },
    }
    this.underlay = classA.create({
      clock: machine.clock,
      random: machine.random,
      network: machine.network(),
      store: machine.store,
      log,
      counters: this.counters,
      key: SigningKey.fromSeed(new Uint8Array(32).fill(seed)),
      listen: listens ? [{ host: machine.address, port: PORT }] : [],
      advertise: [],
    })
    this.underlay.core.handle(types, this)
  }

  async start(): Promise<this> {
    await this.underlay.start()
    return this
  }

  wants(other: Member): void {
    this.underlay.want(this.underlay.introduce(other.underlay.helloUrl()))
  }

  count(name: string): number {
    return this.counters.read()[name] ?? 0
  }

  up(neighbour: Neighbour): void {
    this.story.push('up')
    this.neighbour = neighbour
  }

  received(neighbour: Neighbour, message: Uint8Array): void {
    this.got.push(message.slice())
    this.onMessage(neighbour, message)
  }

  drained(): void {
    this.story.push('drained')
  }

  down(neighbour: Neighbour): void {
    this.story.push('down')
    if (this.neighbour === neighbour) this.neighbour = null
  }
}

/** A message of this size that says `fill` all over. */
export function chat(size = 8, fill = 0, type = CHAT): Uint8Array {
  const message = new Uint8Array(size).fill(fill, 4)
  new DataView(message.buffer).setUint32(0, ((size << 16) | type) >>> 0)
  return message
}
