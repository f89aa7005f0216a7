/** box init: makes the identity that devices will know. */

import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { makeEgo } from '../ego.ts'
import { makeSshKey } from '../ssh-key.ts'

export const init = command<{ ego: string }>({
  usage: 'init',
  examples: [
    ['box init', 'makes an identity called "home"'],
    ['box init --ego office', 'calls it "office": its devices are NAME.office'],
  ],
  options: yargs =>
    yargs.option('ego', {
      type: 'string',
      default: 'home',
      describe: 'what you call yourself; the last part of the names of your devices',
    }),
  run: async ({ state, random, output }, args) => {
    const ego = await makeEgo(state, args.ego, random)
    await makeSshKey(state)
    const id = zoneToText(ego.secret.zone)
    output.result(id, { ego: ego.name, id })
    output.remark(`This is you. Your keys lie in ${state.directory}: whoever has them is you.`)
  },
})
