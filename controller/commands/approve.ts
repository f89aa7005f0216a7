/** box approve: a signed yes, or no, to what somebody else asks for on a device. */

import { judge, requestLines, requestValue, waitingCalled } from '../approving.ts'
import { command } from '../command.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

interface Arguments {
  readonly name: string
  readonly id: string
  readonly deny: boolean
  readonly timeout: number
}

export const approve = command<Arguments>({
  usage: 'approve <name> <id>',
  examples: [
    ['box approve kitchen 7Q3X', 'what box approvals shows under that name is done now'],
    ['box approve kitchen 7Q3X --deny', 'it is not, and whoever asked is told so'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('id', {
        type: 'string',
        demandOption: true,
        describe: 'the first letters of its name, four at least',
      })
      .option('deny', { type: 'boolean', default: false, describe: 'say no' })
      .option('timeout', TIMEOUT)
      .epilogue(
        'It takes the right admin there, or the right to have the same done; nobody approves what they ask for.',
      ),
  run: async (context, { name, id, deny, timeout }) => {
    const { fleet, output } = context
    const device = fleet.device(name)
    const options = { timeoutMs: timeoutMs(timeout) }
    const progress = output.progress(`asking ${name}`)
    try {
      const request = await waitingCalled(context, device, id, options)
      await judge(context, device, request, { isApproved: !deny, ...options })
      const words = [deny ? 'Denied:' : 'Approved:', ...requestLines(request, name)]
      const value = { verdict: deny ? 'denied' : 'approved', ...requestValue(request, name) }
      output.result(words.join('\n'), value)
    } finally {
      progress.end()
    }
  },
})
