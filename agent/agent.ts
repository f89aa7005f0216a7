/**
 * A running agent: the one place of `box-agent` where things are made and joined.
 *
 * It starts from whatever a killed one left: each value on disk is replaced as a whole, keys are made when
 * there are none and never again. Started in the order in which things need each other, stopped the other
 * way round.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import type { Store } from '../src/base/store.ts'
import { VERSION } from '../src/base/version.ts'
import { AuditLog, type EntryFile } from '../src/box/audit.ts'
import type { DeviceInfo } from '../src/box/control.ts'
import { GrantBook, ownerGrant } from '../src/box/grant.ts'
import type { PairingCode } from '../src/box/pairing-code.ts'
import { PairingDesk, type WindowEnd } from '../src/box/pairing-window.ts'
import type { NameKeeper } from '../src/gns/keeper.ts'
import { zoneToText } from '../src/gns/name.ts'
import { type Namestore, NamestoreKeeper } from '../src/gns/namestore-keeper.ts'
import { Publisher } from '../src/gns/publisher.ts'
import type { Revocations } from '../src/gns/revocations.ts'
import { ZoneDatabase } from '../src/gns/zone.ts'
import type { Mesh } from '../src/mesh/mesh.ts'
import type { GrowingFiles } from '../src/sys/growing-files.ts'
import type { Metric } from '../src/wire/prometheus.ts'
import { accountsBeside } from './accounts.ts'
import { sshServerOf } from './agent-shells.ts'
import { type AgentStatus, agentStatus } from './agent-status.ts'
import { AlertRules } from './alert-rules.ts'
import { DeviceAlerts } from './alerts.ts'
import { ApprovalDesk } from './approval-desk.ts'
import { AuditNotes, asUser } from './audit-notes.ts'
import type { AgentConfig } from './config.ts'
import { DeviceKeys } from './device-keys.ts'
import { type Account, ownAccount } from './environment.ts'
import { makeHostKey, openHostKey } from './host-key.ts'
import { runJobs } from './job-run.ts'
import { Jobs } from './jobs.ts'
import type { ShellKeeper } from './keeper/shell-keeper.ts'
import { KeyRotation } from './key-rotation.ts'
import { checkMesh } from './mesh-check.ts'
import { agentMetrics, ownProcess } from './metrics.ts'
import { watchNetwork } from './network-watch.ts'
import { OwnerNotices } from './owner-notices.ts'
import { type Machine, Pushing } from './pushing.ts'
import { Recordings } from './recordings.ts'
import { type Relay, relayShelves } from './relay-shelves.ts'
import { revocationsOf } from './revoked-zones.ts'
import type { OpenLedger } from './room.ts'
import { Rooms } from './rooms.ts'
import { Services } from './services.ts'
import { Sight } from './sight.ts'
import type { SshServer } from './ssh-server.ts'
import { StatusPlace } from './status.ts'
import { Successions } from './successions.ts'
import { UpgradeService } from './upgrade-service.ts'
import type { Upgrader } from './upgrader.ts'
import { Whereabouts } from './whereabouts.ts'

/** An engine; the embedded one wants to know when the machine has moved, a daemon may keep our names published. */
export type AgentMesh = Mesh & {
  networkChanged?(): void
  /** It is of a process that is looked after by itself: its silence is no reason to end this one. */
  readonly isLent?: boolean
  readonly names?: Namestore & { canStore(): Promise<boolean> }
}

export interface AgentParts {
  readonly config: AgentConfig
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where the audit journal is kept. */
  readonly audit: EntryFile
  /** Where recordings of sessions are kept; absent where none can be made. */
  readonly recordings?: GrowingFiles
  /** Where files for people who are away are kept; absent where none are. */
  readonly relayed?: GrowingFiles
  /** Where configuration can be pushed to; absent where it cannot. */
  readonly machine?: Machine
  /** How another version of the executable is taken; absent where none is. */
  readonly upgrader?: Upgrader
  /** What holds the shells that outlive this process; absent where they end with it. */
  readonly keeper?: ShellKeeper
  /** Opens a file that only grows, beside the values of the store; absent where no rooms are hosted. */
  readonly openLedger?: (name: string, sizeMax: number) => OpenLedger
  /** The work that a revocation of a zone needs, where the network agrees on another one. */
  readonly revocationBits?: number
}

