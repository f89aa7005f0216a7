/** box ssh-config: the stock ssh, and all that builds on it, reaches devices as NAME.box. */

import { homedir } from 'node:os'
import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import { KNOWN_HOSTS_FILE } from '../fleet.ts'
import { SSH_KEY_FILE } from '../ssh-key.ts'
import { install, stanza, uninstall } from '../ssh-stanza.ts'

export const sshConfig = command<{ write: boolean; remove: boolean; 'ssh-dir': string }>({
  usage: 'ssh-config',
  examples: [
    ['box ssh-config', 'prints what ssh needs to know'],
    ['box ssh-config --write', 'ssh kitchen.box works from now on, and what builds on it'],
    ['box ssh-config --remove', 'takes it away again'],
  ],
  options: yargs =>
    yargs
      .option('write', { type: 'boolean', default: false, describe: 'put it into ~/.ssh' })
      .option('remove', { type: 'boolean', default: false, describe: 'take it out of ~/.ssh' })
      .option('ssh-dir', {
        type: 'string',
        default: join(homedir(), '.ssh'),
        defaultDescription: '~/.ssh',
        describe: 'where the configuration of ssh lies',
      }),
  run: async ({ state, ego, output, box }, args) => {
    const { directory } = state
    if (args.write && args.remove)
      throw new BoxError('INPUT_INVALID', 'Give either --write or --remove.')
    if (args.remove) {
      const gone = uninstall(args['ssh-dir'])
      output.result(gone ? 'ssh knows nothing of NAME.box any more.' : 'There was nothing.', {
        removed: gone,
      })
      return
    }
    ego()
    const text = stanza({
      box,
      identityFile: join(directory, SSH_KEY_FILE),
      knownHosts: join(directory, KNOWN_HOSTS_FILE),
    })
    if (!args.write) {
      output.result(text.trimEnd(), { stanza: text })
      return
    }
    const path = install(args['ssh-dir'], text)
    output.result(`Written to ${path}: try ssh NAME.box.`, { file: path })
  },
})
