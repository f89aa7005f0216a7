/** A session with a device of the fleet: reached by its name, both sides proven by their zone keys. */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import { askRevoke } from '../src/box/control.ts'
import type { DeviceRecord } from '../src/box/device-record.ts'
import { authenticate, type Session } from '../src/box/handshake.ts'
import { type Service, servicePort } from '../src/box/ports.ts'
import { successionChain } from '../src/box/succession.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Context } from './context.ts'
import { type Found, sameRecord, search } from './device-search.ts'
import { chainIn, followDevice } from './device-succession.ts'
import type { Device, Fleet, LastKnown } from './fleet.ts'
import { openResolver } from './names.ts'
import { publishInPassing } from './publication.ts'
import { told, untoldTo } from './revocations.ts'
import { mustNotBeRevoked, revokedZones } from './revoked-zones.ts'

/** What a device said is written down again when it has changed, or is as old as this. */
const REMEMBER_EVERY_MS = 10 * 60_000

export interface DeviceSession extends Session, Omit<Found<unknown>, 'met'> {
  readonly device: Device
  /** Resolves when what it said has been written down, or could not be. */
  readonly remembered: Promise<void>
}

export interface ReachOptions {
  readonly service: Service
  readonly timeoutMs?: number
  /** Told to the device along with our proof. */
  readonly payload?: Uint8Array | (() => Uint8Array)
  /** Does not use what was known before: for showing that the name alone suffices. */
  readonly forget?: boolean
  /** Writes down where it was; absent: in the fleet. */
  readonly keep?: (last: LastKnown) => Promise<void>
}

/** Fails as `search` and `authenticate`. */
export async function reach(
  context: Context,
  device: Device,
  options: ReachOptions,
): Promise<DeviceSession> {
  const { chain } = context.ego()
  if (chain.length === 0) return await reachOnce(context, device, options)
  const payload = successionChain(chain)
  if (options.service === 'control')
    return await reachOnce(context, device, { payload, ...options })
  try {
    return await reachOnce(context, device, options)
  } catch (error) {
    if (!(error instanceof BoxError) || error.code !== 'NOT_PERMITTED') throw error
    // It may know an earlier key of ours, and not yet what came after it.
    await tellKeys(context, device, { ...options, service: 'control', payload })
    return await reachOnce(context, device, options)
  }
}

/** Whoever is in its rooms and has no right there is heard, too, and let in no further. */
async function tellKeys(context: Context, device: Device, options: ReachOptions): Promise<void> {
  try {
    const { channel } = await reachOnce(context, device, options)
    channel.close()
  } catch (error) {
    if (!(error instanceof BoxError) || error.code !== 'NOT_PERMITTED') throw error
  }
}

async function reachOnce(
  context: Context,
  device: Device,
  { service, timeoutMs, payload, forget = false, keep }: ReachOptions,
): Promise<DeviceSession> {
  const { clock, random } = context
  const ego = context.ego()
  const mesh = await context.mesh()
  const revocations = await revokedZones(context)
  mustNotBeRevoked(revocations, device)
  // Its own name is all that is asked for: the whole zone, for each device of a fleet, would be its square.
  const resolver = openResolver(mesh, clock, ego, [device], { revocations })
  try {
    const { met, ...found } = await search(context, resolver, {
      called: device.name,
      name: `${device.name}.${ego.name}`,
      zone: device.zone,
      port: servicePort(service, device.zone),
      known: forget ? null : (device.last?.record ?? null),
      timeoutMs,
      heard: records =>
        context.meanwhile(followDevice(context, device, chainIn(records)).then(() => {})),
      meet: (channel, signal) =>
        authenticate(channel, {
          self: mesh.self,
          purpose: service,
          own: ego.secret,
          device: device.zone,
          clock,
          random,
          signal,
          ...(payload && { payload }),
        }),
    })
    const keepIn = keep ?? (last => context.fleet.remember(device.zone, last))
    const hostKey = service === 'ssh' ? toldHostKey(met.payload, found.record) : null
    const at = clock.now()
    const last = { record: found.record, hostKey, at }
    const remembered = remember(context, device, last, keepIn)
    const session = { ...met, ...found, device, remembered }
    context.meanwhile(
      remembered
        .then(() => followDevice(context, device, met.chain))
        .then(() => publishInPassing(context)),
    )
    context.meanwhile(tellRevocations(context, device, timeoutMs))
    return session
  } finally {
    resolver.close()
  }
}

/** Of one process, whose contexts differ by their signals. */
const telling = new WeakMap<Fleet, Set<string>>()

/** Tells a device which keys are revoked, where it has not heard of some. Fails as `reach`, and with what it says. */
export async function tellRevocations(
  context: Context,
  device: Device,
  timeoutMs?: number,
): Promise<void> {
  const { state } = context
  const name = zoneToText(device.zone)
  const busy = telling.get(context.fleet) ?? new Set()
  telling.set(context.fleet, busy)
  // Telling means reaching, and that means telling.
  if (busy.has(name)) return
  busy.add(name)
  try {
    let failure: BoxError | null = null
    for (const signed of untoldTo(state, device.zone, context.ego().secret)) {
      const refusal = await refusalOf(tellOne(context, device, signed, timeoutMs))
      failure ??= refusal
      // It has heard one that it need not follow: asking again would change nothing.
      if (!refusal || refusal.code === 'NOT_PERMITTED') await told(state, device.zone, signed)
    }
    if (failure) throw failure
  } finally {
    busy.delete(name)
  }
}

/** What the device says against it, which may be another thing with the next; null where nothing. Fails where it is not there. */
async function refusalOf(telling: Promise<void>): Promise<BoxError | null> {
  try {
    await telling
    return null
  } catch (error) {
    if (error instanceof BoxError && error.family !== 'unreachable') return error
    throw error
  }
}

async function tellOne(
  context: Context,
  device: Device,
  signed: Uint8Array,
  timeoutMs?: number,
): Promise<void> {
  const { clock, signal } = context
  const options = { service: 'control', ...(timeoutMs && { timeoutMs }) } as const
  await askRevoke(await reach(context, device, options), signed, { clock, signal })
}

/** The host key that came with the verdict, where it is the one in the record. */
export function toldHostKey(
  payload: Uint8Array,
  { hostKey }: Pick<DeviceRecord, 'hostKey'>,
): Uint8Array | null {
  return equalBytes(sha256(payload), hostKey) ? payload : null
}

/** A state that cannot be written is no reason to end a session that stands. */
async function remember(
  { log }: Context,
  device: Device,
  last: LastKnown,
  keep: (last: LastKnown) => Promise<void>,
): Promise<void> {
  if (isKnown(device, last)) return
  try {
    await keep(last)
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    log.note('warn', 'controller', 'not remembered', { code: error.code })
  }
}

/** Whether the same was written down, not long ago. */
function isKnown({ last: before }: Device, { record, hostKey, at }: LastKnown): boolean {
  if (before === null || !sameRecord(before.record, record)) return false
  if (hostKey && !(before.hostKey && equalBytes(before.hostKey, hostKey))) return false
  return at - before.at < REMEMBER_EVERY_MS
}
