/** box-agent reset: makes the device nobody's again, with a new identity. */

import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { realDisk } from '../../src/sys/disk.ts'
import { fileStore } from '../../src/sys/file-store.ts'
import { controlSocket } from '../../src/sys/paths.ts'
import { lockState } from '../../src/sys/state-lock.ts'
import { command } from '../command.ts'
import { order } from '../local-control.ts'
import { wipe } from '../wipe.ts'

export const reset = command({
  name: 'reset',
  describe: 'forget owners and identity; only the settings stay',
  examples: [
    ['box-agent reset --yes', 'nobody reaches the device any more until it is paired again'],
  ],
  options: {
    yes: { type: 'boolean', default: false, describe: 'yes, I mean it' },
  },
  run: async ({ directory, terminal, signal }, { yes }) => {
    if (!yes)
      throw new BoxError(
        'INPUT_INVALID',
        'This ends the access of every owner for good: add --yes if you mean it.',
      )
    try {
      await order(controlSocket(directory), { do: 'reset' }, () => {}, signal)
    } catch (error) {
      if (!(error instanceof BoxError) || error.code !== 'AGENT_NOT_RUNNING') throw error
      const lock = lockState(directory)
      try {
        wipe(fileStore(directory), name => realDisk.removeTree(join(directory, name)))
      } finally {
        lock.release()
      }
    }
    terminal.say('The device has no owner and a new identity.', { reset: true })
  },
})
