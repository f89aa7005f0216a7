/**
 * The jobs of this device (src/box/job-statement.ts): takes them, runs each once, or by its schedule, and keeps
 * what they printed. That a run has begun is on the disk before the command is started; one that was begun and
 * has no end is told to be interrupted, and not repeated.
 */

import type { Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Store } from '../src/base/store.ts'
import { isOver, type JobReport, type JobState } from '../src/box/job-report.ts'
import {
  type Cancellation,
  type JobStatement,
  jobId,
  openJob,
  type Work,
} from '../src/box/job-statement.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import { type AuditNotes, asUser } from './audit-notes.ts'
import { JobMemory, type JobNote, RUNS_KEPT, type RunNote } from './job-memory.ts'
import { anchorOf, dueAt, type JobRuleOptions, JobRules } from './job-rules.ts'
import type { RunEnd, RunJob, RunRequest } from './job-run.ts'
import { resultOf } from './program.ts'
import type { Recording } from './recording.ts'

/** With their outputs, what the flash and the memory of a router hold beside all else. */
const JOBS_MAX = 64
const SCHEDULES_MAX = 16
/** Of one person: others must find room. */
const JOBS_PER_SIGNER_MAX = 32
/** Commands at once; each person's run one after the other. */
const RUNNING_MAX = 4
/** A clock may have been set meanwhile: looked at again so soon, where something is planned. */
const LOOK_AGAIN_MS = 60_000

export interface JobsOptions extends JobRuleOptions {
  readonly store: Store
  readonly log: Log
  readonly audit: AuditNotes
  readonly run: RunJob
  /** The recording of what is about to run, where it must be recorded. Throws BoxError where it cannot be. */
  readonly record: (signer: ZoneKey, request: Pick<RunRequest, 'line' | 'user'>) => Recording | null
  /** Told when there is something new to tell. */
  readonly changed?: () => void
}

export class Jobs {
  private readonly options: JobsOptions
  private readonly memory: JobMemory
  private readonly rules: JobRules
  private readonly running = new Map<string, AbortController>()
  /** The ends of runs that a full disk did not take yet. */
  private readonly unsaved = new Map<string, Partial<RunNote>>()
  /** How often the jobs of each person have changed in this process. */
  private readonly changes = new Map<string, number>()
  private timer: Timer | null = null
  private closed = false
  private changed: () => void
  private refusedLast = ''

  /** Begins with what an earlier process left. Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
  constructor(options: JobsOptions) {
    this.options = options
    this.changed = options.changed ?? (() => {})
    this.rules = new JobRules(options)
    this.memory = new JobMemory(options.store, options.log)
    this.look()
  }

  /** Who is told when there is something new to tell. */
  listen(changed: () => void): void {
    this.changed = changed
  }

  /**
   * Takes a statement, whoever brings it; the id of its job. One that is known already changes nothing. Throws
   * NOT_PERMITTED, JOB_REFUSED, CLOCK_WRONG, SIGNATURE_INVALID, WIRE_MALFORMED, STATE_UNWRITABLE.
   */
  take(signed: Uint8Array): string {
    const said = openJob(signed)
    const { demand, signer } = said
    try {
      const id = demand.do === 'run' ? this.add(said, demand, signed) : this.cancel(said, demand)
      this.look()
      return id
    } catch (error) {
      if (error instanceof BoxError) this.noteRefusal(signer, aboutOf(demand), error.detail)
      throw error
    }
  }

  /** What this person may know of: their own jobs, and all where they may administrate; the newest first. */
  reports(reader: ZoneKey): readonly JobReport[] {
    const text = zoneToText(reader)
    const seesAll = this.rules.grantOf(reader)?.rights.includes('admin') ?? false
    return this.memory
      .all()
      .filter(({ signer }) => seesAll || signer === text)
      .toSorted((a, b) => b.number - a.number)
      .map(note => this.report(note))
  }

  /** All who have jobs here, as texts. */
  signers(): readonly string[] {
    return [...new Set(this.memory.all().map(({ signer }) => signer))]
  }

