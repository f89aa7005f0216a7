/**
 * Peers that speak CADET over simulated neighbours: virtual time, seeded chance, links with latency, loss,
 * repetition, disorder and a limited width, that are cut and joined; peers that restart.
 */

import { compareBytes, keyOf } from '../../../src/base/bytes.ts'
import type { Neighbour } from '../../../src/mesh/core/core.ts'
import type { Dht, DhtBlock, DhtQuery, DhtResult, Listening } from '../../../src/mesh/mesh.ts'
import { World } from '../../sim/world.ts'
import { Peer } from './peer.ts'

export interface LinkOptions {
  readonly latencyMs?: number
  /** Probability, 0 to 1, that a message is lost. */
  readonly loss?: number
  readonly duplicate?: number
  /** Messages are late by up to so much, and so out of order. */
  readonly disorderMs?: number
  /** Bytes a millisecond; what waits for them shows as back-pressure. */
  readonly width?: number
}

const HIGH_WATER = 128 * 1_024

/** One direction of a link. */
class Wire {
  private readonly mesh: CadetWorld
  private readonly options: LinkOptions
  private freeAt = 0
  private waiting = 0
  private full = false
  open = true

  constructor(mesh: CadetWorld, options: LinkOptions) {
    this.mesh = mesh
    this.options = options
  }

  send(message: Uint8Array, deliver: (message: Uint8Array) => void, drained: () => void): boolean {
    const { world } = this.mesh
    const { latencyMs = 1, loss = 0, duplicate = 0, disorderMs = 0, width } = this.options
    const copy = message.slice()
    this.mesh.carried(copy)
    let leavesIn = 0
    if (width) {
      const now = world.now()
      this.freeAt = Math.max(this.freeAt, now) + copy.length / width
      leavesIn = this.freeAt - now
      this.waiting += copy.length
      world.after(leavesIn, () => {
        this.waiting -= copy.length
        if (!this.full || this.waiting > HIGH_WATER / 2 || !this.open) return
        this.full = false
        drained()
      })
    }
    const copies = world.random.chance(loss) ? 0 : world.random.chance(duplicate) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const late = disorderMs > 0 ? world.random.below(disorderMs + 1) : 0
      world.after(leavesIn + latencyMs + late, () => {
        if (this.open) deliver(copy)
      })
    }
    if (this.waiting > HIGH_WATER) this.full = true
    return !this.full
  }
}

interface Link {
  readonly ends: readonly [Peer, Peer]
  readonly options: LinkOptions
  session: { readonly wires: readonly [Wire, Wire]; readonly seen: readonly Neighbour[] } | null
}

export class CadetWorld {
  readonly world: World
  /** What travelled between neighbours; set to see it. */
  carried: (message: Uint8Array) => void = () => {}
  private readonly links: Link[] = []
  private readonly blocks: { readonly by: Peer; readonly block: DhtBlock }[] = []

  constructor(seed: number) {
    this.world = new World(seed)
  }

  peer(name: string): Peer {
    const peer = new Peer(this, name, this.world.random.bytes(32))
    peer.start()
    return peer
  }

  /** Peers in the order of their pids: the first would be Alice to all others. */
  peers<Names extends readonly string[]>(...names: Names): { [At in keyof Names]: Peer } {
    const made = names.map(() => new Peer(this, '', this.world.random.bytes(32)))
    made.sort((a, b) => compareBytes(a.id, b.id))
    return names.map((name, at) => {
      const peer = new Peer(this, name, made[at]!.key.seed)
      peer.start()
      return peer
    }) as { [At in keyof Names]: Peer }
  }

  link(a: Peer, b: Peer, options: LinkOptions = {}): void {
    const link: Link = { ends: [a, b], options, session: null }
    this.links.push(link)
    this.connect(link)
  }

  cut(a: Peer, b: Peer): void {
    for (const link of this.between(a, b)) this.disconnect(link)
  }

  join(a: Peer, b: Peer): void {
    for (const link of this.between(a, b)) this.connect(link)
  }

