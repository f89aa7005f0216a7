/**
 * What a device keeps of jobs on its disk: each statement as it was signed, how far it is, what its last runs
 * printed; and the numbers of those that are gone, so that none of them is taken again.
 *
 * Each value is replaced as a whole. A job is there as soon as its note is: what a crash left beside it is swept
 * away at the next start.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import type { Store } from '../src/base/store.ts'
import { JOB_STATES, type JobState } from '../src/box/job-report.ts'
import { jobId, openJob, type Work } from '../src/box/job-statement.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Kept } from './job-run.ts'

/** The last runs of a schedule whose output is kept; with those of all jobs, two megabytes of flash. */
export const RUNS_KEPT = 4
/** Beyond, the number below which a person's jobs are refused is raised instead: never forgotten, never taken again. */
const SEEN_MAX = 1_024

export interface RunNote {
  /** Counted from 0. */
  readonly count: number
  readonly began: number
  readonly ended: number | null
  readonly exitCode: number | null
  readonly signal: string | null
  readonly why: string | null
  readonly outDropped: number
  readonly errDropped: number
}

/** All but the signed statement itself, and the outputs. */
export interface JobNote {
  readonly id: string
  readonly signer: string
  readonly number: number
  readonly work: Omit<Work, 'input'>
  readonly expiresAt: number
  readonly takenAt: number
  /** From when a schedule counts while its last time lies ahead of the clock; null where it does not. */
  readonly anchor: number | null
  readonly is: JobState
  readonly why: string | null
  readonly revision: number
  readonly runs: readonly RunNote[]
}

/** A job that is not taken any more; `number` and `signer` are missing where it was cancelled before it came. */
interface Seen {
  readonly id: string
  readonly signer: string
  readonly number: number
}

const NOTE = 'job-'
const ORDER = 'joborder-'
const OUTPUT = 'joboutput-'
const SEEN = 'jobs-seen'
const VERSION = 1

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class JobMemory {
  private readonly store: Store
  private readonly notes = new Map<string, JobNote>()
  /** Their notes cannot be read, and stay: what was done is not done again. */
  private readonly damaged = new Set<string>()
  private seen: Seen[] = []
  /** By signer: this number and all below are refused. */
  private floors: Record<string, number> = {}

  /** Reads what is there and sweeps away what is not whole. Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
  constructor(store: Store, log: Log) {
    this.store = store
    this.readSeen()
    const names = store.names()
    for (const name of names.filter(name => name.startsWith(NOTE))) {
      const id = name.slice(NOTE.length)
      const note = this.readNote(id)
      if (note) this.notes.set(note.id, note)
      else {
        this.damaged.add(id)
        log.note('error', 'jobs', 'job is damaged', { name })
      }
    }
    for (const name of names) {
      const [, id] = /^job(?:order|output)-(\w+)(?:-\d+)?$/.exec(name) ?? []
      if (id !== undefined && !this.notes.has(id)) store.delete(name)
    }
  }

  all(): readonly JobNote[] {
    return [...this.notes.values()]
  }

  get(id: string): JobNote | null {
    return this.notes.get(id) ?? null
  }

  /** Whether it was here, or must not come. */
  knows({ id, signer, number }: Seen): boolean {
    if (this.notes.has(id) || this.damaged.has(id) || this.seen.some(one => one.id === id))
      return true
    return number <= (this.floors[signer] ?? 0)
  }

  add(note: JobNote, signed: Uint8Array): void {
    this.store.set(ORDER + note.id, signed)
    this.set(note)
  }

  /** When this returns, it survives a crash. Throws STATE_UNWRITABLE. */
  set(note: JobNote): void {
    const { id, takenAt, anchor, is, why, revision, runs } = note
    const value = { version: VERSION, takenAt, anchor, is, why, revision, runs }
    this.store.set(NOTE + id, encoder.encode(JSON.stringify(value)))
    this.notes.set(id, note)
  }

  /** Whether it is this very statement that was taken. */
  isSame(id: string, signed: Uint8Array): boolean {
    return equalBytes(this.store.get(ORDER + id) ?? new Uint8Array(0), signed)
  }

  /** All of its standard input. */
  inputOf(id: string): Uint8Array {
    const { demand } = openJob(this.store.get(ORDER + id) ?? new Uint8Array(0))
    return demand.do === 'run' ? demand.input : new Uint8Array(0)
  }

  keepOutput(id: string, count: number, out: Kept, err: Kept): void {
    const head = Uint8Array.of(out.bytes.length >>> 8, out.bytes.length & 0xff)
    const value = new Uint8Array([...head, ...out.bytes, ...err.bytes])
    this.store.set(this.outputName(id, count), value)
  }

  /** Of the run whose place this one takes. */
  dropOutput(id: string, count: number): void {
    if (count >= RUNS_KEPT) this.store.delete(this.outputName(id, count))
  }

  outputOf(id: string, count: number): { out: Uint8Array; err: Uint8Array } {
    const value = this.store.get(this.outputName(id, count)) ?? new Uint8Array(2)
    const size = ((value[0] ?? 0) << 8) | (value[1] ?? 0)
    return { out: value.slice(2, 2 + size), err: value.slice(2 + size) }
  }

  /** Forgets all but that it was here. */
  forget(id: string): void {
    const note = this.notes.get(id)
    if (!note) return
    this.refuse(note)
    this.notes.delete(id)
    // The note first: without it, the rest is swept away at the next start.
    this.store.delete(NOTE + id)
    this.store.delete(ORDER + id)
    for (let slot = 0; slot < RUNS_KEPT; slot++) this.store.delete(this.outputName(id, slot))
  }

  /** It is not taken from now on. */
  refuse({ id, signer, number }: Seen): void {
    if (this.seen.some(one => one.id === id)) return
    const seen = [...this.seen, { id, signer, number }]
    const floors = { ...this.floors }
    while (seen.length > SEEN_MAX) {
      const { signer, number } = seen.shift()!
      floors[signer] = Math.max(floors[signer] ?? 0, number)
    }
    this.store.set(SEEN, encoder.encode(JSON.stringify({ version: VERSION, seen, floors })))
    this.seen = seen
    this.floors = floors
  }

  private outputName(id: string, count: number): string {
    return `${OUTPUT}${id}-${count % RUNS_KEPT}`
  }

  private readSeen(): void {
    const bytes = this.store.get(SEEN)
    if (!bytes) return
    try {
      const { version, seen, floors } = parseSeen(decoder.decode(bytes))
      if (version !== VERSION) throw new TypeError(`of version ${version}`)
      this.seen = seen
      this.floors = floors
    } catch (cause) {
      // Without it, a job that was done could be done again.
      throw new BoxError('STATE_UNREADABLE', `The list of jobs (${SEEN}) is damaged.`, cause)
    }
  }

  private readNote(id: string): JobNote | null {
    const [value, order] = [this.store.get(NOTE + id), this.store.get(ORDER + id)]
    if (!(value && order)) return null
    try {
      return readJobNote(decoder.decode(value), order)
    } catch (error) {
      if (error instanceof BoxError) return null
      throw error
    }
  }
}

