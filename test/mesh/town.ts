/**
 * A town: hubs in the open, devices behind NATs that dial out to two of them each, bad lines, wrong clocks.
 * Every resident runs what an agent runs on its machine: the embedded engine, its zone and its publisher.
 */

import { Whereabouts } from '../../agent/whereabouts.ts'
import { keyOf } from '../../src/base/bytes.ts'
import type { PeerId, PortId } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { readDeviceRecords, waysTo } from '../../src/box/device-record.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { Publisher } from '../../src/gns/publisher.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { keysOf } from '../agent/only-key.ts'
import { framed, Inbox, portOf } from '../compliance/mesh.ts'
import type { Line } from '../sim/line.ts'
import type { Machine } from '../sim/machine.ts'
import { FORGETFUL, Nat, PATIENT } from '../sim/nat.ts'
import { World } from '../sim/world.ts'

const PORT = 2086
/** The service of every resident: it says again what it is told. */
export const ECHO: PortId = portOf('echo')

export const BAD_LINE: Partial<Line> = { loss: 0.02, jitterMs: 20 }

/** What runs on a machine while it runs. */
interface Programs {
  readonly mesh: EmbeddedMesh
  readonly publisher: Publisher
  readonly whereabouts: Whereabouts
  readonly resolver: Resolver
  readonly sessions: Set<Channel>
}

export class Resident {
  readonly machine: Machine
  readonly zone: ZoneSecret
  readonly hubs: readonly Resident[]
  readonly isHub: boolean
  /** Of a hub, once it has run: where it can be dialled. */
  hello = ''
  programs: Programs | null = null

  constructor(machine: Machine, { hubs, isHub }: { hubs: readonly Resident[]; isHub: boolean }) {
    this.machine = machine
    this.zone = ZoneSecret.generate('EDKEY', machine.random)
    this.hubs = hubs
    this.isHub = isHub
  }

  get name(): string {
    return this.machine.name
  }

  get mesh(): EmbeddedMesh {
    if (!this.programs) throw new Error(`${this.name} does not run`)
    return this.programs.mesh
  }

  /** Whether others should be able to reach it. */
  get isReachable(): boolean {
    return this.programs !== null && (this.isHub || this.hubs.some(hub => hub.programs !== null))
  }

  async start(): Promise<void> {
    const { machine, zone } = this
    const { clock, random, store } = machine
    const hubs = this.hubs.map(({ hello }) => hello)
    const mesh = await createEmbedded({
      ...{ clock, random, store, hubs, log: silentLog },
      network: machine.network(),
      listen: this.isHub ? [{ host: machine.address, port: PORT }] : [],
    })
    const database = new ZoneDatabase(store)
    const publisher = new Publisher({ mesh, clock, random, log: silentLog, database })
    const hostKey = new Uint8Array(32)
    const device = keysOf(zone, { store, clock })
    const whereabouts = new Whereabouts({
      ...{ mesh, device, hostKey, hubs, database, publisher, clock },
    })
    const resolver = new Resolver({ mesh, clock, zones: () => null, database })
    const sessions = new Set<Channel>()
    mesh.listen(ECHO, channel => {
      sessions.add(channel)
      channel.attach({
        message: message => void channel.send(message),
        drained: () => {},
        closed: () => void sessions.delete(channel),
      })
    })
    this.hello = mesh.hello()
    this.programs = { mesh, publisher, whereabouts, resolver, sessions }
  }

  /** In good order. */
  async stop(): Promise<void> {
    if (!this.programs) return
    const { mesh, publisher, whereabouts } = this.programs
    this.programs = null
    whereabouts.close()
    publisher.close()
    await mesh.close()
  }

  /** `kill -9`, or the power is gone. */
  die(how: 'killed' | 'no power'): void {
    this.programs = null
    if (how === 'killed') this.machine.kill()
    else this.machine.crash()
  }

  /** After any end. */
  async comeBack(): Promise<void> {
    this.machine.restart()
    await this.start()
  }
}

export class Town {
  readonly world: World
  readonly hubs: Resident[] = []
  readonly devices: Resident[] = []
  private addresses = 0

  constructor(seed: number) {
    this.world = new World(seed)
  }

  get residents(): readonly Resident[] {
    return [...this.hubs, ...this.devices]
  }

  /** Hubs know each other; a device knows two of them. */
  async settle(counts: { hubs: number; devices: number }, line = BAD_LINE): Promise<void> {
    const { world } = this
    for (let i = 0; i < counts.hubs; i++) {
      const machine = world.host(this.address('198.51.100'), line)
      await this.add(new Resident(machine, { hubs: this.hubs.slice(0, 2), isHub: true }))
    }
    for (let i = 0; i < counts.devices; i++) {
      const machine = world.machine(this.nat(), line)
      const hubs = [this.hubs[i % counts.hubs]!, this.hubs[(i + 1) % counts.hubs]!]
      await this.add(new Resident(machine, { hubs: [...new Set(hubs)], isHub: false }))
    }
  }

  /** A network for a device to be in. */
  nat(): Nat {
    return new Nat(this.address('203.0.113'), this.world.random.chance(0.5) ? FORGETFUL : PATIENT)
  }

  /**
   * Opens a channel and waits for an echo. How long that took, or what went wrong. `by` what `to` is
   * found: its pid alone, or its zone, whose records tell where it is.
   */
  async reach(from: Resident, to: Resident, by: 'pid' | 'name', ms: number): Promise<number> {
    const since = this.world.now()
    const channel = await this.world.until(this.open(from, to, by), ms)
    const inbox = new Inbox()
    channel.attach(inbox)
    const word = framed(this.world.random.bytes(9))
    channel.send(word)
    await this.world.until(
      inbox.until(() => inbox.messages.length > 0 || inbox.reason !== null),
      ms,
    )
    channel.close()
    if (inbox.reason) throw inbox.reason
    if (keyOf(inbox.messages[0]!) !== keyOf(word)) throw new Error('the echo is another word')
    return this.world.now() - since
  }

  /** Finds a resident and opens a channel to it. */
  async open(from: Resident, to: Resident, by: 'pid' | 'name'): Promise<Channel> {
    const { mesh, resolver } = from.programs!
    if (by === 'pid') return mesh.connect(to.mesh.self, ECHO)
    const { records } = await resolver.resolve(zoneToText(to.zone.zone), 'any', {
      fresh: true,
      timeoutMs: 30_000,
    })
    const record = readDeviceRecords(records)
    const via: readonly (readonly PeerId[])[] = waysTo(record, mesh.self)
    return mesh.connect(record.pid, ECHO, { via })
  }

  async close(): Promise<void> {
    for (const resident of this.residents) await resident.stop()
  }

  private async add(resident: Resident): Promise<void> {
    await resident.start()
    if (resident.isHub) this.hubs.push(resident)
    else this.devices.push(resident)
  }

  private address(network: string): string {
    this.addresses++
    return `${network}.${this.addresses}`
  }
}
