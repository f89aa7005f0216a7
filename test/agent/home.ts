/** A device with its agent and an owner, on a mesh without a network but in real time: programs run in it. */

import type { Duplex } from 'node:stream'
import type { Client } from 'ssh2'
import { Agent, type AgentParts } from '../../agent/agent.ts'
import type { AgentConfig } from '../../agent/config.ts'
import type { Machine } from '../../agent/pushing.ts'
import type { OpenLedger } from '../../agent/room.ts'
import { type Log, silentLog } from '../../src/base/log.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { memoryEntries } from '../../src/box/audit.ts'
import { authenticate, type Session } from '../../src/box/handshake.ts'
import { type PairedDevice, pairWithDevice } from '../../src/box/pairing.ts'
import {
  formatPairingCode,
  type PairingCode,
  parsePairingCode,
} from '../../src/box/pairing-code.ts'
import type { WindowEnd } from '../../src/box/pairing-window.ts'
import { type Service, servicePort } from '../../src/box/ports.ts'
import { encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { type Ledger, memoryLedger } from '../../src/psyc/history.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { memoryFiles } from './memory-files.ts'
import { connectOver, KEYS, publicBlob } from './ssh-fixture.ts'

export const CONFIG: AgentConfig = {
  name: 'box',
  mesh: 'embedded',
  meshSocket: null,
  gnunetConf: null,
  hub: false,
  listen: [],
  advertise: [],
  hubs: [],
  shell: '/bin/bash',
  roots: [],
  relay: false,
  relays: [],
  relayFilesMegabytes: 64,
  keepShellsMinutes: 30,
  record: [],
  recordMegabytes: 1,
  recordDays: 90,
  recordInput: false,
  metrics: null,
  alerts: [],
  alertsFile: '/nowhere/alerts.json',
  probes: null,
  services: [],
  servicesFile: '/nowhere/services.json',
}

const clock = systemClock
const random = systemRandom

export class Home {
  readonly net = new FakeNet({ clock, random, latencyMs: 0 })
  readonly store: Store
  readonly controller: FakeMesh
  readonly owner = ZoneSecret.generate('EDKEY', random)
  readonly ends: WindowEnd[] = []
  readonly audit = memoryEntries()
  readonly recordings = memoryFiles()
  private readonly ledgers = new Map<string, Ledger>()
  /** Where configuration can be pushed to; set before the start. */
  machine: Machine | null = null
  deviceMesh!: FakeMesh
  agent!: Agent

  constructor(store: Store = memoryStore()) {
    this.store = store
    this.controller = this.net.peer()
  }

  /** Starts the agent; a new peer each time, as after a change of engine. */
  async start(config: Partial<AgentConfig> = {}, log: Log = silentLog): Promise<Agent> {
    const parts: AgentParts = {
      config: { ...CONFIG, ...config },
      store: this.store,
      clock,
      random,
      log,
      audit: this.audit,
      recordings: this.recordings,
      openLedger: name => this.openLedger(name),
      ...(this.machine && { machine: this.machine }),
    }
    this.agent = await Agent.start(parts, async () => {
      this.deviceMesh = this.net.peer()
      return this.deviceMesh
    })
    return this.agent
  }

  /** Files beside the store, which last as it does. */
  private openLedger(name: string): OpenLedger {
    const ledger = this.ledgers.get(name) ?? memoryLedger()
    this.ledgers.set(name, ledger)
    return { ...ledger, close: () => {} }
  }

  async stop(): Promise<void> {
    await this.agent.close()
    this.controller.stop()
  }

  /** Opens the window on the device; the code as the owner types it. */
  openWindow(): PairingCode {
    const code = this.agent.pair(10, end => void this.ends.push(end))
    return parsePairingCode(formatPairingCode(code))
  }

  async pair(code = this.openWindow()): Promise<PairedDevice> {
    const channel = await this.controller.connect(
      this.deviceMesh.self,
      servicePort('pair', code.device),
    )
    return pairWithDevice(channel, {
      self: this.controller.self,
      own: this.owner,
      code,
      deviceName: 'kitchen',
      ownerName: 'home',
      clock,
      random,
      store: () => {},
    })
  }

  async open(
    service: Service,
    own = this.owner,
    payload: Uint8Array = new Uint8Array(0),
  ): Promise<Session> {
    const device = this.agent.device.zone
    const channel = await this.controller.connect(
      this.deviceMesh.self,
      servicePort(service, device),
    )
    const self = this.controller.self
    return authenticate(channel, { self, purpose: service, own, device, clock, random, payload })
  }

  async sshStream(own = this.owner, deviceName = ''): Promise<Duplex> {
    const publicKey = publicBlob(KEYS.public)
    const session = await this.open(
      'ssh',
      own,
      encodeSshAnnouncement({ publicKey, deviceName, user: null }),
    )
    return asDuplex(session.channel, clock)
  }

  /** An SSH client that has logged in. */
  async login(deviceName = ''): Promise<Client> {
    return connectOver(await this.sshStream(this.owner, deviceName))
  }
}
