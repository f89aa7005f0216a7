/** A controller and its devices on a mesh without a network, with real state directories. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type Context, createContext } from '../../controller/context.ts'
import { makeEgo } from '../../controller/ego.ts'
import type { Device } from '../../controller/fleet.ts'
import { Output } from '../../controller/output.ts'
import { makeSshKey } from '../../controller/ssh-key.ts'
import { directoryState } from '../../controller/state.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { type Approvals, serveControl } from '../../src/box/control.ts'
import { type DeviceRecord, deviceRecords } from '../../src/box/device-record.ts'
import { acceptHandshake, type Refusal, type Session } from '../../src/box/handshake.ts'
import { type NewOwner, PairingDesk } from '../../src/box/pairing-window.ts'
import { type Service, servicePort } from '../../src/box/ports.ts'
import type { RoomListing, RoomRequest } from '../../src/box/room-talk.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { Publisher } from '../../src/gns/publisher.ts'
import { signIntent } from '../../src/gns/revocation.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'

const HOUR_MS = 3_600_000

export class Rig {
  readonly world: World
  readonly net: FakeNet
  readonly hub
  private readonly directories: string[] = []

  constructor(seed = 1) {
    this.world = new World(seed)
    this.net = new FakeNet({ clock: this.world, random: this.world.random })
    this.hub = this.net.peer()
  }

  /** A controller with an identity, that knows the hub. */
  async controller(
    options: {
      json?: boolean
      hub?: boolean
      /** What is on standard input; null: whoever runs the test types it. */
      input?: string | null
      ego?: string
    } = {},
  ): Promise<Controller> {
    const { json = false, hub = true, input = '', ego = 'home' } = options
    const directory = mkdtempSync(join(tmpdir(), 'box-rig-'))
    this.directories.push(directory)
    const said = { out: '', err: '' }
    const sink = (name: 'out' | 'err') => ({
      isTerminal: false,
      write: (bytes: string | Uint8Array) => {
        said[name] += typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()
      },
    })
    const end = new AbortController()
    const stdio = {
      input: new PassThrough(),
      output: new PassThrough(),
      errors: new PassThrough(),
      isTerminal: false,
    }
    if (input !== null) stdio.input.end(input)
    stdio.output.on('data', bytes => sink('out').write(bytes))
    stdio.errors.on('data', bytes => sink('err').write(bytes))
    const state = directoryState(directory, this.world)
    const context = createContext({
      engine: { mesh: 'embedded', gnunetConf: null },
      output: new Output({ json, out: sink('out'), err: sink('err'), clock: this.world }),
      stdio,
      clock: this.world,
      random: this.world.random,
      log: silentLog,
      state,
      signal: end.signal,
      box: ['box'],
      commands: [],
      startMesh: async () => {
        const mesh = this.net.peer()
        if (hub) mesh.introduce(this.hub.hello())
        return mesh
      },
    })
    await makeEgo(state, ego, this.world.random)
    await makeSshKey(state, this.world.random)
    return { context, said, interrupt: reason => end.abort(reason) }
  }

  /** A device that is paired with the controller under this name, and was never reached. */
  async device(
    controller: Controller,
    name: string,
    options: { publishes?: boolean } = {},
  ): Promise<RigDevice> {
    const device = new RigDevice(this, options)
    const { fleet } = controller.context
    const pairedAt = this.world.now()
    await fleet.add({ name, zone: device.secret.zone, tags: [], pairedAt, last: null })
    return device
  }

  clean(): void {
    for (const directory of this.directories) rmSync(directory, { recursive: true, force: true })
  }
}

export interface Controller {
  readonly context: Context
  readonly said: { out: string; err: string }
  readonly interrupt: (reason: Error) => void
}

export const deviceOf = ({ context }: Controller, name: string): Device =>
  context.fleet.device(name)

/** What is left of an agent where nothing but the way to it matters. */
export class RigDevice {
  readonly secret: ZoneSecret
  readonly owners: NewOwner[] = []
  refusal: Refusal | null = null
  /** What it tells with its verdict. */
  verdict: Uint8Array = new Uint8Array(0)
  /** The fingerprint in its record. */
  hostKey: Uint8Array = new Uint8Array(32).fill(7)
  /** What owners ask of its rooms. */
  handleRooms: (request: RoomRequest, by: ZoneKey) => readonly RoomListing[] = () => []
  /** What waits there for another person. */
  approvals: (reader: ZoneKey) => Approvals = () => ({ list: () => [], judge: () => {} })
  /** What it does beside pairing and control. */
  serving: Partial<Record<Service, (session: Session) => void>> = {}
  /** What controllers said with their proofs. */
  readonly payloads: Uint8Array[] = []
  readonly desk: PairingDesk
  private readonly rig: Rig
  private readonly publishes: boolean
  private readonly database = new ZoneDatabase(memoryStore())
  private mesh
  private publisher: Publisher

  constructor(rig: Rig, { publishes = true }: { publishes?: boolean } = {}) {
    this.rig = rig
    this.publishes = publishes
    this.secret = ZoneSecret.generate('EDKEY', rig.world.random)
    this.mesh = rig.net.peer()
    this.publisher = this.start()
    this.desk = new PairingDesk({
      device: () => this.secret.zone,
      clock: rig.world,
      random: rig.world.random,
      log: silentLog,
      record: () => this.record(),
      store: owner => void this.owners.push(owner),
    })
  }

  get pid() {
    return this.mesh.self
  }

  record(): DeviceRecord {
    const { hub } = this.rig
    const hubs = [{ pid: hub.self, hello: hub.hello() }]
    return { pid: this.mesh.self, services: 1, hostKey: this.hostKey, hubs }
  }

  /** Ends as by a pulled plug. */
  stop(): void {
    this.publisher.close()
    this.mesh.stop()
  }

  /** Comes back as another peer, and says so in its zone. */
  move(): void {
    this.stop()
    this.mesh = this.rig.net.peer()
    this.publisher = this.start()
  }

  private start(): Publisher {
    const { world, hub } = this.rig
    this.mesh.introduce(hub.hello())
    for (const service of ['ssh', 'control', 'pair', 'jobs', 'relay'] as const)
      this.mesh.listen(servicePort(service, this.secret.zone), channel => {
        void acceptHandshake(channel, {
          self: this.mesh.self,
          purpose: service,
          own: this.secret,
          clock: world,
          random: world.random,
          admit: (_zone, payload) => {
            this.payloads.push(payload)
            return this.refusal ? { refused: this.refusal } : { payload: this.verdict }
          },
        }).then(
          session => {
            this.serving[service]?.(session)
            if (service === 'pair') void this.desk.serve(session)
            if (service === 'control')
              void serveControl(session, {
                clock: world,
                info: () => ({ version: '1', hostName: 'hut', startedAt: world.now(), owners: 1 }),
                leave: () => {},
                allows: () => true,
                approvals: this.approvals(session.peerZone),
                administration: {
                  grant: () => {},
                  revoke: () => {},
                  rotateHostKey: () => {},
                  rotateKey: () => new Uint8Array(0),
                  revocation: time => signIntent(this.secret, time),
                  grants: () => [],
                  audit: () => [],
                  rooms: request => this.handleRooms(request, session.peerZone),
                },
              })
          },
          () => {},
        )
      })
    this.database.replace(this.secret.zone, '@', deviceRecords(this.record(), { afterMs: HOUR_MS }))
    const publisher = new Publisher({
      mesh: this.mesh,
      clock: world,
      random: world.random,
      log: silentLog,
      database: this.database,
    })
    if (this.publishes) publisher.publish(this.secret)
    return publisher
  }
}
