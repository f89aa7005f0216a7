/**
 * A controller and devices with the real agent, on a mesh without a network, in real time. All devices have the
 * same paths, as they would in life: each sees a directory of its own below `shared`.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { Agent } from '../../../agent/agent.ts'
import type { AgentConfig } from '../../../agent/config.ts'
import type { Upgrader } from '../../../agent/upgrader.ts'
import { type Context, createContext } from '../../../controller/context.ts'
import { makeEgo } from '../../../controller/ego.ts'
import { Output } from '../../../controller/output.ts'
import { directoryState } from '../../../controller/state.ts'
import { silentLog } from '../../../src/base/log.ts'
import { memoryStore, type Store } from '../../../src/base/store.ts'
import { type EntryFile, memoryEntries, parseAuditEntry } from '../../../src/box/audit.ts'
import { GrantBook, ownerGrant } from '../../../src/box/grant.ts'
import { systemClock as clock } from '../../../src/sys/clock.ts'
import { type Disk, realDisk } from '../../../src/sys/disk.ts'
import { systemRandom as random } from '../../../src/sys/random.ts'
import { tcpNetwork } from '../../../src/sys/tcp.ts'
import { CONFIG } from '../../agent/home.ts'
import { FakeNet } from '../../sim/fake-mesh.ts'

interface Inhabitant {
  readonly store: Store
  readonly directory: string
  readonly config: Partial<AgentConfig>
  agent: Agent
}

export class PushHouse {
  readonly controller: { readonly context: Context; readonly said: { out: string; err: string } }
  /** What every device knows as the directory of its configuration. */
  readonly shared = '/etc/box-house'
  /** How the next device that is started takes another version of its agent; by its directory. */
  upgrader: (directory: string) => Upgrader | null = () => null
  private readonly net = new FakeNet({ clock, random, latencyMs: 0 })
  private readonly hub = this.net.peer()
  private readonly top: string
  private readonly devices = new Map<string, Inhabitant>()
  private readonly audits = new Map<string, EntryFile>()

  static async open(): Promise<PushHouse> {
    const house = new PushHouse(mkdtempSync(join(tmpdir(), 'box-house-')))
    await makeEgo(house.controller.context.state, 'home', random)
    return house
  }

  private constructor(top: string) {
    this.top = top
    const said = { out: '', err: '' }
    const sink = (name: 'out' | 'err') => ({
      isTerminal: false,
      write: (bytes: string | Uint8Array) => {
        said[name] += typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()
      },
    })
    const stream = () => new PassThrough()
    const context = createContext({
      output: new Output({ json: false, out: sink('out'), err: sink('err'), clock }),
      stdio: { input: stream(), output: stream(), errors: stream(), isTerminal: false },
      ...{ clock, random, log: silentLog, box: ['box'], commands: [] },
      state: directoryState(join(top, 'controller'), clock),
      signal: new AbortController().signal,
      engine: { mesh: 'embedded', gnunetConf: null },
      // In this network any work will do.
      revocationBits: 0,
      startMesh: async () => {
        const mesh = this.net.peer()
        mesh.introduce(this.hub.hello())
        return mesh
      },
    })
    this.controller = { context, said }
  }

  /** A device that is paired under this name. */
  async device(
    name: string,
    tags: readonly string[] = [],
    config: Partial<AgentConfig> = {},
  ): Promise<void> {
    const store = memoryStore()
    const { context } = this.controller
    const names = { holder: 'home', deviceName: name }
    new GrantBook(store).set(ownerGrant(context.ego().secret.zone, names, 0))
    const directory = join(this.top, name)
    mkdirSync(join(directory, 'etc'), { recursive: true })
    mkdirSync(join(directory, 'state'))
    writeFileSync(join(directory, 'etc', 'motd'), 'old\n', { mode: 0o644 })
    const agent = await this.start(store, directory, config)
    this.devices.set(name, { store, directory, config, agent })
    const { zone } = agent.device
    await context.fleet.add({ name, zone, tags, pairedAt: 0, last: null })
  }

  /** Where the files of a device really lie. */
  etc(name: string): string {
    return join(this.devices.get(name)!.directory, 'etc')
  }

  /** What the journal of a device says: what, about what, how it ended. */
  audit(name: string): readonly string[] {
    const entries = this.audits.get(join(this.top, name))?.entries() ?? []
    return entries.flatMap(entry => {
      const read = parseAuditEntry(entry)
      return read ? [`${read.what} ${read.detail} ${read.result}`] : []
    })
  }

  /** The agent as it runs now. */
  agent(name: string): Agent {
    return this.devices.get(name)!.agent
  }

  async off(name: string): Promise<void> {
    await this.devices.get(name)!.agent.close()
  }

  async on(name: string): Promise<void> {
    const device = this.devices.get(name)!
    device.agent = await this.start(device.store, device.directory, device.config)
  }

  async close(): Promise<void> {
    for (const { agent } of this.devices.values()) await agent.close()
    await this.controller.context.close()
    rmSync(this.top, { recursive: true, force: true })
  }

  private start(store: Store, directory: string, more: Partial<AgentConfig>): Promise<Agent> {
    const disk = mappedDisk(this.shared, join(directory, 'etc'))
    const machine = { disk, directory: join(directory, 'state'), network: tcpNetwork }
    const config = { ...CONFIG, hubs: [this.hub.hello()], roots: [this.shared], ...more }
    const upgrader = this.upgrader(directory)
    const audit = this.audits.get(directory) ?? memoryEntries()
    this.audits.set(directory, audit)
    return Agent.start(
      {
        ...{ config, store, clock, random, log: silentLog, audit, machine },
        ...(upgrader && { upgrader }),
        revocationBits: 0,
      },
      async () => {
        const mesh = this.net.peer()
        mesh.introduce(this.hub.hello())
        return mesh
      },
    )
  }
}

/** A disk on which what lies at or below `from` really lies at `to`. */
function mappedDisk(from: string, to: string): Disk {
  const map = (arg: unknown) =>
    typeof arg === 'string' && (arg === from || arg.startsWith(`${from}/`))
      ? to + arg.slice(from.length)
      : arg
  const mapped = Object.entries(realDisk).map(([name, run]) => [
    name,
    (...args: unknown[]) => (run as (...args: unknown[]) => unknown)(...args.map(map)),
  ])
  return Object.fromEntries(mapped) as Disk
}
