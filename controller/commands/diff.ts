/** box diff: what a bundle would change on devices, line by line. */

import { makeOut } from '../../src/box/bundle/make-out.ts'
import { goodBundle } from '../bundle-directory.ts'
import { command } from '../command.ts'
import { showChanges } from '../push/preview.ts'
import { type Selection, selected, selecting } from '../push/selection.ts'

export const diff = command<Selection & { bundle: string }>({
  usage: 'diff <selector> <bundle>',
  examples: [['box diff @routers ./firewall', 'the differences, as diff -u shows them']],
  options: yargs =>
    selecting(yargs).positional('bundle', {
      type: 'string',
      demandOption: true,
      describe: 'a directory with bundle.yaml',
    }),
  run: async (context, args) => {
    const bundle = goodBundle(args.bundle)
    const owner = context.ego().secret
    const { random } = context
    return await showChanges(
      context,
      selected(context, args.selector),
      args,
      (device, sequence) => makeOut({ bundle, device, owner, sequence, random }),
      { differences: true },
    )
  },
})
