/** A device of the rig that hosts rooms, and comes back with them after it was away. */

import type { OpenLedger } from '../../../agent/room.ts'
import { Rooms } from '../../../agent/rooms.ts'
import { silentLog } from '../../../src/base/log.ts'
import { memoryStore } from '../../../src/base/store.ts'
import { acceptHandshake } from '../../../src/box/handshake.ts'
import { servicePort } from '../../../src/box/ports.ts'
import { roomService } from '../../../src/box/room-address.ts'
import { type Ledger, memoryLedger } from '../../../src/psyc/history.ts'
import type { Rig, RigDevice } from '../rig.ts'

export class Hosting {
  readonly device: RigDevice
  rooms: Rooms
  private readonly rig: Rig
  private readonly store = memoryStore()
  private readonly ledgers = new Map<string, Ledger>()

  constructor(rig: Rig, device: RigDevice) {
    this.rig = rig
    this.device = device
    this.rooms = this.start()
    device.handleRooms = (request, zone) => this.rooms.handle(request, { zone, nick: 'home' })
  }

  stop(): void {
    this.rooms.close()
    this.device.stop()
  }

  /** It is another peer by now, as after a change of engine. */
  comeBack(): void {
    this.device.move()
    this.rooms = this.start()
  }

  private start(): Rooms {
    const { world, net } = this.rig
    const { random } = world
    const { secret } = this.device
    const mesh = net.find(this.device.pid)!
    const rooms = new Rooms({
      ...{ clock: world, random, log: silentLog, store: this.store },
      self: { peer: mesh.self, zone: secret.zone },
      openLedger: name => this.openLedger(name),
    })
    for (const mode of [{ isDeniable: false }, { isDeniable: true }]) {
      const purpose = roomService(mode)
      mesh.listen(servicePort(purpose, secret.zone), channel => {
        void acceptHandshake(channel, {
          ...{ self: mesh.self, purpose, own: secret, clock: world, random },
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
    return { ...ledger, close: () => {} }
  }
}
