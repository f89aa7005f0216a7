/**
 * The relay: keeps parcels of configuration for devices that are off, and hands them over when these ask. Who
 * may push here may leave something here; a device gets only what was left for it, and proves who it is.
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

export interface RelayOptions {
  readonly clock: Clock
  readonly log: Log
  readonly shelf: ParcelShelf
  readonly audit: AuditNotes
  /** Whether the caller may push to this device, and so leave something here. */
  readonly allows: () => boolean
}

/** Serves one channel. Never fails; the channel is closed when this resolves. */
export async function serveRelay(
  { channel, peerZone }: Session,
  options: RelayOptions,
): Promise<void> {
  const talk = new PushTalk(channel, options.clock)
  try {
    for (let i = 0; i < REQUESTS_MAX; i++) {
      const { kind, body } = await talk.asked()
      try {
        await serve(talk, peerZone, kind, body, options)
      } catch (error) {
        if (!(error instanceof BoxError) || error.family === 'unreachable') throw error
        options.log.note('info', 'relay', 'refused', { kind, why: error.detail })
        talk.fail(error)
      }
    }
  } catch (error) {
    // The other side is done, or talks nonsense: either way the dialogue ends.
    if (!(error instanceof BoxError)) throw error
  } finally {
    talk.close()
  }
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
      return talk.answer({
        parcels: shelf.waitingFor(caller).map(kept => ({
          ...{ id: idOf(kept), sequence: kept.sequence, size: kept.size },
        })),
      })
    case 'collect': {
      const parcel = shelf.get(find(shelf, caller, body))
      if (!parcel) throw new BoxError('PUSH_REFUSED', GONE)
      talk.answer({ size: parcel.length })
      return await talk.sendParts(parcel)
    }
    case 'collected':
      shelf.drop(find(shelf, caller, body))
      return talk.answer({})
    default:
      throw new BoxError('PUSH_REFUSED', 'A relay does nothing of the kind.')
  }
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
