/** A bundle brought to one device, and one device taken back to an earlier configuration; for commands and the API alike. */

import type { Bundle } from '../../src/box/bundle/bundle.ts'
import { LIMITS } from '../../src/box/bundle/limits.ts'
import { type MadeOut, makeOut } from '../../src/box/bundle/make-out.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { type Delivered, deliver, type Following, handOver, nextSequence } from './delivery.ts'
import { keepDesired, secondsOf } from './desired.ts'
import { leaveWithRelays } from './relays.ts'

/** The bundle as it is signed for this device. Throws BUNDLE_INVALID where the device lacks a value. */
export const made = (context: Context, bundle: Bundle, device: Device, sequence: number): MadeOut =>
  makeOut({ bundle, device, owner: context.ego().secret, sequence, random: context.random })

/** Where the device is off, it is kept for it: here, and with relays. */
export async function bringTo(
  context: Context,
  bundle: Bundle,
  device: Device,
  following: Following,
): Promise<Delivered> {
  const delivered = await deliver(context, device, following, async (talk, status, progress) => {
    const release = made(context, bundle, device, nextSequence(context.clock.now(), status))
    await handOver(talk, release)
    const answer = talk.ask('apply', {}, progress)
    return { answer, lastsMs: secondsOf(release.release) * 1_000 }
  })
  if (delivered.is !== 'offline') return delivered
  const sequence = context.clock.now()
  const later = made(context, bundle, device, sequence)
  await keepDesired(context.state, device.zone, later)
  const relays = await leaveWithRelays(context, device, { ...later, sequence }, following.timeoutMs)
  return { ...delivered, relays }
}

/** To the generation, or to the one before where that is null. */
export const takeBack = (
  context: Context,
  device: Device,
  generation: number | null,
  following: Following,
): Promise<Delivered> =>
  deliver(context, device, following, async (talk, _status, said) => ({
    answer: talk.ask('back', { generation }, said),
    lastsMs: LIMITS.confirmSeconds * 1_000,
  }))
