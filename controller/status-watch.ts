/**
 * The status of a device as it is now: enters its place `@status`, has the whole state with one request, and
 * hears what changes. A device that is away is looked for again; one that was restarted has a new place.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { pause } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import { type PeerId, peerId } from '../src/base/ids.ts'
import { memoryStore } from '../src/base/store.ts'
import { clockReading } from '../src/box/other-clock.ts'
import type { Link } from '../src/psyc/edge.ts'
import { forgetfulLedger } from '../src/psyc/history.ts'
import { PlaceGuest } from '../src/psyc/place-guest.ts'
import type { Context } from './context.ts'
import { type DeviceSession, reach } from './device-session.ts'
import type { Device } from './fleet.ts'

const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 30_000
const PLACE_KEY_SIZE = 32
const PEER_SIZE = 32

export type Values = ReadonlyMap<string, Uint8Array>

export interface StatusEvents {
  /** This is how it is now. */
  fresh(values: Values): void
  /** What was known grows old from now on. `why` is null where the connection was lost. */
  stale(why: BoxError | null): void
}

export interface StatusOptions {
  readonly timeoutMs: number
  /** Ends with the first state. */
  readonly once: boolean
}

/** How one place ended for us. */
type End = 'seen' | 'replaced' | 'lost' | 'refused' | 'aborted'

/**
 * Follows a device until the signal of the context; with `once`, until its state is known. Fails with what
 * `reach` fails with (once only), and with NOT_PERMITTED where the device does not let us see it.
 */
export async function followStatus(
  context: Context,
  device: Device,
  options: StatusOptions,
  events: StatusEvents,
): Promise<void> {
  const { clock, random, signal } = context
  // Not the key of our peer, which several processes may share: the device tells them apart by it.
  const self = peerId(random.bytes(PEER_SIZE))
  let failures = 0
  for (;;) {
    try {
      const session = await reach(context, device, {
        service: 'place',
        timeoutMs: options.timeoutMs,
        payload: () => clockReading(clock.now()),
      })
      failures = 0
      const end = await stay(context, self, session, options, events)
      if (end === 'refused') throw new BoxError('NOT_PERMITTED')
      if (end !== 'replaced' && end !== 'lost') return
      events.stale(null)
      // The device may have moved or been restarted: it is looked for, not just dialled again.
      if (end === 'lost') await pause(clock, RETRY_MIN_MS, signal)
      if (signal.aborted) return
    } catch (error) {
      if (!(error instanceof BoxError) || options.once || error.family === 'refused') throw error
      if (signal.aborted) return
      events.stale(error)
      await pause(clock, Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** failures++), signal)
    }
  }
}

/** In one place, until it ends. */
function stay(
  context: Context,
  self: PeerId,
  session: DeviceSession,
  { timeoutMs, once }: StatusOptions,
  events: StatusEvents,
): Promise<End> {
  const { clock, random, signal } = context
  const { device, payload: place } = session
  if (place.length !== PLACE_KEY_SIZE) {
    session.channel.close()
    throw new BoxError('STATE_UNEXPECTED', 'The device does not name its place.')
  }
  const own = context.ego().secret.zone
  return new Promise(resolve => {
    let first: Link | null = { zone: device.zone, channel: session.channel }
    const end = (how: End) => {
      signal.removeEventListener('abort', abort)
      // Not from within a call of the guest.
      queueMicrotask(() => guest.close())
      resolve(how)
    }
    const abort = () => end('aborted')
    /** The device may have been restarted since: then its place is another. */
    const again = async (): Promise<Link> => {
      const { payload, channel } = await reach(context, device, {
        service: 'place',
        timeoutMs,
        payload: () => clockReading(clock.now()),
      })
      if (equalBytes(payload, place)) return { zone: device.zone, channel }
      channel.close()
      end('replaced')
      throw new BoxError('PEER_UNREACHABLE')
    }
    const dial = async (node: { zone: Uint8Array }): Promise<Link> => {
      if (!equalBytes(node.zone, device.zone)) throw new BoxError('PEER_UNREACHABLE')
      const link = first ?? (await again())
      first = null
      return link
    }
    const node = { peer: session.channel.peer, zone: device.zone }
    const guest: PlaceGuest = new PlaceGuest({
      ...{ place, host: node, self: { peer: self, zone: own }, clock, random, dial },
      ...{ store: memoryStore(), name: 'status', ledger: forgetfulLedger },
      request: { method: '_request_enter' },
      events: {
        entered: () => {
          events.fresh(valuesOf(guest))
          if (once) end('seen')
        },
        refused: () => end('refused'),
        said: () => events.fresh(valuesOf(guest)),
        attached: isAttached => {
          if (isAttached) events.fresh(valuesOf(guest))
          else end('lost')
        },
      },
    })
    if (signal.aborted) abort()
    else {
      signal.addEventListener('abort', abort, { once: true })
      guest.enter()
    }
  })
}

const valuesOf = (guest: PlaceGuest): Values => new Map(guest.state.under(''))
