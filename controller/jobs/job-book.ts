/**
 * The jobs of this controller, on its disk: for each device what was signed for it, how far that is, and what
 * came of it. One that is over lies under another name, so that looking for open ones reads none of those.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { isOver, type JobReport, readReport, runOut } from '../../src/box/job-report.ts'
import { jobId, openJob } from '../../src/box/job-statement.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { type Device, zonesOf } from '../fleet.ts'
import type { State } from '../state.ts'
import { type JobKind, jobFile, jobNames } from './job-names.ts'

/** A file each: more are for a program of one's own. */
const JOBS_MAX = 4_096
const NUMBER_FILE = 'jobs'

const CLOSED = ['refused', 'cancelled', 'expired'] as const
type Closed = (typeof CLOSED)[number]

/** One job on one device. */
export interface QueuedJob {
  readonly id: string
  readonly number: number
  /** Of the device, and how it was called then. */
  readonly zone: ZoneKey
  readonly name: string
  readonly line: string
  /** As which user of the device; null: as whoever its agent runs as. */
  readonly user: string | null
  readonly every: string | null
  readonly queuedAt: number
  readonly expiresAt: number
  readonly signed: Uint8Array
  /** The signed cancellation, where there is one. */
  readonly cancel: Uint8Array | null
  /** Whether the device, or a relay, may have it. */
  readonly offered: boolean
  /** The names of the relays that keep it. */
  readonly relays: readonly string[]
  /** Why it is over, where the device did not say so itself: it refused it, or it never left here. */
  readonly closed: { readonly is: Closed; readonly why: string } | null
  /** What the device said last. */
  readonly report: JobReport | null
}

export class JobBook {
  private readonly state: State

  constructor(state: State) {
    this.state = state
  }

  /** A number that was never used. Fails with STATE_UNWRITABLE, STATE_UNREADABLE. */
  number(now: number): Promise<number> {
    return this.state.exclusively(() => {
      const number = Math.max(now, this.lastNumber() + 1)
      this.state.writeText(NUMBER_FILE, `${JSON.stringify({ version: 1, number })}\n`)
      return number
    })
  }

  /** Fails with LIMIT_EXCEEDED, STATE_UNWRITABLE. */
  async add(job: QueuedJob): Promise<void> {
    if (jobNames(this.state).length >= JOBS_MAX)
      throw new BoxError('INPUT_INVALID', `There are ${JOBS_MAX} jobs: box jobs rm --over.`)
    await this.state.exclusively(() => this.write(job))
  }

  /** Changes what is kept of one, as it is by now; nothing where it was removed meanwhile. */
  change(job: QueuedJob, edit: (job: QueuedJob) => QueuedJob): Promise<QueuedJob | null> {
    return this.state.exclusively(() => {
      const now = this.read(job.id, zoneToText(job.zone))
      if (!now) return null
      const next = edit(now)
      this.write(next)
      return next
    })
  }

  remove({ id, zone }: QueuedJob): Promise<void> {
    return this.state.exclusively(() => {
      for (const kind of ['job', 'jobdone'] as const)
        this.state.remove(jobFile({ kind, id, zone: zoneToText(zone) }))
    })
  }

  /** All, the newest first. Throws STATE_UNREADABLE. */
  all(): readonly QueuedJob[] {
    const keys = new Set(jobNames(this.state).map(({ id, zone }) => `${id}-${zone}`))
    return [...keys]
      .flatMap(key => this.read(...(key.split('-') as [string, string])) ?? [])
      .toSorted((a, b) => b.number - a.number || (a.name < b.name ? -1 : 1))
  }

  /** Those that are not over, in the order they were signed. Throws STATE_UNREADABLE. */
  open(device: Device | null = null): readonly QueuedJob[] {
    const zones = device && zonesOf(device).map(zoneToText)
    return jobNames(this.state)
      .filter(({ kind, zone }) => kind === 'job' && (zones === null || zones.includes(zone)))
      .flatMap(name => this.read(name.id, name.zone) ?? [])
      .toSorted((a, b) => a.number - b.number)
  }

