/** box revoke: ends what somebody was granted on a device, or on all, and their sessions. */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { signRevocation } from '../../src/box/revocation.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { grantsOf } from '../device-pages.ts'
import { tellRevocations } from '../device-session.ts'
import type { Device } from '../fleet.ts'
import { putOut } from '../granting.ts'
import { PUBLISH_PATIENCE_MS, publishZone } from '../names.ts'
import { inParallel } from '../parallel.ts'
import { keepRevocation } from '../revocations.ts'
import { tellAll } from '../telling.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const PARALLEL = 16

export const revoke = command<{ name: string; person: string; timeout: number }>({
  usage: 'revoke <name> <person>',
  examples: [
    ['box revoke kitchen ada', 'Ada may do nothing on kitchen any more'],
    ['box revoke @all ada', 'nor on any other device; those that are off learn it later'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device, or @all' })
      .positional('person', {
        type: 'string',
        demandOption: true,
        describe: 'as `box grants` calls them, or their zone key',
      })
      .option('timeout', TIMEOUT)
      .epilogue(
        'With @all, devices that are off learn it when they are reached, and from your zone, into which they look every\n' +
          'hour; exit code 75 says that there are such. It is for a key that is lost or stolen, yours on another machine too:\n' +
          'first `box rotate ego`, or from the machine of another owner.',
      ),
  run: async (context, { name, person, timeout }) => {
    if (name === '@all') return await revokeEverywhere(context, person, timeoutMs(timeout))
    const { fleet, output } = context
    const device = fleet.device(name)
    const options = { timeoutMs: timeoutMs(timeout) }
    const { zone, holder } = await putOut(context, device, person, options)
    output.result(`${holder} may do nothing on ${device.name} any more.`, {
      ...{ device: device.name, holder, holder_zone: zoneToText(zone) },
    })
    return 0
  },
})

/** Kept first, then said: whatever is cut off, the rest of it is done later. */
async function revokeEverywhere(
  context: Context,
  person: string,
  timeoutMs: number,
): Promise<number> {
  const { fleet, clock, state, output } = context
  const own = context.ego().secret
  const devices = fleet.devices()
  const zone = zoneIn(person) ?? (await zoneOf(context, devices, person, timeoutMs))
  if (equalBytes(zone, own.zone))
    throw new BoxError('INPUT_INVALID', 'This key is yours: see box rotate ego.')
  const signed = signRevocation(own, zone, clock.now())
  await keepRevocation(state, { signed, untold: devices.map(device => device.zone) })
  output.remark(`${zoneToText(zone)} is revoked.`)
  await publishZone(context, { waitMs: PUBLISH_PATIENCE_MS })
  return await tellAll(context, devices, 'has heard it', async device => {
    await tellRevocations(context, device, timeoutMs)
  })
}

/** The key of somebody who is called so on the devices that are reached. */
async function zoneOf(
  context: Context,
  devices: readonly Device[],
  person: string,
  timeoutMs: number,
): Promise<ZoneKey> {
  const books = await inParallel(devices, PARALLEL, device =>
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
