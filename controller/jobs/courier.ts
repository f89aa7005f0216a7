/**
 * Brings jobs to their devices and fetches what came of them: over a channel where the device is there; else by
 * the relays of the fleet, which hand jobs over, and results back, with no controller there.
 */

import { BoxError } from '../../src/base/errors.ts'
import { openParcel, PARCEL_BYTES_MAX, packParcel } from '../../src/box/bundle/parcel.ts'
import { type JobReport, openReports, REPORTS_BYTES_MAX } from '../../src/box/job-report.ts'
import { openJob } from '../../src/box/job-statement.ts'
import type { Service } from '../../src/box/ports.ts'
import { readWaiting } from '../../src/box/push-report.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import { type Device, hasZone, zonesOf } from '../fleet.ts'
import { inParallel } from '../parallel.ts'
import { RELAY_TAG } from '../push/relays.ts'
import { isDone, JobBook, type QueuedJob } from './job-book.ts'
import { jobNames } from './job-names.ts'

const PARALLEL = 16
/** The way to it is known already. */
const PASSING_MS = 5_000
/** As the relay tells at once. */
const RESULTS_MAX = 128

/** Where the jobs of a device are now. */
export interface Settled {
  readonly device: Device
  /** Null where it was reached. */
  readonly error: BoxError | null
}

/**
 * Brings and fetches whatever is open for these devices. Expected failures are in what comes back; fails with
 * STATE_UNREADABLE, STATE_UNWRITABLE.
 */
export async function settle(
  context: Context,
  devices: readonly Device[],
  timeoutMs: number,
): Promise<readonly Settled[]> {
  await closeExpired(context)
  const settled = await inParallel(devices, PARALLEL, async device => ({
    device,
    error: await settleDirectly(context, device, timeoutMs),
  }))
  const away = settled.flatMap(({ device, error }) => (error ? [device] : []))
  if (away.length > 0 && relaysOf(context).length > 0) {
    await fetchFromRelays(context, timeoutMs)
    for (const device of away) await leaveWithRelays(context, device, timeoutMs)
  }
  return settled
}

/**
 * What was never offered to anybody, and may begin no more; and what was cancelled by way of a relay, when its
 * cancellation is over too: a device tells nothing of a job that it never had.
 */
async function closeExpired({ state, clock }: Context): Promise<void> {
  const book = new JobBook(state)
  for (const job of book.open()) {
    if (!endOf(job, clock.now())) continue
    await book.change(job, found => {
      const closed = found.closed ?? endOf(found, clock.now())
      return closed ? { ...found, closed } : found
    })
  }
}

/** What it is closed as, where nobody will say more about it. */
function endOf(
  { offered, expiresAt, cancel, report }: QueuedJob,
  now: number,
): QueuedJob['closed'] {
  if (!offered && expiresAt <= now)
    return { is: 'expired', why: 'Its time was over before the device was there.' }
  if (cancel && !report && openJob(cancel).expiresAt <= now)
    return { is: 'cancelled', why: 'The device has said nothing of it.' }
  return null
}

/** The devices for which something is open. */
export function devicesWithJobs({ state, fleet }: Context): readonly Device[] {
  const open = new Set(jobNames(state).flatMap(({ kind, zone }) => (kind === 'job' ? [zone] : [])))
  return fleet.devices().filter(one => zonesOf(one).some(zone => open.has(zoneToText(zone))))
}

/** Over a channel to the device; why not, where that is not possible. */
export async function settleDirectly(
  context: Context,
  device: Device,
  timeoutMs: number,
): Promise<BoxError | null> {
  const book = new JobBook(context.state)
  try {
    return await talking(context, device, 'jobs', timeoutMs, async talk => {
      for (const job of book.open(device)) await bring(book, talk, job)
      const ids = book.open(device).map(({ id }) => id)
      if (ids.length === 0) return null
      const [, signed] = await talk.fetch('jobs', { ids }, REPORTS_BYTES_MAX)
      await take(context, device, signed)
      return null
    })
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof BoxError) || error.family === 'setup') throw error
    return error
  }
}

async function bring(book: JobBook, talk: PushTalk, found: QueuedJob): Promise<void> {
  // Before it is said: an answer may get lost. Meanwhile it may have been cancelled.
  const job = await book.change(found, now => (isDone(now) ? now : { ...now, offered: true }))
  if (!job || isDone(job)) return
  let isCancelled = false
  try {
    // First: what the device has not got yet, it then never begins.
    if (job.cancel) await talk.give('job', job.cancel)
    isCancelled = job.cancel !== null
    if (!job.report) await talk.give('job', job.signed)
  } catch (error) {
    if (!(error instanceof BoxError) || error.family === 'unreachable') throw error
    // A clock will be set; all else is said for good.
    if (error.family === 'setup') return
    const closed = isCancelled
      ? ({ is: 'cancelled', why: 'The device has nothing of it.' } as const)
      : ({ is: 'refused', why: error.detail } as const)
    await book.change(job, now => (now.report ? now : { ...now, closed }))
  }
}

