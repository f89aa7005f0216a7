/** box approvals: what waits on devices until another person approves it. */

import { requestLines, requestValue, waitingOnEach } from '../approving.ts'
import { command } from '../command.ts'
import { selectOrAll } from '../selector.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const approvals = command<{ selector: string | undefined; timeout: number }>({
  usage: 'approvals [selector]',
  examples: [
    ['box approvals', 'what waits on any of your devices, yours or for you to approve'],
    ['box approvals @routers --json', 'one JSON object for each request'],
  ],
  options: yargs =>
    yargs
      .positional('selector', { type: 'string', describe: 'a name, or @tag; all without it' })
      .option('timeout', TIMEOUT)
      .epilogue('What is asked for by box exec --two, or by somebody whose grant demands it.'),
  run: async (context, { selector, timeout }) => {
    const { output } = context
    const devices = selectOrAll(context, selector)
    const progress = output.progress('asking the devices')
    const options = { timeoutMs: timeoutMs(timeout) }
    const answers = await waitingOnEach(context, devices, options).finally(progress.end)
    let exitCode = 0
    for (const { device, waiting, error } of answers) {
      if (error) exitCode = Math.max(exitCode, output.problem(device.name, error))
      for (const request of waiting) {
        const lines = requestLines(request, device.name)
        const whose = request.mayApprove ? [] : ['  yours: it takes another person']
        output.result([...lines, ...whose].join('\n'), requestValue(request, device.name))
      }
    }
    const count = answers.reduce((sum, { waiting }) => sum + waiting.length, 0)
    if (count === 0 && devices.length > 0) output.remark('Nothing waits.')
    return exitCode
  },
})
