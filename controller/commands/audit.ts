/**
 * box audit: what was done on a device, by whom. The chain of its journal is checked, also against what was
 * seen of it the last time: a journal that was cut or written anew is said to be so.
 */

import { BoxError } from '../../src/base/errors.ts'
import { checkAudit } from '../audit-check.ts'
import { command } from '../command.ts'
import { auditOf } from '../device-pages.ts'
import { table } from '../output.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const LAST = 50

export const audit = command<{ name: string; last: number; timeout: number }>({
  usage: 'audit <name>',
  examples: [
    ['box audit kitchen', 'the last fifty entries, and whether the journal is whole'],
    ['box audit kitchen --last 1000 --json', 'one JSON object an entry'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .option('last', { type: 'number', default: LAST, describe: 'so many entries at most' })
      .option('timeout', TIMEOUT),
  run: async (context, { name, last, timeout }) => {
    const { fleet, output } = context
    if (!Number.isInteger(last) || last < 1)
      throw new BoxError('INPUT_INVALID', '--last takes a whole number from 1.')
    const device = fleet.device(name)
    const entries = await auditOf(context, device, { timeoutMs: timeoutMs(timeout) }, 0)
    const shown = entries.slice(-last)
    const lines = table(
      shown.map(({ at, who, what, result, detail }) => [
        new Date(at).toISOString().slice(0, 19).replace('T', ' '),
        who || '?',
        what,
        result,
        detail,
      ]),
    )
    shown.forEach((entry, i) => {
      output.result(lines[i]!, { ...entry, at: new Date(entry.at).toISOString() })
    })
    const wrong = await checkAudit(context, device, entries)
    if (wrong) throw new BoxError('SIGNATURE_INVALID', wrong)
  },
})
