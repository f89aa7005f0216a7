/** Pushed configuration on this device: the applier with all that it needs from the machine, and its channels. */

import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import type { Network } from '../src/base/stream.ts'
import { helloPeer } from '../src/box/device-record.ts'
import type { GrantBook, Right } from '../src/box/grant.ts'
import type { Session } from '../src/box/handshake.ts'
import type { Mesh } from '../src/mesh/mesh.ts'
import type { Disk } from '../src/sys/disk.ts'
import type { ConfigurationState, ConfigurationStatus } from './agent-status.ts'
import { Applier, type PushEvent } from './apply/applier.ts'
import { driftOf } from './apply/drift.ts'
import type { Journal, Outcome } from './apply/push-state.ts'
import type { AuditNotes } from './audit-notes.ts'
import { CatchUp } from './catch-up.ts'
import type { DeviceKeys } from './device-keys.ts'
import { dialsAny } from './hub-dial.ts'
import { JobPost } from './job-post.ts'
import type { Jobs } from './jobs.ts'
import { PushAudit } from './push-audit.ts'
import { servePush } from './push-service.ts'

/** Often enough for who watches, rare enough for a router's flash and its processor. */
const REPAIR_EVERY_MS = 10 * 60_000

/** What a command printed may be long; a status is small. */
const LAST_LENGTH_MAX = 500

/** What of the machine is changed. */
export interface Machine {
  readonly disk: Disk
  /** The state directory of the agent. */
  readonly directory: string
  readonly network: Network
  /** See ApplierOptions. */
  readonly guard?: () => void
}

export interface PushingOptions extends Machine {
  readonly device: DeviceKeys
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly grants: GrantBook
  readonly audit: AuditNotes
  readonly roots: readonly string[]
  readonly hubs: readonly string[]
  /** Where to ask for what was pushed while this device was off. */
  readonly relays: readonly ZoneKey[]
  readonly mesh: Pick<Mesh, 'self' | 'connect'>
  /** Those that wait at relays too; null where this device takes none. */
  readonly jobs: Jobs | null
}

export class Pushing {
  readonly applier: Applier
  private readonly options: PushingOptions
  private readonly audit: PushAudit
  private told: ConfigurationStatus | null = null
  private drift: number | null = null
  private readonly catchUp: CatchUp | null
  private timer: Timer
  /** What could not be put right, and is not tried again while it is the same. */
  private hopeless = ''
  private closed = false

  /** Begins with what an earlier process left undone. Throws STATE_UNWRITABLE. */
  constructor(options: PushingOptions) {
    const { grants, clock, log } = options
    this.options = options
    this.audit = new PushAudit(options.audit)
    const allows = (zone: Parameters<typeof grants.allows>[0]) =>
      grants.allows(zone, 'push', clock.now())
    this.applier = new Applier({ ...options, allows, told: event => this.happened(event) })
    this.readable(() => this.audit.catchUp(this.applier.state.history().last))
    // Not waited for: whatever there is to put back, the device is reachable meanwhile.
    void this.applier.recover().catch(error => {
      if (!(error instanceof BoxError)) throw error
      log.note('error', 'push', 'not recovered', { code: error.code, why: error.detail })
    })
    this.timer = this.repairLater()
    const { relays, hubs } = options
    this.catchUp =
      relays.length === 0
        ? null
        : new CatchUp({
            ...{ ...options, hubs: hubs.map(helloPeer), audit: this.audit, applier: this.applier },
            dials: () => this.dials(),
            post: options.jobs && new JobPost({ ...options, jobs: options.jobs }),
          })
    options.jobs?.listen(() => this.catchUp?.lookSoon())
  }

  /** Puts right what has drifted, where the bundle says so. */
  async repair(): Promise<void> {
    const { disk, log } = this.options
    const found = driftOf(disk, this.applier.state)
    this.drifted(found.length)
    const drift = JSON.stringify(found)
    if (drift === this.hopeless) return
    try {
      const done = await this.applier.repair()
      if (done) log.note('warn', 'push', 'drift repaired', { result: done.is, drift })
      this.hopeless = done?.is === 'put back' ? drift : ''
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.hopeless = drift
      this.audit.notRepaired(error.detail || error.message)
      log.note('warn', 'push', 'drift not repaired', { why: error.detail })
    }
  }

  private repairLater(): Timer {
    return this.options.clock.after(REPAIR_EVERY_MS, () => {
      void this.repair().finally(() => {
        if (!this.closed) this.timer = this.repairLater()
      })
    })
  }

  /** What holds and what is open, as of the last event: a history is too long to be read every few seconds. */
  status(): ConfigurationStatus | null {
    this.told ??= this.readable(() => this.read())
    return this.told && { ...this.told, drift: this.drift }
  }

  private read(): ConfigurationStatus {
    const { open } = this.applier
    const { generations, last } = this.applier.state.history()
    const { number, name, sequence } = generations.at(-1)!
    const ended = last && `"${last.name}" was ${last.is}${last.reason ? `: ${last.reason}` : ''}`
    return {
      ...{ generation: number, bundle: name, version: sequence },
      state: stateOf(open, last),
      unconfirmed: open?.becomes.name ?? null,
      last: ended?.slice(0, LAST_LENGTH_MAX) ?? null,
      drift: null,
    }
  }

  private happened(event: PushEvent): void {
    this.audit.happened(event)
    this.told = null
    if (event.is !== 'ended') return
    const found = this.readable(() => driftOf(this.options.disk, this.applier.state))
    this.drift = found?.length ?? null
  }

  private drifted(count: number): void {
    this.drift = count
  }

  /** Null where what is kept of pushes is damaged: the rest of the agent goes on. */
  private readable<T>(read: () => T): T | null {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.options.log.note('error', 'push', 'not readable', { why: error.detail })
      return null
    }
  }

  serve(session: Session, allows: (right: Right) => boolean): Promise<void> {
    const { applier, audit } = this
    const dials = () => this.dials()
    const drifted = (count: number) => this.drifted(count)
    return servePush(session, { ...this.options, applier, audit, drifted, allows, dials })
  }

  private dials(): Promise<boolean> {
    const { clock, network, hubs } = this.options
    return dialsAny(hubs, network, clock)
  }

  close(): void {
    this.closed = true
    this.catchUp?.close()
    this.timer.cancel()
    this.applier.close()
  }
}

function stateOf(open: Journal | null, last: Outcome | null): ConfigurationState {
  if (open) return open.step === 'awaiting' ? 'waiting' : 'applying'
  if (!last) return 'none'
  return last.is === 'confirmed' ? 'confirmed' : 'put_back'
}
