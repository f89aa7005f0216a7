/** A device that hosts rooms in a simulated world, and people who come to them; what survives a restart. */

import type { OpenLedger } from '../../agent/room.ts'
import { Rooms, type RoomsOptions } from '../../agent/rooms.ts'
import { BoxError } from '../../src/base/errors.ts'
import { peerId } from '../../src/base/ids.ts'
import { type Log, silentLog } from '../../src/base/log.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { acceptHandshake, authenticate } from '../../src/box/handshake.ts'
import { servicePort } from '../../src/box/ports.ts'
import { roomService } from '../../src/box/room-address.ts'
import type { RoomListing, RoomRequest } from '../../src/box/room-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import type { Message } from '../../src/psyc/channel.ts'
import { type Ledger, memoryLedger } from '../../src/psyc/history.ts'
import { PlaceGuest } from '../../src/psyc/place-guest.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'

export class RoomHouse {
  readonly world: World
  readonly net: FakeNet
  readonly device: ZoneSecret
  readonly owner: ZoneSecret
  readonly store: Store
  readonly ledgers = new Map<string, Ledger>()
  /** Writes that still succeed before the disk is full. */
  room = Infinity
  mesh: FakeMesh
  rooms: Rooms
  readonly visitors: Visitor[] = []
  private readonly log: Log
  /** What its rooms are, and how visitors come. */
  isDeniable = false
  /** What the device says when it is asked. */
  asked: RoomsOptions['ask']

  constructor(seed = 1, log: Log = silentLog) {
    this.world = new World(seed)
    this.log = log
    this.net = new FakeNet({ clock: this.world, random: this.world.random })
    this.device = ZoneSecret.generate('EDKEY', this.world.random)
    this.owner = ZoneSecret.generate('EDKEY', this.world.random)
    const store = memoryStore()
    this.store = {
      ...store,
      set: (name, value) => this.write(() => store.set(name, value)),
      // A ledger is a file beside the values.
      names: () => [...store.names(), ...this.ledgers.keys()],
      delete: name => {
        store.delete(name)
        this.ledgers.delete(name)
      },
    }
    this.mesh = this.net.peer()
    this.rooms = this.start()
  }

  /** The agent is killed, and started again on the same disk. */
  restart(): void {
    this.stop()
    this.mesh = this.net.peer(this.mesh.self)
    this.rooms = this.start()
  }

  stop(): void {
    this.mesh.stop()
    this.rooms.close()
  }

  ask(request: RoomRequest, by = { zone: this.owner.zone, nick: 'home' }): RoomListing {
    return this.rooms.handle(request, by)[0]!
  }

  /** A room of the owner's; its key. */
  create(name = 'ops', isOpen = false): Uint8Array {
    const { isDeniable } = this
    return this.ask({ do: 'create', name, nick: 'home', isOpen, isDeniable }).place
  }

  invite(place: Uint8Array, nick: string, zone = this.person().zone): RoomListing {
    return this.ask({ do: 'invite', place, zone, nick })
  }

  person(): ZoneSecret {
    return ZoneSecret.generate('EDKEY', this.world.random)
  }

  /** A process of somebody who wants to be in a room. */
  visit(place: Uint8Array, own: ZoneSecret, mesh = this.net.peer()): Visitor {
    const visitor = new Visitor(this, place, own, mesh)
    this.visitors.push(visitor)
    return visitor
  }

  async close(): Promise<void> {
    for (const visitor of this.visitors) visitor.stop()
    this.stop()
    await this.world.pass(120_000)
  }

  private write(run: () => void): void {
    if (this.room <= 0) throw new BoxError('STATE_UNWRITABLE')
    this.room--
    run()
  }

  private start(): Rooms {
    const { world, store, log, mesh, device } = this
    const rooms = new Rooms({
      ...{ clock: world, random: world.random, log, store },
      self: { peer: mesh.self, zone: device.zone },
      openLedger: name => this.openLedger(name),
      ...(this.asked && { ask: this.asked }),
    })
    for (const mode of [{ isDeniable: false }, { isDeniable: true }]) {
      const purpose = roomService(mode)
      mesh.listen(servicePort(purpose, device.zone), channel => {
        void acceptHandshake(channel, {
          ...{ self: mesh.self, purpose, own: device, clock: world, random: world.random },
          admit: (zone, place) => rooms.admit(zone, place, mode),
        }).then(
          session => rooms.serve(session, mode),
          () => {},
        )
      })
    }
    return rooms
  }

  private openLedger(name: string): OpenLedger {
    const ledger = this.ledgers.get(name) ?? memoryLedger()
    this.ledgers.set(name, ledger)
    return {
      ...ledger,
      append: entry => this.write(() => ledger.append(entry)),
      close: () => {},
    }
  }
}

/** What one process of somebody hears and says. */
export class Visitor {
  readonly heard: Message[] = []
  /** What the device said against letting us in. */
  refused: BoxError | null = null
  private readonly store = memoryStore()
  private readonly ledger = memoryLedger()
  private readonly house: RoomHouse
  private readonly place: Uint8Array
  own: ZoneSecret
  mesh: FakeMesh
  guest: PlaceGuest

  constructor(house: RoomHouse, place: Uint8Array, own: ZoneSecret, mesh: FakeMesh) {
    this.house = house
    this.place = place
    this.own = own
    this.mesh = mesh
    this.guest = this.enter()
  }

  get texts(): string[] {
    return this.heard.flatMap(({ method, data }) =>
      method === '_message' ? [new TextDecoder().decode(data)] : [],
    )
  }

  async say(text: string, tag?: Uint8Array): Promise<void> {
    const saying = { method: '_message', data: new TextEncoder().encode(text) }
    await this.house.world.until(this.guest.talk(saying, tag), 120_000)
  }

  stop(): void {
    this.mesh.stop()
    this.guest.close()
  }

  /** Comes back with what it remembers. */
  return(): void {
    this.mesh = this.house.net.peer()
    this.guest = this.enter()
  }

  private enter(): PlaceGuest {
    const { house, place, own } = this
    const { world } = house
    const { mesh } = this
    const guest = new PlaceGuest({
      ...{ place, isDeniable: house.isDeniable, clock: world, random: world.random },
      ...{ store: this.store, name: 'guest', ledger: this.ledger },
      host: { peer: house.mesh.self, zone: house.device.zone },
      self: { peer: peerId(world.random.bytes(32)), zone: own.zone },
      request: { method: '_request_enter' },
      dial: async (_, signal) => {
        const purpose = roomService(house)
        const port = servicePort(purpose, house.device.zone)
        try {
          const channel = await mesh.connect(house.mesh.self, port, { signal })
          const session = await authenticate(channel, {
            ...{ self: mesh.self, purpose, own, device: house.device.zone, signal },
            ...{ clock: world, random: world.random, payload: place },
          })
          return { zone: house.device.zone, channel: session.channel }
        } catch (error) {
          if (error instanceof BoxError && error.family === 'refused') this.refused = error
          throw error
        }
      },
      events: {
        entered: () => {},
        refused: () => {
          this.refused = new BoxError('NOT_PERMITTED')
        },
        said: message => this.heard.push(message),
        attached: () => {},
      },
    })
    guest.enter()
    return guest
  }
}
