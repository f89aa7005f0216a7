/** box backup: keys, devices and settings as one encrypted file. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { isBackup, sealBackup } from '../../src/box/backup.ts'
import { attempt, replaceFile } from '../../src/sys/file-store.ts'
import { command } from '../command.ts'
import { askPassphrase } from '../passphrase.ts'
import { stateFiles } from '../state-copy.ts'

export const backup = command<{ file: string }>({
  usage: 'backup <file>',
  examples: [
    ['box backup keys.backup', 'asks for a passphrase; without it nobody can read the file'],
    ['box backup keys.backup < passphrase', 'reads the passphrase from the first line of a file'],
  ],
  options: yargs =>
    yargs.positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'where to; an older backup is replaced, any other file is not',
    }),
  run: async (context, args) => {
    const { state, ego, fleet, random, output } = context
    ego() // Who has none has nothing to save.
    const path = resolve(args.file)
    attempt('STATE_UNREADABLE', path, () => mustBeOurs(path))
    const passphrase = await askPassphrase(context, { twice: true })
    const files = stateFiles(state)
    const sealed = sealBackup(files, passphrase, random)
    attempt('STATE_UNWRITABLE', path, () =>
      replaceFile(path, join(dirname(path), `.new-${process.pid}.backup`), sealed),
    )
    const devices = fleet.devices().length
    output.result(`Saved to ${path}: your identity, ${devices} devices.`, {
      file: path,
      size: sealed.length,
      devices,
      files: [...files.keys()],
    })
    output.remark('Whoever has it and the passphrase is you. Keep it somewhere else.')
    return 0
  },
})

function mustBeOurs(path: string): void {
  if (existsSync(path) && !isBackup(readFileSync(path)))
    throw new BoxError('INPUT_INVALID', `${path} is there, and is no backup.`)
}
