/** The jobs of one device in virtual time, with commands that the test ends; its disk may stop at any write. */

import { AuditNotes } from '../../agent/audit-notes.ts'
import type { DeviceKeys } from '../../agent/device-keys.ts'
import type { Account } from '../../agent/environment.ts'
import type { RunEnd, RunRequest } from '../../agent/job-run.ts'
import { Jobs } from '../../agent/jobs.ts'
import type { Clock } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { AuditLog, memoryEntries, parseAuditEntry } from '../../src/box/audit.ts'
import { type Grant, GrantBook, ownerGrant } from '../../src/box/grant.ts'
import type { JobReport } from '../../src/box/job-report.ts'
import { jobId, signJob, type Work } from '../../src/box/job-statement.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { World } from '../sim/world.ts'
import { utf8 } from '../vectors.ts'
import { keysOf } from './only-key.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** A process that is killed writes nothing more: to the code, a disk that takes nothing. */
const killedError = () => new BoxError('STATE_UNWRITABLE', 'killed')

export class JobPlace {
  readonly world: World
  readonly device: ZoneSecret
  readonly owner: ZoneSecret
  /** Of the device. */
  readonly keys: DeviceKeys
  readonly store: Store = memoryStore()
  readonly grants = new GrantBook(memoryStore())
  readonly audit = memoryEntries()
  /** The users of the machine. */
  readonly accounts = new Map<string, Account>()
  /** What was started, in this order. */
  readonly started: RunRequest[] = []
  /** Writes until the process is killed; before the write, or after it. */
  writesLeft = Number.POSITIVE_INFINITY
  crashesAfter = false
  /** Nothing more can be written, and the process goes on. */
  isFull = false
  /** What cannot be written, by its name. */
  fullFor: (name: string) => boolean = () => false
  /** By how much the clock of the device is ahead. */
  aheadMs = 0
  jobs: Jobs
  private readonly ends = new Map<string, (end: RunEnd) => void>()
  private number: number

  constructor(seed = 1) {
    this.world = new World(seed)
    this.device = ZoneSecret.generate('EDKEY', this.world.random)
    this.owner = ZoneSecret.generate('EDKEY', this.world.random)
    this.keys = keysOf(this.device, { clock: this.world })
    this.number = this.world.now()
    this.grant(ownerGrant(this.owner.zone, { holder: 'home', deviceName: 'kitchen' }, 0))
    this.jobs = this.start()
  }

  grant(grant: Grant): void {
    this.grants.set(grant)
  }

  /** A new process on the same disk; of the one before nothing goes on. */
  restart(): void {
    this.jobs.close()
    this.ends.clear()
    this.writesLeft = Number.POSITIVE_INFINITY
    this.jobs = this.start()
  }

  private start(): Jobs {
    const { world, grants } = this
    const device = this.keys
    let isAlive = true
    const killed = () => {
      isAlive = false
      throw killedError()
    }
    const mayWrite = (name: string) => {
      if (this.isFull || this.fullFor(name)) throw new BoxError('STATE_UNWRITABLE', 'full')
      if (!isAlive) throw killedError()
      if (this.writesLeft-- <= 0 && !this.crashesAfter) killed()
    }
    const wrote = () => {
      if (this.writesLeft < 0) killed()
    }
    const store: Store = {
      ...this.store,
      set: (name, value) => {
        mayWrite(name)
        this.store.set(name, value)
        wrote()
      },
      delete: name => {
        mayWrite(name)
        this.store.delete(name)
        wrote()
      },
    }
    const clock: Clock = {
      now: () => world.now() + this.aheadMs,
      elapsed: () => world.elapsed(),
      after: (ms, run) => world.after(ms, run),
    }
    const audit = new AuditNotes({
      ...{
        audit: new AuditLog(this.audit),
        grants,
        device: this.device,
        clock: world,
        log: silentLog,
      },
    })
    return new Jobs({
      ...{ store, clock, log: silentLog, device, grants, audit, user: 'root' },
      accounts: { find: user => this.accounts.get(user) ?? 'USER_UNKNOWN' },
      record: () => null,
      run: request => {
        this.started.push(request)
        return new Promise(resolve => {
          this.ends.set(request.id, resolve)
          const cut = { exit: { signal: 'TERM' }, ...nothing, isLate: false }
          request.signal.addEventListener('abort', () => resolve(cut))
        })
      },
    })
  }

  /** A signed job. */
  signed(
    line: string,
    {
      by = this.owner,
      every = null,
      user,
      number = ++this.number,
      expiresAt = this.world.now() + 7 * DAY_MS,
      device = this.device.zone,
    }: Partial<{
      by: ZoneSecret
      every: string | null
      user: string | undefined
      number: number
      expiresAt: number
      device: ZoneSecret['zone']
    }> = {},
  ): { id: string; number: number; raw: Uint8Array } {
    const work: Work = { do: 'run', line, input: utf8('in'), limitSeconds: 60, every }
    const demand = user === undefined ? work : { ...work, user }
    const raw = signJob(by, { device, number, expiresAt, demand })
    return { id: jobId(by.zone, number), number, raw }
  }

  cancellation(job: { number: number }, by = this.owner, of = this.owner): Uint8Array {
    return signJob(by, {
      ...{ device: this.device.zone, number: ++this.number },
      expiresAt: this.world.now() + DAY_MS,
      demand: { do: 'cancel', signer: of.zone, job: job.number },
    })
  }

  /** Ends what runs. */
  async end(id: string, code = 0, out = 'done'): Promise<void> {
    const bytes = utf8(out)
    this.ends.get(id)!({
      ...{ exit: { code }, isLate: false },
      ...{ out: { bytes, dropped: 0 }, err: nothing.err },
    })
    await this.world.pass(0)
  }

  report(id: string): JobReport {
    return this.jobs.reports(this.owner.zone).find(report => report.id === id)!
  }

  /** The lines of the audit journal. */
  noted(): string[] {
    return this.audit
      .entries()
      .flatMap(value => parseAuditEntry(value) ?? [])
      .map(({ who, detail, result }) => `${who}: ${detail.replace(/^\w{12}: /, '')} ${result}`)
  }
}

const kept = { bytes: new Uint8Array(0), dropped: 0 }
const nothing = { out: kept, err: kept }
