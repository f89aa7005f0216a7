/** box hub: the hubs this controller uses besides those its devices tell it of. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import { addHub, addressesOf, peerOf, readHubs, removeHub } from '../hubs.ts'

export const hub = command<{ action: 'add' | 'ls' | 'rm'; hub: string | undefined }>({
  usage: 'hub <action> [hub]',
  examples: [
    ['box hub add gnunet://hello/…', 'uses this hub from now on (box-agent status prints the URL)'],
    ['box hub ls', 'lists them'],
    ['box hub rm 7Q3X', 'forgets the one whose peer begins so'],
  ],
  options: yargs =>
    yargs
      .positional('action', {
        choices: ['add', 'ls', 'rm'] as const,
        demandOption: true,
        describe: 'what to do',
      })
      .positional('hub', { type: 'string', describe: 'a HELLO URL; for rm its first letters do' }),
  run: async ({ state, output }, { action, hub }) => {
    if (action === 'ls') {
      for (const hello of readHubs(state)) output.result(hello, { peer: peerOf(hello), hello })
      return
    }
    if (!hub) throw new BoxError('INPUT_INVALID', `Say which hub to ${action}.`)
    if (action === 'add') {
      const peer = peerOf(hub).slice(0, 4)
      if (addressesOf(hub) === '')
        throw new BoxError('INPUT_INVALID', `No address is told at which to dial ${peer}.`)
      await addHub(state, hub)
    }
    const hello = action === 'add' ? hub : await removeHub(state, hub)
    output.result(`${peerOf(hello).slice(0, 4)} is ${action === 'add' ? 'used' : 'forgotten'}.`, {
      peer: peerOf(hello),
      hello,
    })
  },
})
