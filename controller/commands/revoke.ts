/** box revoke: ends what somebody was granted on a device, and their sessions. */

import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { putOut } from '../granting.ts'
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
    const { fleet, output } = context
    const device = fleet.device(name)
    const options = { timeoutMs: timeoutMs(timeout) }
    const { zone, holder } = await putOut(context, device, person, options)
    output.result(`${holder} may do nothing on ${device.name} any more.`, {
      ...{ device: device.name, holder, holder_zone: zoneToText(zone) },
    })
  },
})