/** What an engine takes. */
export type EngineParts = Pick<AgentParts, 'config' | 'store' | 'clock' | 'random' | 'log'>
export type StartMesh = (parts: EngineParts) => Promise<AgentMesh>

export class Agent {
  readonly device: DeviceKeys
  private readonly parts: AgentParts
  private readonly mesh: AgentMesh
  private readonly grants: GrantBook
  private readonly publisher: NameKeeper
  private readonly whereabouts: Whereabouts
  private readonly desk: PairingDesk
  private readonly ssh: SshServer
  private readonly statusPlace: StatusPlace
  private readonly sight: Sight
  private readonly services: Services
  private readonly pushing: Pushing | null
  private readonly rooms: Rooms | null
  private readonly notices: OwnerNotices
  private readonly rotation: KeyRotation
  private readonly revocations: Revocations
  private readonly upgrades: UpgradeService | null
  private readonly jobs: Jobs | null
  private readonly recordings: Recordings
  private readonly network: { close(): void }
  /** The public half of the SSH host key. */
  private hostKey: Uint8Array
  private readonly startedAt: number

  /** Fails with KEY_UNREADABLE, STATE_UNREADABLE, STATE_UNWRITABLE, ADDRESS_IN_USE, CONFIG_INVALID. */
  static async start(parts: AgentParts, startMesh: StartMesh): Promise<Agent> {
    const { store, random } = parts
    const device = new DeviceKeys(parts)
    const hostKey = openHostKey(store, random)
    const grants = new GrantBook(store)
    const mesh = await startMesh(parts)
    try {
      const { names } = mesh
      const namestore = names && (await names.canStore()) ? names : null
      return new Agent(parts, mesh, { device, hostKey, grants, namestore })
    } catch (error) {
      await mesh.close()
      throw error
    }
  }

  private constructor(
    parts: AgentParts,
    mesh: AgentMesh,
    kept: {
      readonly device: DeviceKeys
      readonly hostKey: ReturnType<typeof openHostKey>
      readonly grants: GrantBook
      readonly namestore: Namestore | null
    },
  ) {
    const { config, store, clock, random, log } = parts
    const { device, hostKey, grants, namestore } = kept
    this.parts = parts
    this.mesh = mesh
    this.device = device
    this.grants = grants
    this.startedAt = clock.now()
    const database = new ZoneDatabase(store)
    const publisher = keeperOf(database, namestore, { mesh, clock, random, log })
    this.publisher = publisher
    this.whereabouts = new Whereabouts({
      ...{ mesh, device, database, publisher, clock },
      hostKey: hostKey.fingerprint,
      hubs: config.hubs,
    })
    this.desk = new PairingDesk({
      ...{ device: () => device.zone, clock, random, log },
      record: () => this.whereabouts.record(),
      store: ({ zone, ...names }) => grants.set(ownerGrant(zone, names, clock.now())),
    })
    this.hostKey = hostKey.publicKey
    const account = ownAccount(config.shell)
    const audit = new AuditNotes({ audit: new AuditLog(parts.audit), grants, device, clock, log })
    const { machine, openLedger, recordings: files = null } = parts
    this.recordings = new Recordings({ config, files, device, grants, clock, random, log, audit })
    const approvals = new ApprovalDesk({ clock, random, device, grants, audit, own: account.name })
    const rules = { grants, audit, approvals, recordings: this.recordings }
    this.ssh = sshServerOf(hostKey.secret, account, parts, rules)
    const self = { peer: mesh.self, zone: device.zone }
    const ask = { name: config.name, grants, look: () => this.sight.look() }
    this.rooms = openLedger ? new Rooms({ self, clock, random, log, store, openLedger, ask }) : null
    this.jobs = this.openJobs(account, audit)
    this.pushing = machine
      ? new Pushing({
          ...{ ...machine, ...config },
          ...{ device, clock, random, log, grants, audit, mesh, jobs: this.jobs },
        })
      : null
    this.upgrades = this.upgradesWith(audit)
    this.sight = this.sightWith(audit)
    this.statusPlace = new StatusPlace({
      ...{ mesh, device: device.zone, ...ask, clock, random, log },
      allows: zone => grants.allows(zone, 'status', clock.now()),
      met: session => {
        // Anybody else could make the rules of this device fire.
        if (grants.allows(session.peerZone, 'admin', clock.now())) this.sight.met(session)
      },
    })
    const changed = () => this.keysChanged()
    this.rotation = new KeyRotation({ device, audit, clock, log, changed })
    const revoked = (zone: ZoneKey) => this.notices.zoneRevoked(zone)
    const { revocationBits: bits } = parts
    this.revocations = revocationsOf({ mesh, store, clock, log, bits, revoked })
    const relay = relayShelves(parts)
    const successions = this.successionsWith(audit, relay)
    this.notices = this.noticesWith(audit, successions)
    this.services = new Services({
      ...{ mesh, device, clock, random, log, grants, pushing: this.pushing, rooms: this.rooms },
      accounts: accountsBeside(account, clock),
      ...{ desk: this.desk, ssh: this.ssh, status: this.statusPlace, upgrades: this.upgrades },
      ...{ audit, successions, notices: this.notices, rotation: this.rotation, jobs: this.jobs },
      ...{ hostKey: () => this.hostKey, rotateHostKey: () => this.rotateHostKey() },
      isRecorded: zone => this.recordings.isRecorded(zone),
      ...{ relay, approvals, info: () => this.info() },
    })
    this.network = this.watchedNetwork()
    this.noteStart()
  }

