/**
 * The end of a zone in GNS (`box revocation`): what is known of it, and telling the network by a certificate that is
 * ready. For the command and the API alike.
 */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import { workFor } from '../src/gns/revocation.ts'
import { triesFor } from '../src/gns/revocation-work.ts'
import type { Context } from './context.ts'
import { type KeptRevocation, keepRevocation, keptRevocation } from './revocation-book.ts'
import { revokedZones } from './revoked-zones.ts'

/** Of a certificate: each more doubles the work. */
export const YEARS_MAX = 8
/** From the first neighbour on: messages and blocks leave at once, and are on their way. */
const LEAVING_MS = 5_000
const ASKING_MS = 5_000
const LOOK_EVERY_MS = 100

/** A zone, and what to call it. */
export interface MeantZone {
  readonly name: string
  readonly zone: ZoneKey
}

export interface Certificate extends MeantZone {
  readonly raw: Uint8Array
  /** Null of one that is not kept here. */
  readonly kept: KeptRevocation | null
}

/** A device, a zone key, or ourselves where it is undefined. Throws DEVICE_UNKNOWN, NO_EGO. */
export function meantZone({ fleet, ego }: Context, what: string | undefined): MeantZone {
  if (what === undefined) return { name: ego().name, zone: ego().secret.zone }
  try {
    return { name: what, zone: zoneFromText(what) }
  } catch {
    return fleet.device(what)
  }
}

/** How far the work for it is here; null where none was begun. Throws STATE_UNREADABLE. */
export function workState({ state, revocationBits: bits }: Context, zone: ZoneKey) {
  const kept = keptRevocation(state, zone)
  if (!kept) return null
  const { work, years } = kept
  return {
    ready: work.isEnough(years, bits),
    years,
    tries: work.tried,
    expected_tries: triesFor(years, bits),
    // A network of a test may want none.
    done_percent: Math.min(100, Math.round((100 * work.done) / Math.max(1, workFor(years, bits)))),
  }
}

/** Whether it is revoked, by what whoever may know has said within a moment. Fails as the mesh. */
export async function askWhetherRevoked(context: Context, zone: ZoneKey) {
  const { clock, signal } = context
  const revocations = await revokedZones(context)
  revocations.ask(zone)
  const deadline = clock.elapsed() + ASKING_MS
  while (!revocations.isRevoked(zone) && clock.elapsed() < deadline) {
    await new Promise<void>(done => void clock.after(LOOK_EVERY_MS, done))
    await revocations.decided(zone, signal)
  }
  const found = revocations.find(zone)
  return {
    revoked: revocations.isRevoked(zone),
    revoked_until: found && new Date(found.until).toISOString(),
  }
}

/** That which is kept here. Throws INPUT_INVALID where it is not ready. */
export function readyCertificate(context: Context, { name, zone }: MeantZone): Certificate {
  const kept = keptRevocation(context.state, zone)
  if (!kept?.work.isEnough(1, context.revocationBits))
    throw new BoxError(
      'INPUT_INVALID',
      `There is no certificate for ${name} that is ready: box revocation make.`,
    )
  return { name, zone, raw: kept.work.certificate(kept.years)!, kept }
}

/** For good. ISO 8601: until when it says so. Fails with NO_HUB, and INPUT_INVALID where the network would not take it. */
export async function publishCertificate(
  context: Context,
  { zone, raw, kept }: Certificate,
  timeoutMs: number,
): Promise<string> {
  const { clock, state } = context
  const mesh = await context.mesh()
  const revocations = await revokedZones(context)
  const isAlone = () => !mesh.status().neighbours.some(one => one.state === 'up')
  const deadline = clock.elapsed() + timeoutMs
  while (isAlone() && clock.elapsed() < deadline)
    await new Promise<void>(done => void clock.after(LOOK_EVERY_MS, done))
  if (isAlone()) throw new BoxError('NO_HUB')
  if (!(await revocations.publish(raw)))
    throw new BoxError(
      'INPUT_INVALID',
      'Its work is not enough for this network, or its time is over.',
    )
  if (kept) await keepRevocation(state, { ...kept, published: clock.now() })
  await new Promise<void>(done => void clock.after(LEAVING_MS, done))
  return new Date(revocations.find(zone)!.until).toISOString()
}

/** As programs read which zone it is. */
export const zoneValue = ({ name, zone }: MeantZone) => ({ name, zone: zoneToText(zone) })