/** A note and the statement it belongs to. Throws STATE_UNREADABLE, and as openJob. */
export function readJobNote(text: string, order: Uint8Array): JobNote {
  const { signer, number, expiresAt, demand } = openJob(order)
  if (demand.do !== 'run') throw new BoxError('STATE_UNREADABLE')
  const { input: _, ...work } = demand
  try {
    // An earlier version noted no anchor.
    const said = JSON.parse(text) as JobNote & { version: number }
    const { version, takenAt, anchor = null, is, why, revision, runs } = said
    const isRight =
      version === VERSION &&
      JOB_STATES.includes(is) &&
      [takenAt, revision, anchor ?? 0].every(Number.isSafeInteger) &&
      (why === null || typeof why === 'string')
    if (!(isRight && Array.isArray(runs) && runs.every(isRun))) throw new TypeError('no note')
    const about = { signer: zoneToText(signer), number, work, expiresAt }
    return { id: jobId(signer, number), ...about, takenAt, anchor, is, why, revision, runs }
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', 'What is kept of a job is damaged.', cause)
  }
}

const isNumber = (value: unknown) => typeof value === 'number'
const isText = (value: unknown) => typeof value === 'string'

function isRun(value: RunNote): boolean {
  const { count, began, ended, exitCode, signal, why, outDropped, errDropped } = value
  const orNull = (one: unknown, is: (one: unknown) => boolean) => one === null || is(one)
  return (
    [count, began, outDropped, errDropped].every(isNumber) &&
    [ended, exitCode].every(one => orNull(one, isNumber)) &&
    [signal, why].every(one => orNull(one, isText))
  )
}

/** Throws TypeError, SyntaxError. */
function parseSeen(text: string): {
  version: unknown
  seen: Seen[]
  floors: Record<string, number>
} {
  const { version, seen, floors } = JSON.parse(text) as ReturnType<typeof parseSeen>
  const isSeen = ({ id, signer, number }: Seen) => isText(id) && isText(signer) && isNumber(number)
  if (!(Array.isArray(seen) && seen.every(isSeen))) throw new TypeError('no list')
  if (!Object.values(floors).every(isNumber)) throw new TypeError('no numbers')
  return { version, seen, floors }
}
