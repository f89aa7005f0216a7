/** A session with a device of the fleet: reached by its name, both sides proven by their zone keys. */

import { BoxError } from '../src/base/errors.ts'
import { authenticate, type Session } from '../src/box/handshake.ts'
import { type Service, servicePort } from '../src/box/ports.ts'
import type { Context } from './context.ts'
import { type Found, sameRecord, search } from './device-search.ts'
import type { Device, LastKnown } from './fleet.ts'
import { openResolver, publishZone } from './names.ts'

/** What a device said is written down again when it has changed, or is as old as this. */
const REMEMBER_EVERY_MS = 10 * 60_000

export interface DeviceSession extends Session, Omit<Found<unknown>, 'met'> {
  readonly device: Device
}

export interface ReachOptions {
  readonly service: Service
  readonly timeoutMs?: number
  /** Told to the device along with our proof. */
  readonly payload?: Uint8Array
  /** Does not use what was known before: for showing that the name alone suffices. */
  readonly forget?: boolean
  /** Writes down where it was; absent: in the fleet. */
  readonly keep?: (last: LastKnown) => Promise<void>
}

/** Fails as `search` and `authenticate`. */
export async function reach(
  context: Context,
  device: Device,
  { service, timeoutMs, payload, forget = false, keep }: ReachOptions,
): Promise<DeviceSession> {
  const { clock, random } = context
  const ego = context.ego()
  const mesh = await context.mesh()
  // Its own name is all that is asked for: the whole zone, for each device of a fleet, would be its square.
  const resolver = openResolver(mesh, clock, ego, [device])
  try {
    const { met, ...found } = await search(context, resolver, {
      called: device.name,
      name: `${device.name}.${ego.name}`,
      zone: device.zone,
      port: servicePort(service, device.zone),
      known: forget ? null : (device.last?.record ?? null),
      timeoutMs,
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
    const session = { ...met, ...found, device }
    const keepIn = keep ?? (last => context.fleet.remember(device.zone, last))
    context.meanwhile(remember(context, session, keepIn).then(() => publishOnce(context)))
    return session
  } finally {
    resolver.close()
  }
}

const publishing = new WeakMap<Context, Promise<void>>()

/** However many devices are reached at once, the names go out once. */
function publishOnce(context: Context): Promise<void> {
  const running =
    publishing.get(context) ?? publishZone(context).finally(() => publishing.delete(context))
  publishing.set(context, running)
  return running
}

/** A state that cannot be written is no reason to end a session that stands. */
async function remember(
  { clock, log }: Context,
  session: DeviceSession,
  keep: (last: LastKnown) => Promise<void>,
): Promise<void> {
  const { device, record } = session
  const at = clock.now()
  const isKnown =
    device.last !== null &&
    sameRecord(device.last.record, record) &&
    at - device.last.at < REMEMBER_EVERY_MS
  if (isKnown) return
  try {
    await keep({ record, hostKey: null, at })
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    log.note('warn', 'controller', 'not remembered', { code: error.code })
  }
}
