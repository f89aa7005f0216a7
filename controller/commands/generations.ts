/** box generations: the configurations that a device has been through, and which one holds. */

import { readStatus } from '../../src/box/push-report.ts'
import { command } from '../command.ts'
import { table } from '../output.ts'
import { openPushTalk } from '../push/delivery.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const generations = command<{ name: string; timeout: number }>({
  usage: 'generations <name>',
  examples: [['box generations kitchen', 'what holds, and what box rollback can go back to']],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .option('timeout', TIMEOUT),
  run: async (context, { name, timeout }) => {
    const { output, fleet } = context
    const talk = await openPushTalk(context, fleet.device(name), timeoutMs(timeout))
    try {
      const { generations, generation, open, last } = readStatus(await talk.ask('status', {}))
      const rows = table(
        generations.map(one => [
          one.number === generation ? '*' : ' ',
          String(one.number),
          one.number === 0 ? 'before the first push' : one.name,
          one.number === 0 ? '' : new Date(one.at).toISOString().slice(0, 16).replace('T', ' '),
          `${one.files} files`,
        ]),
      )
      generations.forEach((one, i) => {
        output.result(rows[i]!, { ...one, holds: one.number === generation })
      })
      if (open) output.remark(`"${open.name}" was pushed and is not confirmed yet.`)
      if (last?.is === 'put back')
        output.remark(`"${last.name}" was put back: ${last.reason ?? 'no reason is known.'}`)
    } finally {
      talk.close()
    }
    return 0
  },
})
