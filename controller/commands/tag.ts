/** box tag: marks devices, so that one word means many. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'

export const tag = command<{ name: string; changes: string[] }>({
  usage: 'tag <name> <changes..>',
  examples: [['box tag kitchen +lab -old', 'kitchen is one of @lab, and none of @old']],
  dashedWords: true,
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('changes', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: '+TAG adds a tag, -TAG takes it away',
      }),
  run: async ({ fleet, output }, { name, changes }) => {
    const wrong = changes.find(change => !/^[+-]./.test(change))
    if (wrong) throw new BoxError('INPUT_INVALID', `"${wrong}" begins with neither + nor -.`)
    const those = (sign: string) =>
      changes.filter(change => change.startsWith(sign)).map(change => change.slice(1))
    const device = await fleet.tag(name, those('+'), those('-'))
    const shown = device.tags.map(tag => `@${tag}`).join(' ') || 'no tags'
    output.result(`${device.name}: ${shown}`, { name: device.name, tags: device.tags })
  },
})
