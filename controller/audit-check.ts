/** Whether the audit journal of a device is whole, and the one that was seen the last time. */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { AUDIT_BEGIN, type AuditEntry, type AuditHead, firstBroken } from '../src/box/audit.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Context } from './context.ts'
import type { Device } from './fleet.ts'

/** What is kept of the journal of a device: its last entry. */
export const auditHeadFile = (zone: ZoneKey): string => `audit-${zoneToText(zone)}`

/** Null where all is as it was, and follows; then the last entry is kept for the next time. */
export async function checkAudit(
  { state }: Context,
  device: Device,
  entries: readonly AuditEntry[],
): Promise<string | null> {
  const file = auditHeadFile(device.zone)
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
