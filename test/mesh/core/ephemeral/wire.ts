/** Two COREs with nothing between them but a test, which may keep, change and repeat what they say. */

import { Counters } from '../../../../src/base/counters.ts'
import { peerId } from '../../../../src/base/ids.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { SigningKey } from '../../../../src/crypto/signing.ts'
import type { Neighbour, NeighbourEvents } from '../../../../src/mesh/core/core.ts'
import { EphemeralCore } from '../../../../src/mesh/core/ephemeral/ephemeral-core.ts'
import type { Link } from '../../../../src/mesh/transport/link.ts'
import type { World } from '../../../sim/world.ts'
import { CHAT } from './member.ts'

const DELAY_MS = 10

export class CoreEnd implements NeighbourEvents {
  readonly core: EphemeralCore
  readonly counters = new Counters()
  readonly self
  readonly story: string[] = []
  readonly got: Uint8Array[] = []
  /** Everything this end has sent, in order. */
  readonly sent: Uint8Array[] = []
  neighbour: Neighbour | null = null
  link: Link | null = null
  isClosed = false

  constructor(world: World, seed: number) {
    const key = SigningKey.fromSeed(new Uint8Array(32).fill(seed))
    this.self = peerId(key.publicKey)
    this.core = new EphemeralCore({
      clock: world,
      random: world.random,
      log: silentLog,
      counters: this.counters,
      key,
    })
    this.core.handle([CHAT], this)
  }

  count(name: string): number {
    return this.counters.read()[name] ?? 0
  }

  /** Lets a message in, as if it came over the link. */
  take(message: Uint8Array): void {
    if (this.link) this.core.linkEvents.received(this.link, message)
  }

  up(neighbour: Neighbour): void {
    this.story.push('up')
    this.neighbour = neighbour
  }
  received(_: Neighbour, message: Uint8Array): void {
    this.got.push(message.slice())
  }
  drained(): void {}
  down(neighbour: Neighbour): void {
    this.story.push('down')
    if (this.neighbour === neighbour) this.neighbour = null
  }
}

export class Wire {
  readonly a: CoreEnd
  readonly b: CoreEnd
  /** What becomes of a message: null, and it is lost. */
  change: (message: Uint8Array, from: CoreEnd) => Uint8Array | null = message => message
  private readonly world: World

  constructor(world: World) {
    this.world = world
    this.a = new CoreEnd(world, 1)
    this.b = new CoreEnd(world, 2)
  }

  connect(): this {
    this.reconnect(this.a, this.b)
    this.reconnect(this.b, this.a)
    return this
  }

  /** Gives one end a new link, without a word to the other. */
  reconnect(end: CoreEnd, other: CoreEnd): void {
    if (end.link) end.core.linkEvents.down(end.link)
    end.isClosed = false
    const link: Link = {
      peer: other.self,
      address: 'wire',
      send: message => {
        const copy = message.slice()
        end.sent.push(copy)
        const changed = this.change(copy, end)
        if (changed && end.link === link) this.world.after(DELAY_MS, () => other.take(changed))
        return true
      },
      proven: () => {},
      close: () => {
        end.isClosed = true
        end.link = null
        end.core.linkEvents.down(link)
      },
    }
    end.link = link
    end.core.linkEvents.up(link)
  }
}
