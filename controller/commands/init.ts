/** box init: makes the identity that devices will know. */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { daemonEgo } from '../daemon-egos.ts'
import { keepEgo, makeEgo, newEgo } from '../ego.ts'
import { nameOf } from '../fleet.ts'
import { makeSshKey } from '../ssh-key.ts'

export const init = command<{ ego: string; 'gnunet-ego': string | undefined }>({
  usage: 'init',
  examples: [
    ['box init', 'makes an identity called "home"'],
    ['box init --ego office', 'calls it "office": its devices are NAME.office'],
    ['box init --mesh gnunet --gnunet-ego alice', 'is the ego "alice" of gnunet-identity'],
  ],
  options: yargs =>
    yargs
      .option('ego', {
        type: 'string',
        default: 'home',
        describe: 'what you call yourself; the last part of the names of your devices',
      })
      .option('gnunet-ego', {
        type: 'string',
        describe: 'be this ego of the GNUnet installed here, under its name (with --mesh gnunet)',
      }),
  run: async (context, args) => {
    const { state, random, output } = context
    const known = args['gnunet-ego']
    const ego =
      known === undefined
        ? await makeEgo(state, args.ego, random)
        : await keepEgo(state, newEgo(nameOf(known), await egoOfDaemon(context, known)))
    await makeSshKey(state, random)
    const id = zoneToText(ego.secret.zone)
    output.result(id, { ego: ego.name, id })
    output.remark(`This is you. Your keys lie in ${state.directory}: whoever has them is you.`)
  },
})

/** Fails as daemonEgo, and with INPUT_INVALID where no daemon is used. */
async function egoOfDaemon({ mesh }: Context, name: string): Promise<ZoneSecret> {
  const { names } = await mesh()
  if (!names) throw new BoxError('INPUT_INVALID', '--gnunet-ego needs --mesh gnunet.')
  return await daemonEgo(names, name)
}
