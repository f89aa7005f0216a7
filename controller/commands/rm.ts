/** box rm: forgets a device. What the device knows of us stays there until it is told otherwise. */

import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { PUBLISH_PATIENCE_MS, publishZone } from '../names.ts'
import { dropDesired } from '../push/desired.ts'

export const rm = command<{ name: string; lost: boolean }>({
  usage: 'rm <name>',
  examples: [
    ['box rm kitchen', 'kitchen is no device of yours any more'],
    ['box rm kitchen --lost', 'nor does its name lead to whoever has it now'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .option('lost', {
        type: 'boolean',
        default: false,
        describe: 'it is in other hands: take its name out of the mesh at once',
      }),
  run: async (context, { name, lost }) => {
    const { fleet, output, state } = context
    const { name: gone, zone } = await fleet.remove(name)
    await dropDesired(state, zone)
    output.result(`${gone} is forgotten.`, { name: gone, zone: zoneToText(zone) })
    if (lost) await publishZone(context, { waitMs: PUBLISH_PATIENCE_MS })
    else output.remark('It still trusts your key: `box-agent reset` on the device ends that.')
  },
})
