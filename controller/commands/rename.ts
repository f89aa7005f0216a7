/** box rename: another name for a device. The device is not asked: the name is ours. */

import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'

export const rename = command<{ name: string; to: string }>({
  usage: 'rename <name> <to>',
  examples: [['box rename kitchen pantry', 'kitchen is pantry from now on']],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('to', { type: 'string', demandOption: true, describe: 'its new name' }),
  run: async ({ fleet, output }, { name, to }) => {
    const device = await fleet.rename(name, to)
    output.result(`${name} is called ${device.name} now.`, {
      name: device.name,
      was: name,
      zone: zoneToText(device.zone),
    })
  },
})