  /** Those whose name begins so. Throws JOB_UNKNOWN, INPUT_INVALID where that could be several. */
  find(begin: string): readonly QueuedJob[] {
    const found = this.all().filter(({ id }) => id.startsWith(begin.toUpperCase()))
    const ids = new Set(found.map(({ id }) => id))
    if (ids.size === 0) throw new BoxError('JOB_UNKNOWN')
    if (ids.size > 1)
      throw new BoxError('INPUT_INVALID', `"${begin}" may be ${[...ids].join(' or ')}.`)
    return found
  }

  private write(job: QueuedJob): void {
    const [kind, other] = isDone(job)
      ? (['jobdone', 'job'] as const)
      : (['job', 'jobdone'] as const)
    const about = { id: job.id, zone: zoneToText(job.zone) }
    this.state.writeText(jobFile({ kind, ...about }), formatJob(job))
    this.state.remove(jobFile({ kind: other, ...about }))
  }

  private read(id: string, zone: string): QueuedJob | null {
    const textOf = (kind: JobKind) => this.state.readText(jobFile({ kind, id, zone }))
    // Where a crash left both, what is over is newer.
    const text = textOf('jobdone') ?? textOf('job')
    return text === null ? null : parseJob(text)
  }

  private lastNumber(): number {
    const text = this.state.readText(NUMBER_FILE)
    if (text === null) return 0
    try {
      const { number } = JSON.parse(text) as { number: unknown }
      if (Number.isSafeInteger(number)) return number as number
    } catch (cause) {
      throw new BoxError('STATE_UNREADABLE', `The file ${NUMBER_FILE} is damaged.`, cause)
    }
    throw new BoxError('STATE_UNREADABLE', `The file ${NUMBER_FILE} is damaged.`)
  }
}

/** Whether nothing more will come of it. */
export const isDone = ({ closed, report }: QueuedJob): boolean =>
  closed !== null || (report !== null && isOver(report.is))

const toText = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const toBytes = (text: unknown) => new Uint8Array(Buffer.from(String(text), 'base64'))

function formatJob(job: QueuedJob): string {
  const { name, queuedAt, offered, relays, closed, cancel, report } = job
  const runs = report?.runs.map(runOut)
  return `${JSON.stringify({
    ...{ version: 1, name, queuedAt, offered, relays, closed },
    signed: toText(job.signed),
    cancel: cancel && toText(cancel),
    report: report && { ...report, runs },
  })}\n`
}

/** Throws STATE_UNREADABLE. */
export function parseJob(text: string): QueuedJob {
  try {
    const said = JSON.parse(text) as Record<string, unknown>
    const { version, name, queuedAt, offered, relays, closed, cancel, report } = said
    const signed = toBytes(said.signed)
    const { signer, number, device: zone, expiresAt, demand } = openJob(signed)
    const isRight =
      version === 1 &&
      demand.do === 'run' &&
      typeof name === 'string' &&
      typeof queuedAt === 'number' &&
      typeof offered === 'boolean' &&
      Array.isArray(relays)
    if (!isRight) throw new TypeError('nothing of ours')
    zoneFromText(zoneToText(zone))
    return {
      ...{ id: jobId(signer, number), number, zone, name, queuedAt, expiresAt, signed, offered },
      ...{ line: demand.line, user: demand.user ?? null, every: demand.every },
      relays: relays.map(String),
      cancel: cancel === null ? null : toBytes(cancel),
      closed: closed === null ? null : readClosed(closed),
      report: report === null ? null : readReport(report),
    }
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', 'What is kept of a job is damaged.', cause)
  }
}

function readClosed(said: unknown): QueuedJob['closed'] {
  const { is, why } = said as Record<string, unknown>
  const found = CLOSED.find(one => one === is)
  if (found && typeof why === 'string') return { is: found, why }
  throw new TypeError('no end of a job')
}