  /** Another number whenever there is something new to tell this person. */
  revisionFor(signer: string): number {
    return this.changes.get(signer) ?? 0
  }

  /** Drops a job that is over. Throws JOB_REFUSED where it is not, or is none of theirs. */
  forget(by: ZoneKey, id: string): void {
    const note = this.memory.get(id)
    if (!note) return
    this.rules.mustReach(by, note.signer)
    if (!isOver(note.is)) throw new BoxError('JOB_REFUSED', 'It is not over yet: cancel it.')
    this.memory.forget(id)
  }

  /** What runs is cut off, and told to be interrupted by the next process. */
  close(): void {
    this.closed = true
    this.timer?.cancel()
    for (const run of this.running.values()) run.abort()
  }

  private add(said: JobStatement, work: Work, signed: Uint8Array): string {
    const { signer, number, expiresAt } = said
    const id = jobId(signer, number)
    const known = this.memory.get(id)
    const about = { id, signer: zoneToText(signer), number }
    const { input: _, ...noted } = work
    if (known && !this.memory.isSame(id, signed))
      throw new BoxError('JOB_REFUSED', 'Another job has this number.')
    if (known) return id
    if (this.memory.knows(about)) throw new BoxError('JOB_REFUSED', 'It was here already.')
    const fault = this.rules.faultOf(signer, work)
    if (fault) throw new BoxError('NOT_PERMITTED', fault)
    const now = this.rules.mustHold(said)
    this.makeRoom(about.signer, work.every !== null)
    const is = work.every === null ? 'waiting' : 'scheduled'
    const fresh = { takenAt: now, anchor: null, is, why: null, revision: 1, runs: [] } as const
    this.memory.add({ ...about, work: noted, expiresAt, ...fresh }, signed)
    this.note(signer, `${id}: ${textOf(work)}`, is)
    this.tell(about.signer)
    return id
  }

  private cancel(said: JobStatement, { signer, job }: Cancellation): string {
    this.rules.mustHold(said)
    const id = jobId(signer, job)
    const text = zoneToText(signer)
    this.rules.mustReach(said.signer, text)
    this.saveEnds() // What is over is not cancelled.
    const note = this.memory.get(id)
    if (!note) {
      this.memory.refuse({ id, signer: text, number: job })
      return id
    }
    if (isOver(note.is)) return id
    this.put(note, { is: 'cancelled', why: 'It was cancelled.' })
    this.running.get(id)?.abort()
    this.note(said.signer, id, 'cancelled')
    return id
  }

  /** The oldest that are over make room. Throws JOB_REFUSED. */
  private makeRoom(signer: string, isSchedule: boolean): void {
    const all = this.memory.all()
    const over = all.filter(({ is }) => isOver(is)).toSorted((a, b) => a.number - b.number)
    const own = all.filter(note => note.signer === signer)
    const open = own.filter(({ is }) => !isOver(is))
    const full = 'The device keeps as many jobs as it can.'
    if (open.length >= JOBS_PER_SIGNER_MAX) throw new BoxError('JOB_REFUSED', full)
    if (isSchedule && all.filter(({ is }) => is === 'scheduled').length >= SCHEDULES_MAX)
      throw new BoxError('JOB_REFUSED', `The device keeps at most ${SCHEDULES_MAX} schedules.`)
    const oldest = over.find(note => note.signer === signer) ?? over[0]
    if (own.length >= JOBS_PER_SIGNER_MAX || all.length >= JOBS_MAX) {
      if (!oldest) throw new BoxError('JOB_REFUSED', full)
      this.memory.forget(oldest.id)
    }
  }

