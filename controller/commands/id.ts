/** box id: who this controller is. */

import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'

export const id = command({
  usage: 'id',
  examples: [['box id', 'prints your zone: NAME.zone is your device for everybody']],
  options: yargs => yargs,
  run: async ({ ego, output }) => {
    const { name, secret } = ego()
    const id = zoneToText(secret.zone)
    output.result(id, { ego: name, id })
  },
})
