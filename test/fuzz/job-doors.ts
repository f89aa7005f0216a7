/** The doors of jobs, on the device and in the state of a controller: see doors.ts. */

import { readJobNote } from '../../agent/job-memory.ts'
import { parseJob } from '../../controller/jobs/job-book.ts'
import { concat } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import {
  type JobReport,
  openReports,
  REPORT_SIGNATURE,
  readReport,
  runOut,
  signReports,
} from '../../src/box/job-report.ts'
import { JOB_SIGNATURE, openJob, signJob } from '../../src/box/job-statement.ts'
import { nextTime, parseSchedule } from '../../src/box/schedule.ts'
import { SIGNATURE_SIZE } from '../../src/crypto/signing.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, now, type TextDoor, zone } from './doors.ts'

const about = { device: zone.zone, number: now, expiresAt: now + 1_000 }
const work = { do: 'run', line: 'df -P /', input: utf8('in'), limitSeconds: 60 } as const
const jobs = [
  signJob(zone, { ...about, demand: { ...work, every: null } }),
  signJob(zone, { ...about, demand: { ...work, every: 'mon,thu 04:00' } }),
  signJob(zone, { ...about, demand: { ...work, every: null, user: 'ada' } }),
  signJob(zone, { ...about, demand: { do: 'cancel', signer: zone.zone, job: now } }),
]

const report: JobReport = {
  ...{ id: '0123456789AB', signer: zoneToText(zone.zone), number: now, line: 'df', is: 'ended' },
  ...{ why: null, every: null, nextAt: null, expiresAt: now + 1, revision: 3 },
  runs: [
    {
      ...{ began: now, ended: now + 1, exitCode: 0, signal: null, why: null },
      ...{ out: utf8('out'), err: utf8(''), outDropped: 5, errDropped: 0 },
    },
  ],
}
const reader = { devices: [zone.zone], reader: zone.zone }
const reports = signReports(zone, zone.zone, [report])
const reportText = JSON.stringify({ ...report, runs: report.runs.map(runOut) })

const note = JSON.stringify({
  ...{ version: 1, takenAt: now, is: 'begun', why: null, revision: 2 },
  runs: [
    {
      ...{ count: 0, began: now, ended: null, exitCode: null, signal: null, why: null },
      ...{ outDropped: 0, errDropped: 0 },
    },
  ],
})

const queued = (report: string) =>
  `{"version":1,"name":"hut","queuedAt":${now},"offered":true,"relays":["post"],"closed":null,` +
  `"signed":"${Buffer.from(jobs[0]!).toString('base64')}","cancel":null,"report":${report}}`

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', undefined, cause)
  }
}

export const JOB_BYTE_DOORS: readonly ByteDoor[] = [
  { name: 'job as it travels', of: ['openJob'], right: jobs, read: openJob },
  {
    name: 'job that somebody signed',
    of: [],
    right: jobs.map(job => job.slice(SIGNATURE_SIZE)),
    read: body => openJob(concat(zone.sign(JOB_SIGNATURE, body), body)),
  },
  {
    name: 'reports as they travel',
    of: ['openReports'],
    right: [reports],
    read: bytes => openReports(bytes, reader),
  },
  {
    name: 'reports that a device signed',
    of: [],
    right: [reports.slice(SIGNATURE_SIZE)],
    read: body => openReports(concat(zone.sign(REPORT_SIGNATURE, body), body), reader),
  },
]

export const JOB_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'report of JSON',
    of: ['readReport'],
    right: [reportText],
    read: text => readReport(json(text)),
  },
  {
    name: 'note of a job on a device',
    of: ['readJobNote'],
    right: [note],
    read: text => readJobNote(text, jobs[1]!),
  },
  {
    name: 'job in the state of a controller',
    of: ['parseJob'],
    right: [queued('null'), queued(reportText)],
    read: parseJob,
  },
  {
    name: 'schedule',
    of: ['parseSchedule'],
    right: ['30m', 'daily 03:30', 'mon,thu 04:00', '*/15 3-5 1,15 * mon', '0 0 29 2 *', 'hourly'],
    read: text => nextTime(parseSchedule(text), now),
  },
]