  /** Begins what is due, ends what is too late, and comes back when the next thing is due. */
  private look(): void {
    this.timer?.cancel()
    this.timer = null
    if (this.closed) return
    const { clock } = this.options
    this.saveEnds()
    for (const note of this.memory.all())
      if (!this.isBusy(note.id) && note.runs.some(isOpen))
        this.safely(note.id, () => this.interrupted(note))
    const planned = this.memory.all().filter(({ is }) => !isOver(is))
    for (const note of planned.toSorted((a, b) => a.number - b.number)) {
      if (!this.isBusy(note.id)) this.lookAt(note, clock.now())
    }
    const open = this.memory.all().filter(({ id, is }) => !(isOver(is) || this.isBusy(id)))
    if (open.length === 0 && this.unsaved.size === 0) return
    const now = clock.now()
    const soonest = Math.min(...open.map(note => (dueAt(note, now) ?? note.expiresAt) - now))
    const inMs = Math.min(Math.max(soonest, 1_000), LOOK_AGAIN_MS)
    this.timer = clock.after(inMs, () => this.look())
  }

  /** It runs, or its end waits for the disk. */
  private isBusy(id: string): boolean {
    return this.running.has(id) || this.unsaved.has(id)
  }

  private lookAt(note: JobNote, now: number): void {
    if (note.expiresAt <= now) {
      this.safely(note.id, () =>
        this.putAudited(note, { is: 'expired', why: 'Its time was over.' }, 'expired'),
      )
      return
    }
    const anchor = anchorOf(note, now)
    if (anchor !== note.anchor) {
      this.safely(note.id, () => this.put(note, { anchor }))
      return
    }
    if (this.running.size >= RUNNING_MAX) return
    const due = dueAt(note, now)
    if (due === null ? this.isNext(note) : due <= now) this.begin(note)
  }

  /** Each person's jobs run one after the other, in the order of their numbers; none waits for a disk. */
  private isNext({ signer, number, is }: JobNote): boolean {
    if (is !== 'waiting') return false // A run without an end, which could not be written down.
    return !this.memory
      .all()
      .filter(other => other.signer === signer && other.number < number)
      .some(({ id, is }) => is === 'waiting' || (is === 'begun' && this.running.has(id)))
  }

  private begin(note: JobNote): void {
    const { options, memory } = this
    const { id, work } = note
    const signer = zoneFromText(note.signer)
    const fault = this.rules.faultOf(signer, work)
    if (fault) {
      const refused = { is: 'refused', why: fault } as const
      this.safely(id, () => this.putAudited(note, refused, `refused: ${fault}`))
      return
    }
    const count = (note.runs.at(-1)?.count ?? -1) + 1
    const began = options.clock.now()
    const nothing = { ended: null, exitCode: null, signal: null, why: null }
    const run: RunNote = { count, began, ...nothing, outDropped: 0, errDropped: 0 }
    const runs = [...note.runs, run].slice(-RUNS_KEPT)
    // What cannot be written down as begun is not begun; it is tried again.
    const input = this.safely(id, () => {
      const input = memory.inputOf(id)
      memory.dropOutput(id, count)
      this.put(note, { is: work.every === null ? 'begun' : 'scheduled', runs, anchor: null })
      return input
    })
    if (!input) return
    this.note(signer, `${id}: ${textOf(work)}`, 'begun')
    const end = new AbortController()
    this.running.set(id, end)
    const deviceName = this.rules.grantOf(signer)?.deviceName ?? ''
    const limitMs = work.limitSeconds * 1_000
    const { line, user = null } = work
    const request = { id, line, user, input, limitMs, deviceName, signal: end.signal }
    this.recorded(signer, request).then(
      ended => this.ended(id, count, ended),
      (error: unknown) => this.failed(id, count, error),
    )
  }

  /** Fails where it must be recorded, and cannot be. */
  private async recorded(signer: ZoneKey, request: Omit<RunRequest, 'recording'>): Promise<RunEnd> {
    const { run, record } = this.options
    return await run({ ...request, recording: record(signer, request) })
  }

  private ended(id: string, count: number, { exit, isLate, out, err }: RunEnd): void {
    const late = isLate ? 'It ran longer than it may.' : null
    const isKept = this.safely(id, () => {
      if (!this.closed && this.memory.get(id)) this.memory.keepOutput(id, count, out, err)
      return true
    })
    this.finish(id, late ?? resultOf(exit), {
      exitCode: 'code' in exit ? exit.code : null,
      signal: 'signal' in exit ? exit.signal : null,
      why: late ?? (isKept ? null : 'What it printed could not be kept.'),
      ...{ outDropped: out.dropped, errDropped: err.dropped },
    })
  }

