/** box revoke: ends what somebody was granted on a device, or on all, and their sessions. */

import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { putOut } from '../granting.ts'
import { keyOf, revokeEverywhere } from '../key-revocation.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

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
    const { fleet, output } = context
    const options = { timeoutMs: timeoutMs(timeout) }
    if (name === '@all') {
      const zone = await keyOf(context, person, options.timeoutMs)
      return await revokeEverywhere(context, zone, options.timeoutMs)
    }
    const device = fleet.device(name)
    const { zone, holder } = await putOut(context, device, person, options)
    output.result(`${holder} may do nothing on ${device.name} any more.`, {
      ...{ device: device.name, holder, holder_zone: zoneToText(zone) },
    })
    return 0
  },
})
