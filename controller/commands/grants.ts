/** box grants: who may do what on a device, as the device has it. */

import type { Grant } from '../../src/box/grant.ts'
import { scopeWords } from '../../src/box/scope.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { grantsOf } from '../device-pages.ts'
import { table } from '../output.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const grants = command<{ name: string; timeout: number }>({
  usage: 'grants <name>',
  examples: [['box grants kitchen', 'lists who may do what on kitchen, and until when']],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .option('timeout', TIMEOUT),
  run: async (context, { name, timeout }) => {
    const { fleet, clock, output } = context
    const all = await grantsOf(context, fleet.device(name), { timeoutMs: timeoutMs(timeout) })
    const now = clock.now()
    const held = all.filter(({ rights }) => rights.length > 0)
    const lines = table(
      held.map(grant => [
        grant.holder,
        grant.rights.join(','),
        scopeWords(grant.scope),
        endOf(grant, now),
        zoneToText(grant.zone),
      ]),
    )
    held.forEach((grant, i) => {
      const { holder, rights, scope, until, since } = grant
      output.result(lines[i]!, {
        ...{ holder, holder_zone: zoneToText(grant.zone), rights, scope },
        since: new Date(since).toISOString(),
        until: until === null ? null : new Date(until).toISOString(),
      })
    })
  },
})

function endOf({ until }: Grant, now: number): string {
  if (until === null) return 'until revoked'
  const day = new Date(until).toISOString().slice(0, 16).replace('T', ' ')
  return until > now ? `until ${day}` : `ended ${day}`
}
