/**
 * The engine of those whose network is GNUnet already: the daemon installed on the machine, by way of its
 * service sockets. The daemon is the peer; this only asks it. It may be stopped, restarted or replaced at any
 * time: channels then end with CHANNEL_LOST, ports and questions stand again as soon as it is back.
 */

import { equalBytes } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { Counters } from '../base/counters.ts'
import { BoxError } from '../base/errors.ts'
import type { PeerId, PortId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { sha256 } from '../crypto/hash.ts'
import { encodeBase32 } from '../wire/base32.ts'
import { attempt } from './attempt.ts'
import { loopbackPair } from './cadet/loopback.ts'
import { GnunetNames } from './gnunet-names.ts'
import { DaemonCadet, type OpenEvents } from './ipc/cadet.ts'
import { CadetInfo } from './ipc/cadet-info.ts'
import { type Daemon, findDaemon, type Installation } from './ipc/configuration.ts'
import { DaemonCore } from './ipc/core.ts'
import { DaemonDht } from './ipc/dht.ts'
import { DIALECTS, type Dialect, dialectOf } from './ipc/dialect.ts'
import { type Attempt, Faults } from './ipc/faults.ts'
import { type Hellos, PeerinfoHellos, PeerstoreHellos } from './ipc/hellos.ts'
import { KEEP_PORT, Keeper } from './ipc/keeper.ts'
import { Overview } from './ipc/overview.ts'
import { DaemonRevocations } from './ipc/revocations.ts'
import type { DialService, ServicePorts } from './ipc/service.ts'
import { serviceTrouble, withGroup } from './ipc/troubles.ts'
import type {
  Channel,
  ConnectOptions,
  Dht,
  Listening,
  Mesh,
  MeshStatus,
  NeighbourWatch,
  Trouble,
} from './mesh.ts'

/** ARM starts a service when it is first asked for: slow machines take seconds. */
const START_MS = 10_000
/** The own HELLO comes at once, or has no addresses anyway. */
const HELLO_MS = 1_000
/** As long as the embedded engine tries. */
const CONNECT_MS = 30_000
export interface GnunetOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly dial: DialService
  readonly installation: Installation
  /** The configuration file of the daemon; null: whichever is found. */
  readonly file: string | null
  /** HELLO URLs of peers that the daemon shall know. Throws INPUT_INVALID on one that is none. */
  readonly hubs?: readonly string[]
}

/** The engine, and what only its owner may know. */
export interface GnunetMesh extends Mesh {
  readonly dialect: Dialect
  readonly daemon: Daemon
  readonly names: GnunetNames
}

/**
 * Attaches to the daemon. Fails with CONFIG_INVALID, GNUNET_ABSENT, GNUNET_FORBIDDEN, GNUNET_SILENT, GNUNET_TOO_OLD,
 * INPUT_INVALID.
 */
export async function createGnunet(options: GnunetOptions): Promise<GnunetMesh> {
  const mesh = new Gnunet(options)
  try {
    await mesh.start()
    return mesh
  } catch (error) {
    await mesh.close()
    throw error
  }
}

class Gnunet implements GnunetMesh {
  self!: PeerId
  readonly dht: Dht
  dialect: Dialect = DIALECTS.A
  readonly daemon: Daemon
  readonly names: GnunetNames
  readonly gossip: DaemonRevocations
  private readonly options: GnunetOptions
  private readonly counters = new Counters()
  private readonly core: DaemonCore
  private readonly daemonDht: DaemonDht
  private readonly cadet: DaemonCadet
  private readonly info: CadetInfo
  private readonly keeper: Keeper
  private readonly overview: Overview
  private readonly faults: Faults
  private hellos: Hellos | null = null
  private readonly watchers = new Set<NeighbourWatch>()
  private readonly attempts = new Map<Attempt, (reason: unknown) => void>()
  private tools: string | null | undefined
  private identityTrouble: Trouble | null = null
  private starting: { done(): void; fail(reason: BoxError): void } | null = null
  private closed = false