  private watchedNetwork(): { close(): void } {
    const { clock, log } = this.parts
    return watchNetwork(clock, () => {
      log.note('info', 'agent', 'network changed')
      this.mesh.networkChanged?.()
    })
  }

  private noteStart(): void {
    const device = zoneToText(this.device.zone)
    this.parts.log.note('info', 'agent', 'started', { device, version: VERSION })
  }

  private info(): DeviceInfo {
    const { startedAt, grants } = this
    const hostName = this.parts.config.name
    return { version: VERSION, hostName, startedAt, owners: grants.held().length }
  }

  private sightWith(audit: AuditNotes): Sight {
    const { config, clock, log } = this.parts
    const configuration = () => this.pushing?.status() ?? null
    return new Sight({ config, clock, log, alerts: this.alertsWith(audit), configuration })
  }

  private alertsWith(audit: AuditNotes): DeviceAlerts {
    const { config, clock, log, store } = this.parts
    const rules = new AlertRules(config.alerts, config.alertsFile)
    const say = (room: string, text: string, tag: Uint8Array) => {
      if (!this.rooms) throw new BoxError('ROOM_UNKNOWN')
      this.rooms.say(room, text, { nick: config.name, tag })
    }
    return new DeviceAlerts({ rules, clock, log, store, audit, say })
  }

  private upgradesWith(audit: AuditNotes): UpgradeService | null {
    const { clock, log, upgrader } = this.parts
    if (!upgrader) return null
    const check = () => this.check()
    const busy = () =>
      this.pushing?.status()?.unconfirmed ? 'A pushed configuration is not confirmed yet' : null
    return new UpgradeService({ clock, log, audit, upgrader, check, busy })
  }

  private successionsWith(audit: AuditNotes, relay: Relay | null): Successions {
    const { grants, rooms } = this
    const { clock, log } = this.parts
    return new Successions({
      ...{ grants, rooms, audit, clock, log, mail: relay?.mail ?? null },
      ended: zone => this.end(zone),
    })
  }

