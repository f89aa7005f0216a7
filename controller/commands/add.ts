/** box add: takes in a device by its zone key, where its owner has granted us something. */

import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { publishZone } from '../names.ts'

export const add = command<{ zone: string; as: string }>({
  usage: 'add <zone>',
  examples: [
    ['box add 000G0… --as hut', 'the device whose owner ran `box grant`, which showed this line'],
  ],
  options: yargs =>
    yargs
      .positional('zone', {
        type: 'string',
        demandOption: true,
        describe: 'the zone key of the device',
      })
      .option('as', { type: 'string', demandOption: true, describe: 'what to call it' }),
  run: async (context, { zone: text, as: name }) => {
    const { fleet, clock, output } = context
    const zone = zoneFromText(text)
    context.ego()
    await fleet.add({ name, zone, tags: [], pairedAt: clock.now(), last: null })
    await publishZone(context)
    output.result(`${name} is among your devices.`, { name, zone: zoneToText(zone) })
  },
})
