/**
 * The relay: keeps parcels of configuration for devices that are off, and hands them over when these ask. Who
 * may push here may leave something here; a device gets only what was left for it, and proves who it is.
 *
 * It keeps jobs for devices as well, and what these tell of them for whoever left the job: a device may leave
 * something here for those who left something for it, and for nobody else.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import { PARCEL_BYTES_MAX } from '../src/box/bundle/parcel.ts'
import type { Session } from '../src/box/handshake.ts'
import { type Json, type PushKind, PushTalk } from '../src/box/push-talk.ts'
import { zoneFromText } from '../src/gns/name.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { Kept, ParcelShelf } from './parcel-shelf.ts'

/** A controller leaves something for a fleet, one device a dialogue; a device fetches one thing and says so. */
const REQUESTS_MAX = 64
/** Of one answer, which is one message; the rest is told when these are taken. */
const TOLD_MAX = 128

export interface RelayOptions {
  readonly clock: Clock
  readonly log: Log
  readonly shelf: ParcelShelf
  readonly post: Post
  readonly audit: AuditNotes
  /** Whether the caller may push to this device, and so leave something here. */
  readonly allows: () => boolean
}

/** The shelves of jobs and of what devices tell about them. */
export interface Post {
  readonly jobs: ParcelShelf
  readonly results: ParcelShelf
}

/** Serves one channel. Never fails; the channel is closed when this resolves. */
export async function serveRelay(
  { channel, peerZone }: Session,
  options: RelayOptions,
): Promise<void> {
  const talk = new PushTalk(channel, options.clock)
  await talk.serve(
    REQUESTS_MAX,
    (kind, body) => serve(talk, peerZone, kind, body, options),
    (kind, why) => options.log.note('info', 'relay', 'refused', { kind, why: why.detail }),
  )
}

async function serve(
  talk: PushTalk,
  caller: ZoneKey,
  kind: PushKind | null,
  body: Json,
  options: RelayOptions,
): Promise<void> {
  const { shelf } = options
  switch (kind) {
    case 'deposit':
      return await deposit(talk, caller, body, options)
    case 'waiting':
      return tellWaiting(talk, shelf, caller)
    case 'collect':
      return await handOver(talk, shelf, caller, body)
    case 'collected':
      shelf.drop(find(shelf, caller, body))
      return talk.answer({})
    case 'leave':
      return await leave(talk, caller, body, options)
    case 'find':
      return tellWaiting(talk, shelfIn(body, options), caller)
    case 'take':
      return await handOver(talk, shelfIn(body, options), caller, body)
    case 'taken': {
      const from = shelfIn(body, options)
      const kept = find(from, caller, body)
      // Whoever got a job here may leave its result here.
      if (from === options.post.jobs) from.empty(kept)
      else from.drop(kept)
      return talk.answer({})
    }
    default:
      throw new BoxError('PUSH_REFUSED', 'A relay does nothing of the kind.')
  }
}

function shelfIn({ shelf }: Json, { post }: RelayOptions): ParcelShelf {
  if (shelf === 'jobs' || shelf === 'results') return post[shelf]
  throw new BoxError('PUSH_REFUSED', 'There is no such shelf here.')
}

function tellWaiting(talk: PushTalk, shelf: ParcelShelf, caller: ZoneKey): void {
  const parcels = shelf.waitingFor(caller).map(kept => ({
    ...{ id: idOf(kept), sequence: kept.sequence, size: kept.size, from: kept.from },
  }))
  talk.answer({ parcels: parcels.slice(0, TOLD_MAX) })
}

async function handOver(
  talk: PushTalk,
  shelf: ParcelShelf,
  caller: ZoneKey,
  body: Json,
): Promise<void> {
  const parcel = shelf.get(find(shelf, caller, body))
  if (!parcel) throw new BoxError('PUSH_REFUSED', GONE)
  talk.answer({ size: parcel.length })
  await talk.sendParts(parcel)
}

async function leave(
  talk: PushTalk,
  caller: ZoneKey,
  body: Json,
  options: RelayOptions,
): Promise<void> {
  const { to, sequence, size } = body
  const shelf = shelfIn(body, options)
  const { post, audit, allows } = options
  if (typeof to !== 'string' || !Number.isSafeInteger(sequence) || Number(sequence) < 1)
    throw new BoxError('PUSH_REFUSED', 'A zone, or a number, is missing.')
  const zone = zoneFromText(to)
  const may = shelf === post.jobs ? allows() : post.jobs.knows(caller, zone)
  if (!may) throw new BoxError('NOT_PERMITTED')
  const parcel = await talk.takeParts(size, PARCEL_BYTES_MAX)
  shelf.put(zone, caller, sequence as number, parcel)
  if (shelf === post.jobs)
    audit.note({ zone: caller, what: 'relay', detail: `jobs for ${to}`, result: 'kept' })
  talk.answer({})
}

async function deposit(
  talk: PushTalk,
  caller: ZoneKey,
  { device, sequence, size }: Json,
  { shelf, audit, allows }: RelayOptions,
): Promise<void> {
  if (!allows()) throw new BoxError('NOT_PERMITTED')
  if (typeof device !== 'string' || !Number.isSafeInteger(sequence) || Number(sequence) < 1)
    throw new BoxError('PUSH_REFUSED', 'A device, or a number, is missing.')
  const zone = zoneFromText(device)
  const parcel = await talk.takeParts(size, PARCEL_BYTES_MAX)
  const detail = `${sequence} for ${device}`
  try {
    shelf.put(zone, caller, sequence as number, parcel)
  } catch (error) {
    audit.note({ zone: caller, what: 'relay', detail, result: 'refused' })
    throw error
  }
  audit.note({ zone: caller, what: 'relay', detail, result: 'kept' })
  talk.answer({})
}

const GONE = 'This is not kept here any more.'
const idOf = ({ from, sequence }: Kept): string => `${from}-${sequence}`

function find(shelf: ParcelShelf, device: ZoneKey, { id }: Json): Kept {
  const kept = shelf.waitingFor(device).find(one => idOf(one) === id)
  if (kept) return kept
  throw new BoxError('PUSH_REFUSED', GONE)
}
