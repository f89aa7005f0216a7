/** box restore: what `box backup` has saved, on a machine that has nothing yet. */

import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { BACKUP_SIZE_MAX, openBackup } from '../../src/box/backup.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { attempt } from '../../src/sys/file-store.ts'
import { command } from '../command.ts'
import { findEgo } from '../ego.ts'
import { askPassphrase } from '../passphrase.ts'
import { restoreState } from '../state-copy.ts'

export const restore = command<{ file: string }>({
  usage: 'restore <file>',
  examples: [
    ['box restore keys.backup', 'asks for the passphrase; then this machine is you'],
    ['box restore keys.backup < passphrase', 'reads it from the first line of a file'],
  ],
  options: yargs =>
    yargs.positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'what box backup has made',
    }),
  run: async (context, args) => {
    const { state, ego, fleet, output } = context
    const old = findEgo(state)
    if (old) throw new BoxError('NAME_TAKEN', `You are "${old.name}" here already: see --state.`)
    const path = resolve(args.file)
    const bytes = attempt('STATE_UNREADABLE', path, () => {
      if (statSync(path).size > 2 * BACKUP_SIZE_MAX) throw new BoxError('BACKUP_UNREADABLE')
      return new Uint8Array(readFileSync(path))
    })
    const passphrase = await askPassphrase(context, { twice: false })
    await restoreState(state, openBackup(bytes, passphrase))
    const { name, secret } = ego()
    const devices = fleet.devices()
    output.result(`You are "${name}" again, with ${devices.length} devices.`, {
      ego: name,
      id: zoneToText(secret.zone),
      devices: devices.map(({ name }) => name),
    })
    output.remark('For the stock ssh: box ssh-config --write')
    return 0
  },
})
