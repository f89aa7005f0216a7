/** The end of a key on all devices (`box revoke @all`): those that are off hear of it later. */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { signRevocation } from '../src/box/revocation.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import type { Context } from './context.ts'
import { grantsOf } from './device-pages.ts'
import { tellRevocations } from './device-session.ts'
import { PUBLISH_PATIENCE_MS, publishZone } from './names.ts'
import { inParallel } from './parallel.ts'
import { keepRevocation } from './revocations.ts'
import { tellAll } from './telling.ts'

const PARALLEL = 16

/**
 * Kept first, then said: whatever is cut off, the rest of it is done later. 0, or the gravest failure. Fails with
 * INPUT_INVALID where there are too many, STATE_UNWRITABLE.
 */
export async function revokeEverywhere(
  context: Context,
  zone: ZoneKey,
  timeoutMs: number,
): Promise<number> {
  const { fleet, clock, state, output } = context
  const devices = fleet.devices()
  const signed = signRevocation(context.ego().secret, zone, clock.now())
  await keepRevocation(state, { signed, untold: devices.map(device => device.zone) })
  output.remark(`${zoneToText(zone)} is revoked.`)
  await publishZone(context, { waitMs: PUBLISH_PATIENCE_MS })
  return await tellAll(context, devices, 'has heard it', async device => {
    await tellRevocations(context, device, timeoutMs)
  })
}

/** Whose key is meant: it is one, or somebody is called so on the devices that are reached. Fails with INPUT_INVALID. */
export async function keyOf(context: Context, person: string, timeoutMs: number): Promise<ZoneKey> {
  const zone = zoneIn(person) ?? (await heldBy(context, person, timeoutMs))
  if (equalBytes(zone, context.ego().secret.zone))
    throw new BoxError('INPUT_INVALID', 'This key is yours: see box rotate ego.')
  return zone
}

async function heldBy(context: Context, person: string, timeoutMs: number): Promise<ZoneKey> {
  const books = await inParallel(context.fleet.devices(), PARALLEL, device =>
    grantsOf(context, device, { timeoutMs }).catch(error => {
      context.signal.throwIfAborted()
      if (error instanceof BoxError) return []
      throw error
    }),
  )
  const held = books.flat().filter(({ rights, holder }) => rights.length > 0 && holder === person)
  const zones = new Map(held.map(({ zone }) => [zoneToText(zone), zone]))
  if (zones.size === 1) return [...zones.values()][0]!
  throw new BoxError(
    'INPUT_INVALID',
    zones.size === 0
      ? `Nobody called "${person}" has a grant on a device that can be reached: give the zone key.`
      : `Several are called "${person}": give the zone key.`,
  )
}

function zoneIn(text: string): ZoneKey | null {
  try {
    return zoneFromText(text)
  } catch {
    return null
  }
}
