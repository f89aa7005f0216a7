/** Jobs as people and programs read them. */

import { concat } from '../../src/base/bytes.ts'
import { EXIT_CODES } from '../../src/base/errors.ts'
import { isOver, type RunReport } from '../../src/box/job-report.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { table } from '../output.ts'
import type { QueuedJob } from './job-book.ts'

/** Of a command line, in a table. */
const LINE_MAX = 60

/** A line each, or JSON. */
export function tell({ output }: Context, jobs: readonly QueuedJob[]): void {
  const lines = table(
    jobs.map(job => [job.id, timeText(job.queuedAt), job.name, stateText(job), lineText(job)]),
  )
  jobs.forEach((job, i) => {
    output.result(lines[i]!, jobValue(job))
  })
}

const lineText = ({ line, user }: QueuedJob): string => {
  const one = `${user === null ? '' : `as ${user}: `}${line.replaceAll(/\s+/g, ' ')}`
  return one.length > LINE_MAX ? `${one.slice(0, LINE_MAX - 1)}…` : one
}

const timeText = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')

/** How far it is. */
export function stateText(job: QueuedJob): string {
  const { closed, report, cancel, offered, relays } = job
  if (closed) return `${closed.is}: ${closed.why}`
  if (cancel && !(report && isOver(report.is))) return 'to be cancelled when the device is back'
  if (!report) {
    if (relays.length > 0) return `waits at ${relays.join(', ')}`
    return offered ? 'brought, not heard of yet' : 'waits for the device'
  }
  const last = report.runs.at(-1)
  if (report.is === 'scheduled') {
    const next = report.nextAt === null ? 'never again' : `next ${timeText(report.nextAt)}`
    return `every ${report.every}, ${last ? `${endText(last)}, ` : ''}${next}`
  }
  if (report.is === 'ended') return last ? endText(last) : 'ended'
  if (report.is === 'begun') return 'runs'
  return report.is === 'waiting' ? 'is next on the device' : report.is
}

function endText({ exitCode, signal, ended, why }: RunReport): string {
  if (exitCode !== null) return `exit ${exitCode}`
  if (signal !== null) return `signal ${signal}`
  return why === null && ended === null ? 'runs' : 'interrupted'
}

/** For JSON. */
export function jobValue(job: QueuedJob): object {
  const { id, name, line, user, every, queuedAt, expiresAt, relays, closed, report, cancel } = job
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
  return {
    ...{ id, device: name, zone: zoneToText(job.zone), line, user, every, relays },
    state: stateWord(job),
    cancelling: cancel !== null && closed === null && !(report && isOver(report.is)),
    reason: closed?.why ?? report?.why ?? null,
    ...{ queued_at: time(queuedAt), expires_at: time(expiresAt) },
    next_at: time(report?.nextAt ?? null),
    runs: (report?.runs ?? []).map(run => ({
      ...{ began_at: time(run.began), ended_at: time(run.ended) },
      ...{ exit_code: run.exitCode, signal: run.signal, reason: run.why },
      ...{ stdout: text(run.out), stderr: text(run.err) },
      truncated: run.outDropped + run.errDropped > 0,
    })),
  }
}

/** `waiting`: the device has not said anything of it yet. */
export const stateWord = ({ closed, report }: QueuedJob): string =>
  closed?.is ?? (report?.is === 'waiting' ? 'taken' : (report?.is ?? 'waiting'))

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** What was printed, with a line where something is missing. */
export function printed(bytes: Uint8Array, dropped: number): Uint8Array {
  if (dropped === 0) return bytes
  const half = Math.floor(bytes.length / 2)
  const gap = new TextEncoder().encode(`\n… ${dropped} bytes were left out here …\n`)
  return concat(bytes.subarray(0, half), gap, bytes.subarray(half))
}

/** That of the command where it is the same everywhere; 0 for what is not over, 77 where a device refused it. */
export function exitCode(jobs: readonly QueuedJob[]): number {
  const codes = new Set(jobs.map(codeOf))
  return codes.size === 1 ? [...codes][0]! : Number(codes.size > 0)
}

function codeOf({ closed, report }: QueuedJob): number {
  if (closed || report?.is === 'refused') return EXIT_CODES.refused
  if (!report || !isOver(report.is)) return 0
  return report.is === 'ended' ? (report.runs.at(-1)?.exitCode ?? 1) : EXIT_CODES.unreachable
}
