/** box rm: forgets a device. What the device knows of us stays there until it is told otherwise. */

import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'

export const rm = command<{ name: string }>({
  usage: 'rm <name>',
  examples: [['box rm kitchen', 'kitchen is no device of yours any more']],
  options: yargs =>
    yargs.positional('name', { type: 'string', demandOption: true, describe: 'which device' }),
  run: async ({ fleet, output }, { name }) => {
    const { name: gone, zone } = await fleet.remove(name)
    output.result(`${gone} is forgotten.`, { name: gone, zone: zoneToText(zone) })
    output.remark('It still trusts your key: `box-agent reset` on the device ends that.')
  },
})
