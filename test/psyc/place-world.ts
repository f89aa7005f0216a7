/** A place in a simulated world: a host, people, relays; loss, kills and restarts; what each of them knows. */

import { keyOf } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { type PeerId, portId, type ZoneKey } from '../../src/base/ids.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { Conversation } from '../../src/box/conversation.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { zoneKeyOf } from '../../src/crypto/zone-key.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import type { Message } from '../../src/psyc/channel.ts'
import type { Link, TreeNode } from '../../src/psyc/edge.ts'
import { type Ledger, memoryLedger } from '../../src/psyc/history.ts'
import type { PlaceRules } from '../../src/psyc/mode.ts'
import { modifier } from '../../src/psyc/packet.ts'
import { type DoorOptions, PlaceDoor, type Visitor } from '../../src/psyc/place-door.ts'
import { PlaceGuest } from '../../src/psyc/place-guest.ts'
import { PlaceHost } from '../../src/psyc/place-host.ts'
import { message, rest } from '../../src/wire/layout.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { type SeededRandom, seededRandom } from '../sim/random.ts'
import { World } from '../sim/world.ts'
import { toLatin } from './vectors.ts'

/** Stands for the handshake of src/box, which has tests of its own. */
const Hello = message('TEST_HELLO', 0xbdff, { zone: rest })
const PORT = portId(sha512(new TextEncoder().encode('a place')))

/** What survives a restart. */
interface Disk {
  readonly store: Store
  readonly ledger: Ledger
}

export class Person {
  readonly name: string
  readonly zone: ZoneKey
  /** Nobody hangs below it, and nobody can dial it. */
  readonly isLeaf: boolean
  readonly disk: Disk = { store: memoryStore(), ledger: memoryLedger() }
  mesh: FakeMesh
  guest: PlaceGuest | null = null
  isRefused = false
  /** Why, where that was not for the host to decide. */
  reason: BoxError | null = null
  isAttached = false
  entered = 0
  /** How often it was told that all there is has come. */
  current = 0
  heard: Message[] = []

  constructor(name: string, zone: ZoneKey, mesh: FakeMesh, isLeaf = false) {
    this.isLeaf = isLeaf
    this.name = name
    this.zone = zone
    this.mesh = mesh
  }

  get node(): TreeNode {
    return { peer: this.mesh.self, zone: this.zone }
  }

  /** The state and the last fragment, as something to compare. */
  get knowledge() {
    const state = this.guest!.state.under('').map(([name, value]) => [name, toLatin(value)])
    return { last: this.guest!.last, state }
  }
}

export interface PlaceWorldOptions {
  rules?: Partial<PlaceRules>
  readonly fanout?: number
  readonly door?: (visitor: Visitor, decide: (admitted: boolean) => void) => void
  readonly allows?: DoorOptions['allows']
  readonly perZoneMax?: number
  readonly overflowMax?: number
  readonly nickOf?: (zone: ZoneKey) => string
}

export class PlaceWorld {
  readonly world: World
  readonly random: SeededRandom
  readonly net: FakeNet
  readonly people: Person[] = []
  readonly key: SigningKey
  readonly hostZone: ZoneKey
  hostMesh: FakeMesh
  host: PlaceHost
  door: PlaceDoor
  private readonly invited: ZoneKey[] = []
  private readonly hidden = new Set<string>()
  /** The probability that a message is lost. */
  loss = 0
  /** Bytes sent by each peer since `resetBytes`, and all sizes seen. */
  readonly sent = new Map<string, number>()
  readonly sizes = new Set<number>()
  /** Told of each message on its way. */
  seen: (raw: Uint8Array) => void = () => {}
  private readonly hostDisk: Disk = { store: memoryStore(), ledger: memoryLedger() }
  readonly options: PlaceWorldOptions
  /** What people take the place for, where it is something else. */
  expects: Pick<PlaceRules, 'isDeniable'> | null = null

  constructor(seed: number, options: PlaceWorldOptions = {}) {
    this.options = options
    this.world = new World(seed)
    this.random = seededRandom(seed + 1)
    this.net = new FakeNet({ clock: this.world, latencyMs: 5, random: this.random })
    this.net.tamper = (raw, from) => this.carry(raw, from)
    this.key = SigningKey.fromSeed(this.random.bytes(32))
    this.hostZone = this.newZone()
    this.hostMesh = this.net.peer()
    this.host = this.startHost()
    this.door = this.openDoor()
  }

  newZone(): ZoneKey {
    return zoneKeyOf('EDKEY', this.random.bytes(32))
  }

  private carry(raw: Uint8Array, from: PeerId): Uint8Array | null {
    const key = keyOf(from)
    this.sent.set(key, (this.sent.get(key) ?? 0) + raw.length)
    if (raw[2] === 0xbd && raw[3] === 0x40) this.sizes.add(raw.length)
    this.seen(raw)
    // Without its hello a channel is never opened: the handshake has its own tests.
    const isHello = raw[3] === 0xff
    return !isHello && this.random.chance(this.loss) ? null : raw
  }

  get hostLedger(): Ledger {
    return this.hostDisk.ledger
  }

  bytesSentBy(peer: PeerId): number {
    return this.sent.get(keyOf(peer)) ?? 0
  }

