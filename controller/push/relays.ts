/**
 * Leaves what a device that is off shall have with the relays of the fleet, which hand it over when it asks, with
 * no controller there. A relay is a device of the fleet with the tag `relay`; it cannot read what it keeps.
 */

import { BoxError } from '../../src/base/errors.ts'
import { type Parcel, packParcel } from '../../src/box/bundle/parcel.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import type { Device } from '../fleet.ts'

export const RELAY_TAG = 'relay'

/** The names of the relays that keep it; what goes wrong is told, and nothing more: `box sync` is left. */
export async function leaveWithRelays(
  context: Context,
  device: Device,
  { signed, contents, sequence }: Parcel & { readonly sequence: number },
  timeoutMs: number,
): Promise<readonly string[]> {
  const { fleet, random, output } = context
  const relays = fleet
    .devices()
    .filter(({ tags, name }) => tags.includes(RELAY_TAG) && name !== device.name)
  if (relays.length === 0) return []
  const parcel = packParcel({ signed, contents }, device.zone, random)
  if (!parcel) {
    output.remark(`${device.name}: too large for a relay; box sync brings it.`)
    return []
  }
  const about = { device: zoneToText(device.zone), sequence }
  const kept = await Promise.all(
    relays.map(async relay => {
      try {
        const { channel } = await reach(context, relay, { service: 'relay', timeoutMs })
        const talk = new PushTalk(channel, context.clock, context.signal)
        try {
          await talk.give('deposit', parcel, about)
        } finally {
          talk.close()
        }
        return [relay.name]
      } catch (error) {
        context.signal.throwIfAborted()
        if (!(error instanceof BoxError)) throw error
        output.remark(`${device.name}: the relay ${relay.name} did not take it: ${error.message}`)
        return []
      }
    }),
  )
  return kept.flat()
}