  constructor(options: GnunetOptions) {
    this.options = options
    const { clock, random, log, dial, installation, file } = options
    const { counters } = this
    const daemon = findDaemon(installation, file)
    this.daemon = daemon
    const ports: ServicePorts = { clock, log, counters, dial }
    this.core = new DaemonCore(
      { ...ports, path: daemon.socket('core'), dialect: () => this.dialect },
      {
        introduced: (self, tellsClass) => this.introduced(self, tellsClass),
        up: peer => this.tell(watcher => watcher.up(peer)),
        down: peer => this.tell(watcher => watcher.down(peer)),
        lost: reason => this.starting?.fail(reason),
      },
    )
    this.daemonDht = new DaemonDht({
      ...ports,
      random,
      path: daemon.socket('dht'),
      recordsRoutes: () => this.dialect.recordsRoutes,
      digest: sha256,
    })
    this.dht = this.daemonDht
    this.names = new GnunetNames(daemon, ports, () => this.dialect)
    this.gossip = new DaemonRevocations(daemon.socket('revocation'), ports)
    this.cadet = new DaemonCadet({
      ...ports,
      path: daemon.socket('cadet'),
      wayTo: peer => this.overview.wayTo(peer),
      changed: () => {},
    })
    this.info = new CadetInfo(daemon.socket('cadet'), ports)
    this.faults = new Faults(daemon.file)
    this.overview = new Overview({
      clock,
      info: this.info,
      self: () => this.self,
      isNeighbour: peer => this.core.isUp(peer),
      channels: () => this.cadet.inUse,
      looked: tunnels => {
        const attempts = [...this.attempts.keys()]
        this.faults.look(attempts, tunnels, peer => this.core.isUp(peer), clock.elapsed())
      },
    })
    this.keeper = new Keeper({
      clock,
      open: (peer, port, events) => this.cadet.open(peer, port, events),
    })
  }

  async start(): Promise<void> {
    const { clock, hubs = [] } = this.options
    const { daemon } = this
    await this.firstWord()
    const { dialect } = this
    const ports: ServicePorts = { ...this.options, counters: this.counters }
    this.hellos =
      dialect.hellos === 'peerinfo'
        ? new PeerinfoHellos(daemon.socket('peerinfo'), ports)
        : new PeerstoreHellos(
            { dht: daemon.socket('dht'), peerstore: daemon.socket('peerstore') },
            ports,
          )
    // Only now: 0.27 never answers a port that was opened before CORE knew who it is.
    this.hellos.start()
    this.cadet.start()
    this.info.start()
    this.daemonDht.start()
    this.cadet.listen(KEEP_PORT, channel => keepOpen(channel))
    for (const hub of hubs) this.introduce(hub)
    const deadline = clock.elapsed() + HELLO_MS
    const isReady = () => this.cadet.standing && this.hello().includes('tcp')
    while (!isReady() && clock.elapsed() < deadline && !this.closed)
      await new Promise<void>(resolve => void clock.after(10, resolve))
    this.overview.look()
  }

  listen(port: PortId, accept: (channel: Channel) => void): Listening {
    return this.cadet.listen(port, channel => {
      // Whoever came by several hops: by which, is known a moment later.
      this.overview.askWay(channel.peer, () => {})
      accept(channel)
    })
  }

  async connect(peer: PeerId, port: PortId, { signal }: ConnectOptions = {}): Promise<Channel> {
    const { clock } = this.options
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    const search: Attempt = { peer, since: clock.elapsed() }
    let timer: Timer
    return await attempt({
      signal,
      open: events => {
        const opening = this.open(peer, port, events)
        this.overview.lookSoon()
        return opening
      },
      begun: giveUp => {
        timer = clock.after(CONNECT_MS, () => giveUp(this.verdict(peer)))
        this.attempts.set(search, giveUp)
      },
      ended: () => {
        timer.cancel()
        this.attempts.delete(search)
      },
    })
  }

  introduce(hello: string): PeerId {
    if (!this.hellos) throw new BoxError('ENGINE_CLOSED')
    return this.hellos.introduce(hello)
  }

  hello(): string {
    return this.hellos?.own(this.self) ?? `gnunet://hello/${encodeBase32(this.self)}`
  }

  watch(events: NeighbourWatch): Listening {
    this.watchers.add(events)
    for (const { peer, isUp } of this.core.neighbours) if (isUp) events.up(peer)
    return { close: () => void this.watchers.delete(events) }
  }

  status(): MeshStatus {
    return {
      engine: 'gnunet',
      neighbours: this.core.neighbours.map(({ peer, isUp }) => ({
        peer,
        address: this.hellos?.addressOf(peer) ?? '',
        state: isUp ? 'up' : 'connecting',
      })),
      tunnels: this.overview.status(),
      counters: this.counters.read(),
      about: this.about(),
      troubles: this.troubles(),
    }
  }