  private noticesWith(audit: AuditNotes, successions: Successions): OwnerNotices {
    const { clock, log } = this.parts
    const { mesh, grants, revocations } = this
    const who = { mesh, grants, audit, successions, revocations }
    return new OwnerNotices({ ...who, clock, log, ended: zone => this.end(zone) })
  }

  /** What is open ends, of whoever may do nothing any more. */
  private end(zone: ZoneKey): void {
    this.ssh.expel(zone)
    this.statusPlace.review()
  }

  private keysChanged(): void {
    this.services.keysChanged()
    this.whereabouts.keysChanged()
  }

  private rotateHostKey(): void {
    const { store, random } = this.parts
    const { secret, publicKey, fingerprint } = makeHostKey(store, random)
    this.hostKey = publicKey
    this.ssh.changeHostKey(secret)
    this.whereabouts.changeHostKey(fingerprint)
  }

  /** Null where what is kept of them is damaged: whoever mends that must get in. */
  private openJobs(account: Account, audit: AuditNotes): Jobs | null {
    const { store, clock, log } = this.parts
    const { grants, device } = this
    const accounts = accountsBeside(account, clock)
    const run = runJobs(user => accounts.still(user), clock)
    try {
      return new Jobs({
        ...{ store, clock, log, device, grants, audit, user: account.name, accounts, run },
        record: (signer, { line, user }) =>
          this.recordings.ofJob(accounts.still(user), signer, asUser(user, line)),
      })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('error', 'jobs', 'no jobs', { code: error.code, why: error.detail })
      return null
    }
  }

  /** Opens the pairing window; see PairingDesk. */
  pair(minutes: number, ended: (end: WindowEnd) => void): PairingCode {
    return this.desk.open(minutes, this.whereabouts.hellos(), ended)
  }

  /** Closes the pairing window, if one is open. */
  endPairing(): void {
    this.desk.close()
  }

  status(): AgentStatus {
    const { config } = this.parts
    return agentStatus({
      config,
      mesh: this.mesh.status(),
      pid: this.mesh.self,
      hello: this.mesh.hello(),
      device: this.device,
      grants: this.grants.held(),
      hubsUp: this.whereabouts.hubsUp,
      sessions: this.ssh.size,
      keptShells: this.ssh.keptShells,
      pairingUntil: this.desk.openUntil(),
      publishedUntil: this.publisher.publishedUntil(this.device.zone, '@'),
      startedAt: this.startedAt,
      configuration: this.pushing?.status() ?? null,
      rooms: this.rooms?.traffic() ?? [],
    })
  }

  /** For Prometheus; see agentMetrics. */
  metrics(): readonly Metric[] {
    return agentMetrics({
      status: this.status(),
      mesh: this.mesh.status(),
      figures: this.sight.look(),
      process: ownProcess(),
    })
  }

  /** Comes back when the mesh does its work; see checkMesh. */
  check(): Promise<void> {
    return checkMesh(this.mesh, this.parts.random)
  }

  /** Comes back when this process does its work: with the mesh, unless that is another's. */
  alive(): Promise<void> {
    return this.mesh.isLent ? Promise.resolve() : this.check()
  }

  /** `endShells`: also those that could go on without this process. */
  async close({ endShells = false } = {}): Promise<void> {
    this.network.close()
    this.rotation.close()
    this.services.close()
    this.notices.close()
    this.revocations.close()
    this.statusPlace.close()
    this.sight.close()
    this.rooms?.close()
    this.jobs?.close()
    this.pushing?.close()
    this.upgrades?.close()
    this.desk.close()
    this.whereabouts.close()
    this.publisher.close()
    await this.ssh.close({ endShells })
    this.recordings.close()
    await this.mesh.close()
    this.parts.log.note('info', 'agent', 'stopped')
  }
}

const keeperOf = (
  database: ZoneDatabase,
  namestore: Namestore | null,
  parts: Pick<AgentParts, 'clock' | 'random' | 'log'> & { readonly mesh: Mesh },
): NameKeeper =>
  namestore
    ? new NamestoreKeeper({ ...parts, namestore, database })
    : new Publisher({ ...parts, database })