/** Writes down what a device tells. Throws SIGNATURE_INVALID, WIRE_MALFORMED. */
async function take(context: Context, device: Device, signed: Uint8Array): Promise<void> {
  const book = new JobBook(context.state)
  const reports = openReports(signed, {
    ...{ devices: zonesOf(device), reader: context.ego().secret.zone },
  })
  for (const job of book.open(device)) {
    const report = reports.find(({ id }) => id === job.id)
    if (report) await book.change(job, now => ({ ...now, report: later(now.report, report) }))
  }
}

/** A relay may hand over again what it had before. */
const later = (known: JobReport | null, said: JobReport): JobReport =>
  known && known.revision >= said.revision ? known : said

const relaysOf = ({ fleet }: Context): readonly Device[] =>
  fleet.devices().filter(({ tags }) => tags.includes(RELAY_TAG))

/** Leaves with each relay all that this device has not said to have; it is needed once. */
async function leaveWithRelays(context: Context, device: Device, timeoutMs: number): Promise<void> {
  const { state, random, clock, output } = context
  const book = new JobBook(state)
  const jobs: QueuedJob[] = []
  for (const found of book.open(device)) {
    if (found.report && !found.cancel) continue
    // As with the device itself: an answer may get lost.
    const job = await book.change(found, now => (isDone(now) ? now : { ...now, offered: true }))
    if (job && !isDone(job)) jobs.push(job)
  }
  // Of one that is cancelled the end alone: the device then never begins it.
  const contents = jobs.flatMap(({ signed, cancel, report }) => cancel ?? (report ? [] : signed))
  if (contents.length === 0) return
  const parcel = packParcel({ signed: new Uint8Array(0), contents }, device.zone, random)
  if (!parcel) {
    output.remark(`${device.name}: too much for a relay; box jobs brings it.`)
    return
  }
  const relays = relaysOf(context).filter(({ name }) => name !== device.name)
  const kept = await inParallel(relays, PARALLEL, async relay => {
    const about = { shelf: 'jobs', to: zoneToText(device.zone), sequence: clock.now() }
    return await atRelay(context, relay, timeoutMs, async talk => {
      await talk.give('leave', parcel, about)
      return relay.name
    })
  })
  const names = kept.flatMap(name => name ?? [])
  for (const job of jobs) await book.change(job, now => ({ ...now, relays: names }))
}

/** What any device of the fleet has left for us at any relay. */
async function fetchFromRelays(context: Context, timeoutMs: number): Promise<void> {
  const { fleet, log } = context
  await inParallel(relaysOf(context), PARALLEL, relay =>
    atRelay(context, relay, timeoutMs, async talk => {
      const waiting = readWaiting(await talk.ask('find', { shelf: 'results' }))
      for (const { id } of waiting.slice(0, RESULTS_MAX)) {
        const about = { shelf: 'results', id }
        const [, sealed] = await talk.fetch('take', about, PARCEL_BYTES_MAX)
        try {
          // Who left it stands in its name; whether that is so, the signature says.
          const zone = zoneFromText(id.split('-')[0]!)
          const device = fleet.devices().find(one => hasZone(one, zone))
          if (!device) continue
          const { signed } = openParcel(context.ego().secret, sealed)
          await take(context, device, signed)
        } catch (error) {
          if (!(error instanceof BoxError) || error.family === 'setup') throw error
          log.note('warn', 'jobs', 'result refused', { code: error.code })
        }
        await talk.ask('taken', about)
      }
      return null
    }),
  )
}

/** Null where it could not be done; that is said, and nothing more: the device itself may be there again. */
async function atRelay<T>(
  context: Context,
  relay: Device,
  timeoutMs: number,
  work: (talk: PushTalk) => Promise<T>,
): Promise<T | null> {
  try {
    return await talking(context, relay, 'relay', timeoutMs, work)
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof BoxError) || error.family === 'setup') throw error
    context.output.remark(`The relay ${relay.name}: ${error.message}`)
    return null
  }
}

async function talking<T>(
  context: Context,
  device: Device,
  service: Service,
  timeoutMs: number,
  work: (talk: PushTalk) => Promise<T>,
): Promise<T> {
  const { channel } = await reach(context, device, { service, timeoutMs })
  const talk = new PushTalk(channel, context.clock, context.signal)
  try {
    return await work(talk)
  } finally {
    talk.close()
  }
}

/** In passing, where another command has reached the device: what fails is tried again another time. */
export async function settleInPassing(context: Context, device: Device): Promise<void> {
  const { state, output } = context
  const count = () => new JobBook(state).all().filter(isDone).length
  const before = count()
  await settleDirectly(context, device, PASSING_MS)
  const over = count() - before
  if (over > 0) output.remark(`${device.name}: ${over} jobs are over: see box jobs.`)
}
