/** box-agent put-back: puts back a change that was not confirmed, where no agent does. */

import { silentLog } from '../../src/base/log.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { realDisk } from '../../src/sys/disk.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { command } from '../command.ts'
import { guard } from '../guard.ts'

export const putBack = command({
  name: 'put-back',
  describe: 'put back a pushed change that nobody confirmed, where the agent does not run',
  examples: [['box-agent put-back', 'when the agent does not start any more after a push']],
  options: {
    wait: {
      type: 'boolean',
      default: false,
      describe: 'first give the agent the time to do it (how the agent itself calls this)',
    },
  },
  run: async ({ directory, terminal, signal }, { wait }) => {
    const parts = { directory, disk: realDisk, clock: systemClock, random: systemRandom }
    const done = await guard({ ...parts, log: silentLog, signal }, { wait })
    terminal.say(done ? 'The change was put back.' : 'No change is open.', { put_back: done })
  },
})