  get hostNode(): TreeNode {
    return { peer: this.hostMesh.self, zone: this.hostZone }
  }

  private startHost(): PlaceHost {
    const { rules, fanout, perZoneMax, overflowMax, nickOf } = this.options
    return new PlaceHost({
      ...{ key: this.key, self: this.hostNode, clock: this.world, random: this.random },
      ...{ ...this.hostDisk, name: 'place' },
      rules: { isHistoryOpen: false, announcesMembers: false, ...rules },
      ...(fanout && { fanout }),
      ...(perZoneMax && { perZoneMax }),
      ...(overflowMax && { overflowMax }),
      ...(nickOf && { nickOf }),
    })
  }

  private openDoor(): PlaceDoor {
    const door = new PlaceDoor({
      ...{ host: this.host, clock: this.world },
      door: this.options.door ?? ((_, decide) => decide(true)),
      ...(this.options.allows && { allows: this.options.allows }),
      relayRules: new Map([
        ['_message', true],
        ['_message_secret', false],
      ]),
    })
    this.hostMesh.listen(PORT, channel => {
      void this.accept(channel, this.hostZone, link => door.accept(link))
    })
    return door
  }

  /** The process of the host dies at once. */
  killHost(): void {
    this.hostMesh.stop()
    this.host.close()
    this.door.close()
  }

  /** It starts again, with what was on its disk. */
  reviveHost(): void {
    this.hostMesh = this.net.peer(this.hostMesh.self)
    this.host = this.startHost()
    this.door = this.openDoor()
  }

  /** Makes so many people members, who will come later: all their keys are made by then. */
  invite(count: number): void {
    for (let i = 0; i < count; i++) {
      const zone = this.newZone()
      this.host.admit(zone, this.random.bytes(32))
      this.invited.push(zone)
    }
  }

  join(
    name = `p${this.people.length}`,
    zone = this.invited.shift() ?? this.newZone(),
    { isLeaf = false }: { readonly isLeaf?: boolean } = {},
  ): Person {
    const person = new Person(name, zone, this.net.peer(), isLeaf)
    this.people.push(person)
    this.start(person)
    return person
  }

  kill(person: Person): void {
    person.mesh.stop()
    person.guest!.close()
    person.isAttached = false
  }

  revive(person: Person): void {
    person.mesh = this.net.peer(person.mesh.self)
    this.start(person)
  }

  private start(person: Person): void {
    const { world, random, hostNode, options } = this
    const guest = new PlaceGuest({
      ...{ place: this.key.publicKey, host: hostNode, self: person.node },
      ...{ clock: world, random, ...person.disk, name: 'guest' },
      ...(options.fanout && { fanout: options.fanout }),
      isDeniable: (this.expects ?? options.rules)?.isDeniable ?? false,
      isLeaf: person.isLeaf,
      dial: (node, signal) => this.dial(person, node, signal),
      request: { method: '_request_enter', entity: [modifier(':', '_nick', person.name)] },
      events: {
        entered: () => person.entered++,
        refused: reason => {
          person.isRefused = true
          person.reason = reason ?? null
        },
        said: one => person.heard.push(one),
        attached: isAttached => {
          person.isAttached = isAttached
        },
        current: () => person.current++,
      },
    })
    person.guest = guest
    person.isRefused = false
    if (!person.isLeaf) this.listen(person, link => guest.accept(link))
    guest.enter()
  }

  listen(person: Person, take: (link: Link) => void): void {
    person.mesh.listen(PORT, channel => {
      void this.accept(channel, person.zone, take)
    })
  }

  /** From now on nobody can dial it. */
  hide(person: Person): void {
    this.hidden.add(keyOf(person.mesh.self))
  }

  async dial(person: Person, node: TreeNode, signal: AbortSignal): Promise<Link> {
    if (this.hidden.has(keyOf(node.peer))) throw new BoxError('PEER_UNREACHABLE')
    const channel = await person.mesh.connect(node.peer, PORT, { signal })
    return this.introduce(channel, person.zone, signal)
  }

  private async accept(channel: Channel, zone: ZoneKey, take: (link: Link) => void): Promise<void> {
    try {
      take(await this.introduce(channel, zone))
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
    }
  }

  private async introduce(channel: Channel, zone: ZoneKey, signal?: AbortSignal): Promise<Link> {
    const talk = new Conversation(channel, { clock: this.world, timeoutMs: 5_000, signal })
    talk.send(Hello.encode({ zone }))
    const hello = Hello.decode(await talk.next())
    return { zone: hello.zone.slice() as ZoneKey, channel: talk.release() }
  }

  say(text: string, method = '_notice', state: readonly [string, string][] = []): void {
    this.host.announce({
      method,
      entity: state.map(([name, value]) =>
        modifier(value.startsWith('|') ? '+' : '=', name, value),
      ),
      data: new TextEncoder().encode(text),
    })
  }

  get hostKnowledge() {
    const state = this.host.state.under('').map(([name, value]) => [name, toLatin(value)])
    return { last: this.host.last, state }
  }

  async close(): Promise<void> {
    for (const person of this.people) this.kill(person)
    this.killHost()
    await this.world.pass(60_000)
  }
}

export const textOf = (one: Message): string => toLatin(one.data)
