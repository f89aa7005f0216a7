/** A legacy transport on a simulated machine, and what it told of links. */

import { Counters } from '../../../../src/base/counters.ts'
import type { Log } from '../../../../src/base/log.ts'
import { silentLog } from '../../../../src/base/log.ts'
import type { Address } from '../../../../src/base/stream.ts'
import { SigningKey } from '../../../../src/crypto/signing.ts'
import { LegacyTransport } from '../../../../src/mesh/transport/legacy/transport.ts'
import type { Link, LinkEvents } from '../../../../src/mesh/transport/link.ts'
import type { Machine } from '../../../sim/machine.ts'

export const PORT = 2086

export interface LinkedOptions {
  readonly listens?: boolean
  readonly advertise?: readonly Address[]
  /** Whether CORE is to recognise every peer at once, as it does where all is well. */
  readonly trusts?: boolean
  readonly log?: Log
  readonly linksWished?: number
}

export class Linked implements LinkEvents {
  readonly transport: LegacyTransport
  readonly counters = new Counters()
  readonly machine: Machine
  /** One word for each event: `up`, `down`. */
  readonly story: string[] = []
  readonly got: Uint8Array[] = []
  link: Link | null = null
  private readonly trusts: boolean

  constructor(machine: Machine, seed: number, options: LinkedOptions = {}) {
    const {
      listens = false,
      advertise = [],
      trusts = true,
      log = silentLog,
      linksWished = 0,
    } = options
    this.machine = machine
    this.trusts = trusts
    this.transport = new LegacyTransport({
      clock: machine.clock,
      random: machine.random,
      network: machine.network(),
      store: machine.store,
      log,
      counters: this.counters,
      key: SigningKey.fromSeed(new Uint8Array(32).fill(seed)),
      listen: listens ? [{ host: machine.address, port: PORT }] : [],
      advertise,
      linksWished,
    })
  }

  async start(): Promise<this> {
    await this.transport.start(this)
    return this
  }

  /** Is told of another peer and keeps a link to it. */
  wants(other: Linked): void {
    this.transport.want(this.transport.introduce(other.transport.helloUrl()))
  }

  count(name: string): number {
    return this.counters.read()[name] ?? 0
  }

  up(link: Link): void {
    this.story.push('up')
    this.link = link
    if (this.trusts) link.proven()
  }

  received(_link: Link, message: Uint8Array): void {
    this.got.push(message.slice())
  }

  drained(): void {
    this.story.push('drained')
  }

  down(link: Link): void {
    this.story.push('down')
    if (this.link === link) this.link = null
  }
}

/** A message of a type that is none of the transport's own. */
export function payload(size = 8, fill = 0): Uint8Array {
  const message = new Uint8Array(size).fill(fill, 4)
  new DataView(message.buffer).setUint32(0, (size << 16) | 1000)
  return message
}
