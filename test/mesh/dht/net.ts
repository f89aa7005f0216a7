/** Peers with a DHT each, joined by links at the level of CORE: no transport, no encryption. */

import { concat, keyOf } from '../../../src/base/bytes.ts'
import { Counters } from '../../../src/base/counters.ts'
import { hashCode, type PeerId, peerId } from '../../../src/base/ids.ts'
import { silentLog } from '../../../src/base/log.ts'
import type { Random } from '../../../src/base/random.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import type { Core, Neighbour, NeighbourEvents } from '../../../src/mesh/core/core.ts'
import { BLOCK, legacyHelloKey } from '../../../src/mesh/dht/blocks.ts'
import { type DhtPorts, NodeDht } from '../../../src/mesh/dht/dht.ts'
import { DHT_OPTION, type DhtBlock, type DhtQuery, type DhtResult } from '../../../src/mesh/mesh.ts'
import { World } from '../../sim/world.ts'
import { hex } from '../../vectors.ts'

const LATENCY_MS = 10

export type Options = Partial<Pick<DhtPorts, 'routes' | 'limits' | 'hello'>>

/** The machine's randomness refuses an empty choice; so does this one. */
const strict = (random: Random): Random => ({
  bytes: count => random.bytes(count),
  below: bound => {
    if (bound < 1) throw new RangeError(`nothing to choose below ${bound}`)
    return random.below(bound)
  },
})

class SimCore implements Core {
  readonly neighbours = new Map<string, Neighbour>()
  readonly handlers: NeighbourEvents[] = []

  handle(_types: readonly number[], events: NeighbourEvents): void {
    this.handlers.push(events)
  }
}

/** One end of a link. */
interface End {
  readonly node: Node
  readonly neighbour: Neighbour
  isUp: boolean
}

export interface Node {
  readonly name: string
  readonly pid: PeerId
  readonly key: SigningKey
  readonly core: SimCore
  readonly dht: NodeDht
  readonly counters: Counters
}

export class Net {
  readonly world: World
  /** Probability that a message is lost between two peers. */
  loss = 0
  /** Bytes sent over all links. */
  bytes = 0
  messages = 0
  readonly nodes: Node[] = []
  private readonly links: [End, End][] = []

  constructor(seed: number) {
    this.world = new World(seed)
  }

  node(options: Options = {}): Node {
    const { world } = this
    const key = SigningKey.fromSeed(world.random.bytes(32))
    const core = new SimCore()
    const counters = new Counters()
    const dht = new NodeDht({
      clock: world,
      random: strict(world.random),
      core,
      key,
      log: silentLog,
      counters,
      routes: true,
      ...options,
    })
    const name = `n${this.nodes.length}`
    const node = { name, pid: peerId(key.publicKey), key, core, dht, counters }
    this.nodes.push(node)
    return node
  }

  /** A peer that speaks as the test tells it. */
  stranger(): Node & { readonly heard: Uint8Array[] } {
    const heard: Uint8Array[] = []
    const key = SigningKey.fromSeed(this.world.random.bytes(32))
    const core = new SimCore()
    core.handle([], {
      up: () => {},
      down: () => {},
      drained: () => {},
      received: (_neighbour, message) => void heard.push(message.slice()),
    })
    const pid = peerId(key.publicKey)
    const dht = null as unknown as NodeDht
    return { name: 'stranger', pid, key, core, dht, counters: new Counters(), heard }
  }

  link(a: Node, b: Node, { speaks = () => true }: { speaks?: () => boolean } = {}): void {
    const link = [] as unknown as [End, End]
    link.push(this.end(a, b, link, 1, speaks), this.end(b, a, link, 0, speaks))
    this.links.push(link)
    for (const { node, neighbour } of link) {
      node.core.neighbours.set(neighbour.key, neighbour)
    }
    for (const { node, neighbour } of link)
      for (const each of node.core.handlers) each.up(neighbour)
  }

  unlink(a: Node, b: Node): void {
    const at = this.links.findIndex(link => [a, b].every(node => link.some(e => e.node === node)))
    const [link] = this.links.splice(at, 1)
    for (const end of link!) {
      end.isUp = false
      end.node.core.neighbours.delete(end.neighbour.key)
      for (const each of end.node.core.handlers) each.down(end.neighbour)
    }
  }

  /** Takes a peer out of the network. */
  leave(node: Node): void {
    for (const link of [...this.links])
      if (link.some(end => end.node === node)) this.unlink(link[0].node, link[1].node)
    node.dht.close()
    this.nodes.splice(this.nodes.indexOf(node), 1)
  }

  /** Sends raw bytes as if `from` had said them to `to`. */
  say(from: Node, to: Node, message: Uint8Array): void {
    from.core.neighbours.get(keyOf(to.pid))!.send(message)
  }

  run(ms: number): void {
    this.world.run(ms)
  }

  private end(at: Node, to: Node, link: [End, End], other: 0 | 1, speaks: () => boolean): End {
    const neighbour: Neighbour = {
      peer: to.pid,
      key: keyOf(to.pid),
      address: to.name,
      understands: speaks,
      atTurnsEnd: () => {},
      send: message => {
        this.messages++
        this.bytes += message.length
        if (!this.world.random.chance(this.loss))
          this.world.after(LATENCY_MS, () => deliver(link[other], message))
        return true
      },
    }
    return { node: at, neighbour, isUp: true }
  }
}

function deliver(to: End, message: Uint8Array): void {
  if (!to.isUp) return
  for (const each of to.node.core.handlers) each.received(to.neighbour, message)
}

/** A connected network of peers, each with some three neighbours. */
export function randomNet(seed: number, size: number, options: Options = {}): Net {
  const net = new Net(seed)
  const { random } = net.world
  for (let i = 0; i < size; i++) {
    const node = net.node(options)
    const others = net.nodes.slice(0, -1)
    for (let links = 0; links < 2 && others.length > 0; links++) {
      const other = others.splice(random.below(others.length), 1)[0]!
      net.link(node, other)
    }
  }
  return net
}

export const testBlock = (net: Net, text: string, options = 0, replication = 5): DhtBlock => ({
  type: BLOCK.test,
  key: hashCode(sha512(new TextEncoder().encode(text))),
  data: new TextEncoder().encode(`data of ${text}`),
  expiresAt: net.world.now() + 3_600_000,
  replication,
  options,
})

/** What a peer publishes so that ways to it are found. */
export const helloOf = (net: Net, { pid }: Node): DhtBlock => ({
  type: BLOCK.legacyHello,
  key: legacyHelloKey(pid),
  data: concat(hex('0028 0011 00000000'), pid),
  expiresAt: net.world.now() + 3_600_000,
  replication: 3,
  options: DHT_OPTION.everywhere | DHT_OPTION.recordRoute,
})

export const queryOf = ({ type, key, replication }: DhtBlock, options = 0): DhtQuery => ({
  type,
  key,
  replication,
  options,
})

/** Collects what a search finds. */
export function search(node: Node, query: DhtQuery): { found: DhtResult[]; close(): void } {
  const found: DhtResult[] = []
  const listening = node.dht.get(query, result => void found.push(result))
  return { found, close: () => listening.close() }
}