  private failed(id: string, count: number, error: unknown): void {
    this.options.log.note('warn', 'jobs', 'not run', { id, count, reason: String(error) })
    const isUnrecorded = error instanceof BoxError
    this.finish(id, isUnrecorded ? 'not run: not recorded' : 'not run', {
      why: isUnrecorded
        ? `It must be recorded, and could not be. ${error.detail}`
        : 'The machine could not start it.',
    })
  }

  private finish(id: string, result: string, end: Partial<RunNote>): void {
    this.running.delete(id)
    const note = this.memory.get(id)
    if (this.closed || !note) return // The next process tells that it was interrupted.
    this.unsaved.set(id, { ...end, ended: this.options.clock.now() })
    this.saveEnds()
    this.note(zoneFromText(note.signer), `${id}: ${textOf(note.work)}`, result)
    this.look()
  }

  private saveEnds(): void {
    for (const [id, end] of this.unsaved) {
      const isSaved = this.safely(id, () => {
        const note = this.memory.get(id)
        if (!note) return true
        const runs = [...note.runs.slice(0, -1), { ...note.runs.at(-1)!, ...end }]
        this.put(note, { is: note.is === 'begun' ? 'ended' : note.is, runs })
        return true
      })
      if (isSaved) this.unsaved.delete(id)
    }
  }

  /** Undefined where it cannot be written down: a full disk stops no device. */
  private safely<T>(id: string, work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.options.log.note('error', 'jobs', 'not kept', { id, code: error.code })
      return undefined
    }
  }

  /** Found with a run that has no end. */
  private interrupted(note: JobNote): void {
    const why = 'The device, or its agent, was stopped in between.'
    const runs = note.runs.map(run => (isOpen(run) ? { ...run, why } : run))
    const is: JobState = note.is === 'begun' ? 'interrupted' : note.is
    this.putAudited(note, { is, why: is === 'interrupted' ? why : note.why, runs }, 'interrupted')
  }

  private putAudited(note: JobNote, change: Partial<JobNote>, result: string): void {
    this.put(note, change)
    this.note(zoneFromText(note.signer), `${note.id}: ${textOf(note.work)}`, result)
  }

  private put(note: JobNote, change: Partial<JobNote>): void {
    this.memory.set({ ...note, ...change, revision: note.revision + 1 })
    this.tell(note.signer)
  }

  private tell(signer: string): void {
    this.changes.set(signer, this.revisionFor(signer) + 1)
    this.changed()
  }

  /** Whoever brings it again and again is refused once here. */
  private noteRefusal(zone: ZoneKey, about: string, why: string): void {
    const said = `${zoneToText(zone)} ${about} ${why}`
    if (said === this.refusedLast) return
    this.refusedLast = said
    this.note(zone, about, `refused: ${why}`)
  }

  private note(zone: ZoneKey, detail: string, result: string): void {
    this.options.audit.note({ zone, what: 'job', detail, result })
  }

  private report(note: JobNote): JobReport {
    const { id, signer, number, work, is, why, expiresAt, revision, runs } = note
    const about = { id, signer, number, line: work.line, is, why, every: work.every, expiresAt }
    return {
      ...about,
      revision,
      nextAt: dueAt(note, this.options.clock.now()),
      runs: runs.map(({ count, ...run }) => ({ ...run, ...this.memory.outputOf(id, count) })),
    }
  }
}

const aboutOf = (demand: Work | Cancellation): string =>
  demand.do === 'run' ? textOf(demand) : `cancel ${jobId(demand.signer, demand.job)}`

/** What is run, and as whom where that is said. */
const textOf = ({ line, user }: Pick<Work, 'line' | 'user'>): string => asUser(user ?? null, line)

/** Begun, without an end, and nothing said about that yet. */
const isOpen = ({ ended, why }: RunNote): boolean => ended === null && why === null
