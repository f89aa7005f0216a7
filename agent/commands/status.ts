/** box-agent status: what the agent on this machine is doing. */

import { BoxError } from '../../src/base/errors.ts'
import { controlSocket } from '../../src/sys/paths.ts'
import { type AgentStatus, statusText } from '../agent-status.ts'
import { command } from '../command.ts'
import { order } from '../local-control.ts'

export const status = command({
  name: 'status',
  describe: 'say how the agent on this machine is doing',
  examples: [['box-agent status --json', 'also tells the HELLO URL by which others use this hub']],
  options: {},
  run: async ({ directory, terminal, signal }) => {
    const heard = (value: object) => terminal.say(statusText(value as AgentStatus), value)
    try {
      await order(controlSocket(directory), { do: 'status' }, heard, signal)
    } catch (error) {
      if (error instanceof BoxError && error.code === 'AGENT_NOT_RUNNING' && terminal.json)
        terminal.say('', { running: false })
      throw error
    }
  },
})
