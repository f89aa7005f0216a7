/** box revoke: ends what somebody was granted on a device, and their sessions. */

import { BoxError } from '../../src/base/errors.ts'
import { askGrant } from '../../src/box/control.ts'
import type { Grant } from '../../src/box/grant.ts'
import { signGrant } from '../../src/box/grant-statement.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { grantsOf } from '../device-pages.ts'
import { reach } from '../device-session.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const revoke = command<{ name: string; person: string; timeout: number }>({
  usage: 'revoke <name> <person>',
  examples: [['box revoke kitchen ada', 'Ada may do nothing on kitchen any more']],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('person', {
        type: 'string',
        demandOption: true,
        describe: 'as `box grants` calls them, or their zone key',
      })
      .option('timeout', TIMEOUT),
  run: async (context, { name, person, timeout }) => {
    const { fleet, clock, output, signal } = context
    const device = fleet.device(name)
    const options = { timeoutMs: timeoutMs(timeout) }
    const { zone, holder } = meant(await grantsOf(context, device, options), person)
    const signed = signGrant(context.ego().secret, {
      ...{ device: device.zone, holder: zone, number: clock.now(), until: null, name: holder },
      ...{ rights: [], scope: WHOLE_SCOPE },
    })
    const session = await reach(context, device, { service: 'control', ...options })
    await askGrant(session, signed, { clock, signal })
    output.result(`${holder} may do nothing on ${device.name} any more.`, {
      ...{ device: device.name, holder, holder_zone: zoneToText(zone) },
    })
  },
})

function meant(all: readonly Grant[], person: string): Grant {
  const held = all.filter(({ rights }) => rights.length > 0)
  const found = held.filter(({ holder, zone }) => holder === person || zoneToText(zone) === person)
  if (found.length === 1) return found[0]!
  throw new BoxError(
    'INPUT_INVALID',
    found.length === 0
      ? `Nobody called "${person}" has a grant: see box grants.`
      : `Several are called "${person}": give the zone key.`,
  )
}
