/** box name: what a name of the GNU Name System has, asked of the mesh and verified here. */

import { zoneToText } from '../../src/gns/name.ts'
import { recordText, typeName } from '../../src/gns/record-text.ts'
import { command } from '../command.ts'
import { lookUp } from '../name-lookup.ts'
import { timeoutMs } from '../timeout.ts'

/** Enough for a slow mesh to answer for each of a few labels. */
const TIMEOUT_S = 10

interface Arguments {
  readonly name: string
  readonly type: string | undefined
  readonly timeout: number
}

export const name = command<Arguments & { action: 'lookup' }>({
  usage: 'name <action> <name> [type]',
  examples: [
    ['box name lookup kitchen.home', 'prints the records of your device kitchen'],
    ['box name lookup www.000G00… A', 'prints only the addresses, of anybody’s name'],
  ],
  options: yargs =>
    yargs
      .positional('action', {
        choices: ['lookup'] as const,
        demandOption: true,
        describe: 'what to do',
      })
      .positional('name', {
        type: 'string',
        demandOption: true,
        describe: 'a name that ends in your own, or in the id of a zone',
      })
      .positional('type', { type: 'string', describe: 'TXT, A, AAAA, SSHFP, …; otherwise all' })
      .option('timeout', {
        type: 'number',
        default: TIMEOUT_S,
        describe: 'give up after so many seconds without an answer',
      }),
  run: async (context, args) => {
    const { output } = context
    const limits = { timeoutMs: timeoutMs(args.timeout) }
    const { records, zone } = await lookUp(context, args.name, args.type ?? null, limits)
    for (const { type, data, expiresAt } of records) {
      const value = recordText(type, data)
      // Whoever asks for one type wants to use the value.
      output.result(args.type === undefined ? `${typeName(type)} ${value}` : value, {
        name: args.name,
        type: typeName(type),
        value,
        zone: zoneToText(zone),
        expires_at: new Date(expiresAt).toISOString(),
      })
    }
  },
})
