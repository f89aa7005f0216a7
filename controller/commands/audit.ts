/**
 * box audit: what was done on a device, by whom. The chain of its journal is checked, also against what was
 * seen of it the last time: a journal that was cut or written anew is said to be so.
 */

import { BoxError } from '../../src/base/errors.ts'
import { AUDIT_BEGIN, type AuditEntry, type AuditHead, firstBroken } from '../../src/box/audit.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { auditOf } from '../device-pages.ts'
import type { Device } from '../fleet.ts'
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
    const wrong = await check(context, device, entries)
    if (wrong) throw new BoxError('SIGNATURE_INVALID', wrong)
  },
})

/** Null where all is as it was, and follows; then the last entry is kept for the next time. */
async function check(
  { state }: Context,
  device: Device,
  entries: readonly AuditEntry[],
): Promise<string | null> {
  const file = `audit-${zoneToText(device.zone)}`
  const seen = readHead(state.readText(file))
  const first = entries[0]
  if (!first) return seen.number > 0 ? 'The journal is empty, and was not before.' : null
  // What came before the first one has been compacted away; its hash is in the first one's, unknown to us.
  const broken = firstBroken(first, entries.slice(1))
  if (broken !== null) return `The journal is broken before entry ${broken}.`
  if (first.number === 1 && firstBroken(AUDIT_BEGIN, entries) !== null)
    return 'The journal does not begin as it should.'
  const same = entries.find(({ number }) => number === seen.number)
  const last = entries.at(-1)!
  if (last.number < seen.number || (same && same.hash !== seen.hash))
    return `The journal is not the one of before: entry ${seen.number} is missing or another.`
  const head = JSON.stringify({ number: last.number, hash: last.hash })
  await state.exclusively(() => state.writeText(file, head))
  return null
}

function readHead(text: string | null): AuditHead {
  if (text === null) return AUDIT_BEGIN
  try {
    const { number, hash } = JSON.parse(text) as Partial<AuditHead>
    if (typeof number === 'number' && typeof hash === 'string') return { number, hash }
  } catch {
    // Told below.
  }
  throw new BoxError('STATE_UNREADABLE', 'What was seen of the audit journal is damaged.')
}