  close(): Promise<void> {
    if (this.closed) return Promise.resolve()
    this.closed = true
    for (const giveUp of [...this.attempts.values()]) giveUp(new BoxError('ENGINE_CLOSED'))
    this.overview.close()
    this.keeper.close()
    this.cadet.close()
    this.info.close()
    this.daemonDht.close()
    this.hellos?.close()
    this.names.close()
    this.gossip.close()
    this.core.close()
    this.watchers.clear()
    return Promise.resolve()
  }

  /** Waits until CORE has told who the peer is. */
  private async firstWord(): Promise<void> {
    const { clock, installation } = this.options
    const socket = this.daemon.socket('core')
    await new Promise<void>((resolve, reject) => {
      const settle = (run: () => void) => {
        timer.cancel()
        this.starting = null
        run()
      }
      const timer = clock.after(START_MS, () =>
        settle(() => reject(new BoxError('GNUNET_SILENT', 'CORE says nothing.'))),
      )
      this.starting = {
        done: () => settle(resolve),
        fail: reason => settle(() => reject(withGroup(reason, socket, installation.groupOf))),
      }
      this.core.start()
    })
  }

  private introduced(self: PeerId, tellsClass: boolean): void {
    const { installation, log } = this.options
    const isFirst = this.self === undefined
    if (!isFirst && !equalBytes(self, this.self)) {
      const name = encodeBase32(self)
      log.note('warn', 'ipc', 'the daemon is another peer now', { peer: name.slice(0, 4) })
      this.identityTrouble = {
        kind: 'identity-changed',
        peer: self,
        detail: `The daemon came back as another peer, ${name.slice(0, 4)}.`,
        cure: 'Nothing, if that was meant: the new one is published. Others may take an hour to learn it.',
      }
    }
    this.self = self
    try {
      this.dialect = dialectOf({
        has: service => installation.exists(this.daemon.socket(service)),
        tellsClass,
        version: this.version(),
      })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('error', 'ipc', 'the daemon cannot be used', { code: error.code })
      this.starting?.fail(error)
      return
    }
    this.starting?.done()
  }

  /** Asked once: it starts a program. */
  private version(): string | null {
    if (this.tools === undefined) this.tools = this.options.installation.version()
    return this.tools
  }

  private open(peer: PeerId, port: PortId, events: OpenEvents): { cancel(): void } {
    if (equalBytes(peer, this.self) && this.cadet.isListening(port))
      return this.openLoopback(port, events)
    let opened: Channel | null = null
    const opening = this.cadet.open(peer, port, {
      ...events,
      opened: channel => {
        opened = channel
        this.faults.cleared(peer)
        this.keeper.used(channel.peer)
        // By which way it goes is asked first, so that whoever gets the channel can tell.
        this.overview.askWay(peer, () => events.opened(channel))
      },
    })
    return {
      cancel: () => {
        opening.cancel()
        opened?.close()
      },
    }
  }

  private openLoopback(port: PortId, { opened }: OpenEvents): { cancel(): void } {
    const { clock } = this.options
    const timer = clock.after(0, () => {
      const [near, far] = loopbackPair(clock, this.self)
      opened(near)
      this.cadet.accepted(port, far)
    })
    return { cancel: () => timer.cancel() }
  }

  private tell(what: (watcher: NeighbourWatch) => void): void {
    for (const watcher of [...this.watchers]) what(watcher)
  }

  private verdict(peer: PeerId): BoxError {
    const { trouble } = this.cadet
    if (trouble) return new BoxError('PEER_UNREACHABLE', 'The daemon is not there.', trouble)
    return this.overview.isConnected(peer)
      ? new BoxError('PEER_TIMEOUT', 'Nobody answers on the port.')
      : new BoxError('PEER_UNREACHABLE')
  }

  private about(): string {
    const { releases, wireClass } = this.dialect
    return `GNUnet ${releases}, wire class ${wireClass}, ${this.daemon.file ?? 'default configuration'}`
  }

  private troubles(): readonly Trouble[] {
    const services = [
      ['core', this.core.trouble],
      ['cadet', this.cadet.trouble ?? this.info.trouble],
      ['dht', this.daemonDht.trouble],
    ] as const
    const down = services.flatMap(([name, reason]): Trouble[] =>
      reason
        ? [
            serviceTrouble(
              name,
              withGroup(reason, this.daemon.socket(name), this.options.installation.groupOf),
            ),
          ]
        : [],
    )
    const faults = this.faults.troubles(this.options.clock.elapsed())
    return [...down, ...(this.identityTrouble ? [this.identityTrouble] : []), ...faults]
  }
}

function keepOpen(channel: Channel): void {
  channel.attach({ message: () => {}, drained: () => {}, closed: () => {} })
}
