/** box rollback: goes back to an earlier configuration of a device, under the same protection as a push. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import { takeBack } from '../push/bring.ts'
import { exitCode, tell } from '../push/report.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const rollback = command<{ name: string; generation: number | undefined; timeout: number }>({
  usage: 'rollback <name> [generation]',
  examples: [
    ['box rollback kitchen', 'goes back to the generation before'],
    ['box rollback kitchen 0', 'goes back to what was there before the first push'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('generation', { type: 'number', describe: 'see box generations' })
      .option('timeout', TIMEOUT),
  run: async (context, { name, generation = null, timeout }) => {
    const device = context.fleet.device(name)
    if (generation !== null && !(Number.isInteger(generation) && generation >= 0))
      throw new BoxError('INPUT_INVALID', 'A generation is a whole number: see box generations.')
    const progress = context.output.progress(`${name}: going back`)
    const following = { timeoutMs: timeoutMs(timeout), note: progress.now }
    const delivered = await takeBack(context, device, generation, following).finally(progress.end)
    tell(context.output, device.name, device.name.length, delivered)
    return exitCode([delivered], 0)
  },
})
