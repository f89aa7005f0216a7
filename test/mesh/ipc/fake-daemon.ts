/** A GNUnet installation that is not there: services on streams in memory, which say what a test wants. */

import type { Stream, StreamEvents } from '../../../src/base/stream.ts'
import type { Installation } from '../../../src/mesh/ipc/configuration.ts'
import {
  CoreInit,
  CoreInitReply,
  CoreMonitorNotify,
  CoreMonitorPeers,
  PathEnd,
  PathRequest,
  TunnelsEnd,
  TunnelsInfo,
  TunnelsRequest,
} from '../../../src/mesh/ipc/messages.ts'
import { messageType } from '../../../src/wire/dispatch.ts'
import { MessageSplitter } from '../../../src/wire/framing.ts'
import type { Message } from '../../../src/wire/layout.ts'
import type { World } from '../../sim/world.ts'

const RUN = '/run/gnunet'
const UP = 3

/** What a socket does when it is dialled. */
export type Door = 'open' | 'ENOENT' | 'EACCES' | 'ECONNREFUSED'

/** One client's connection, as the service sees it. */
export class FakeConnection implements Stream {
  readonly local = { host: '', port: 0 }
  readonly remote = { host: '', port: 0 }
  readonly service: FakeService
  private readonly events: StreamEvents
  private readonly splitter = new MessageSplitter()
  private over = false

  constructor(service: FakeService, events: StreamEvents) {
    this.service = service
    this.events = events
  }

  write(bytes: Uint8Array): boolean {
    for (const raw of this.splitter.push(bytes.slice())) {
      this.service.heard.push(raw.slice())
      this.service.later(() => this.service.answer(this, messageType(raw), raw))
    }
    return true
  }

  pause(): void {}
  resume(): void {}

  close(): void {
    this.over = true
    this.service.connections.delete(this)
  }

  /** Bytes for the client. */
  say(bytes: Uint8Array): void {
    this.service.later(() => {
      if (!this.over) this.events.received(bytes)
    })
  }

  opened(): void {
    if (!this.over) this.events.opened()
  }

  /** The service hangs up. */
  hangUp(error: Error | null = null): void {
    this.service.connections.delete(this)
    if (this.over) return
    this.over = true
    this.events.closed(error)
  }
}

export class FakeService {
  door: Door = 'open'
  /** Every message of every client, in order. */
  readonly heard: Uint8Array[] = []
  readonly connections = new Set<FakeConnection>()
  answer: (connection: FakeConnection, type: number, raw: Uint8Array) => void
  private readonly world: World

  constructor(world: World, answer: FakeService['answer'] = () => {}) {
    this.world = world
    this.answer = answer
  }

  later(run: () => void): void {
    this.world.after(0, run)
  }

  /** What was heard of one kind. */
  of<T>(message: Message<T>): T[] {
    return this.heard
      .filter(raw => messageType(raw) === message.type)
      .map(raw => message.decode(raw))
  }

  say(raw: Uint8Array): void {
    for (const connection of this.connections) connection.say(raw)
  }

  hangUp(): void {
    for (const connection of [...this.connections]) connection.hangUp()
  }

  dial(events: StreamEvents): Stream {
    const connection = new FakeConnection(this, events)
    this.later(() => {
      if (this.door !== 'open') {
        const error = Object.assign(new Error(this.door), { code: this.door })
        connection.hangUp(error)
        return
      }
      this.connections.add(connection)
      connection.opened()
    })
    return connection
  }
}

export class FakeDaemon {
  self: Uint8Array
  readonly core: FakeService
  readonly cadet: FakeService
  readonly dht: FakeService
  readonly peerinfo: FakeService
  version: string | null = '0.19.3'
  neighbours: Uint8Array[] = []
  /** What CADET says of its tunnels. */
  tunnels: { peer: Uint8Array; connections: number }[] = []
  readonly files = new Map<string, string>([
    ['/etc/box.conf', `[PATHS]\nGNUNET_RUNTIME_DIR = ${RUN}/\n`],
  ])

  constructor(world: World, self: Uint8Array) {
    this.self = self
    this.core = new FakeService(world, (connection, type) => {
      if (type === CoreInit.type)
        connection.say(CoreInitReply.encode({ peer: this.self, peerClass: null }))
      if (type === CoreMonitorPeers.type)
        for (const peer of this.neighbours)
          connection.say(CoreMonitorNotify.encode({ state: UP, peer, timeout: 0n }))
    })
    this.cadet = new FakeService(world, (connection, type) => {
      if (type === TunnelsRequest.type) {
        for (const { peer, connections } of this.tunnels)
          connection.say(TunnelsInfo.encode({ peer, connections, channels: 1, encryption: 5 }))
        connection.say(TunnelsEnd.encode({}))
      }
      if (type === PathRequest.type) connection.say(PathEnd.encode({}))
    })
    this.dht = new FakeService(world)
    this.peerinfo = new FakeService(world)
  }

  readonly dial = (path: string, events: StreamEvents): Stream => this.at(path).dial(events)

  get installation(): Installation {
    return {
      env: {},
      read: path => this.files.get(path) ?? null,
      list: () => [],
      exists: path => this.find(path)?.door !== undefined && this.find(path)?.door !== 'ENOENT',
      groupOf: () => 'gnunet',
      version: () => this.version,
    }
  }

  private find(path: string): FakeService | null {
    const [, name] = /gnunet-service-(\w+)\.sock$/.exec(path) ?? []
    const services = { core: this.core, cadet: this.cadet, dht: this.dht, peerinfo: this.peerinfo }
    return services[name as keyof typeof services] ?? null
  }

  private at(path: string): FakeService {
    const service = this.find(path)
    if (!service) throw new Error(`no service at ${path}`)
    return service
  }
}
