/** box bundle check: finds what is wrong with a bundle before a device does. */

import { openBundle, problemLine } from '../bundle-directory.ts'
import { command } from '../command.ts'

const EXIT_INVALID = 64

export const bundle = command<{ action: string; directory: string }>({
  usage: 'bundle <action> <directory>',
  examples: [['box bundle check ./firewall', 'names each mistake with its file and line']],
  options: yargs =>
    yargs
      .positional('action', {
        type: 'string',
        choices: ['check'],
        demandOption: true,
        describe: 'check: look for mistakes',
      })
      .positional('directory', {
        type: 'string',
        demandOption: true,
        describe: 'where bundle.yaml lies',
      }),
  run: async ({ output }, { directory }) => {
    const { bundle, problems } = openBundle(directory)
    for (const problem of problems) output.result(problemLine(problem), problem)
    if (!bundle) return EXIT_INVALID
    const { name, files } = bundle.manifest
    output.result(`${name}: no mistakes, ${files.length} file${files.length === 1 ? '' : 's'}.`, {
      ...{ name, files: files.length, ok: true },
    })
    return 0
  },
})