  /** Takes a peer away without a word; its neighbours notice after `noticeMs`. */
  crash(peer: Peer, noticeMs = 10): void {
    peer.stop()
    for (const link of this.links.filter(({ ends }) => ends.includes(peer))) {
      const { session } = link
      if (!session) continue
      for (const wire of session.wires) wire.open = false
      link.session = null
      const other = link.ends[0] === peer ? 1 : 0
      this.world.after(noticeMs, () => link.ends[other]!.core.down(session.seen[other]!))
    }
  }

  /** Brings a crashed peer back, with nothing but its key. */
  revive(peer: Peer): void {
    peer.start()
    for (const link of this.links) if (link.ends.includes(peer)) this.connect(link)
  }

  restart(peer: Peer, { clean = false, awayMs = 50 } = {}): void {
    if (clean) {
      peer.cadet.close()
      this.world.run(20)
    }
    this.crash(peer)
    this.world.run(awayMs)
    this.revive(peer)
  }

  dhtOf(peer: Peer): Dht {
    return {
      put: block => {
        this.blocks.push({ by: peer, block })
      },
      get: (query, found) => this.search(peer, query, found),
    }
  }

  run(ms: number): void {
    this.world.run(ms)
  }

  /** Lets time pass until `holds`; how long it took, or Infinity after `ms`. */
  until(holds: () => boolean, ms: number): number {
    const since = this.world.now()
    while (!holds()) {
      if (this.world.now() - since >= ms) return Number.POSITIVE_INFINITY
      this.world.run(1)
    }
    return this.world.now() - since
  }

  private between(a: Peer, b: Peer): Link[] {
    return this.links.filter(({ ends }) => ends.includes(a) && ends.includes(b))
  }

  private connect(link: Link): void {
    const [a, b] = link.ends
    if (link.session || !a.running || !b.running) return
    const wires = [new Wire(this, link.options), new Wire(this, link.options)] as const
    const seenByA: Neighbour = this.neighbour(b, message =>
      wires[0].send(
        message,
        copy => b.core.received(seenByB, copy),
        () => a.core.drained(seenByA),
      ),
    )
    const seenByB: Neighbour = this.neighbour(a, message =>
      wires[1].send(
        message,
        copy => a.core.received(seenByA, copy),
        () => b.core.drained(seenByB),
      ),
    )
    link.session = { wires, seen: [seenByA, seenByB] }
    a.core.up(seenByA)
    b.core.up(seenByB)
  }

  private disconnect(link: Link): void {
    const { session, ends } = link
    if (!session) return
    link.session = null
    for (const wire of session.wires) wire.open = false
    for (const [at, end] of ends.entries()) end.core.down(session.seen[at]!)
  }

  private neighbour(peer: Peer, send: (message: Uint8Array) => boolean): Neighbour {
    const atTurnsEnd = (run: () => void) => void this.world.after(0, run)
    const key = keyOf(peer.id)
    return { peer: peer.id, key, address: '', understands: () => true, send, atTurnsEnd }
  }

  private search(peer: Peer, query: DhtQuery, found: (result: DhtResult) => void): Listening {
    const told = new Set<Peer>()
    let open = true
    const ask = () => {
      if (!open) return
      for (const { by, block } of this.blocks) {
        const path = this.path(by, peer)
        if (block.type !== query.type || keyOf(block.key) !== keyOf(query.key)) continue
        if (told.has(by) || !path) continue
        told.add(by)
        found({ ...block, putPath: [by.id], getPath: path.map(({ id }) => id) })
      }
      this.world.after(1_000, ask)
    }
    this.world.after(20, ask)
    return {
      close: () => {
        open = false
      },
    }
  }

  /** The peers between two, by the fewest links. */
  private path(from: Peer, to: Peer): Peer[] | null {
    const before = new Map<Peer, Peer | null>([[from, null]])
    for (const at of before.keys())
      for (const { ends, session } of this.links) {
        if (!session || !ends.includes(at)) continue
        const next = ends[0] === at ? ends[1] : ends[0]
        if (!before.has(next)) before.set(next, at)
      }
    if (!before.has(to)) return null
    const path: Peer[] = []
    for (let at = before.get(to) ?? null; at && at !== from; at = before.get(at) ?? null)
      path.unshift(at)
    return path
  }
}
