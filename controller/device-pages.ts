/** Lists that a device gives page by page: its grants, its audit journal. */

import { BoxError } from '../src/base/errors.ts'
import { type AuditEntry, parseAuditEntry } from '../src/box/audit.ts'
import { askAudit, askGrants, type Page } from '../src/box/control.ts'
import { type Grant, parseGrant } from '../src/box/grant.ts'
import type { Context } from './context.ts'
import { reach } from './device-session.ts'
import type { Device } from './fleet.ts'

/** A book of grants and a full audit journal have far fewer. */
const PAGES_MAX = 1_000

type Options = { readonly timeoutMs: number }

/** Everybody's grants, those that have ended too. Fails as `reach`, and with NOT_PERMITTED. */
export const grantsOf = async (
  context: Context,
  device: Device,
  options: Options,
): Promise<readonly Grant[]> => (await pagesOf(context, device, options, askGrants)).map(parsed)

/** The audit journal from a number on. Fails as `grantsOf`. */
export const auditOf = async (
  context: Context,
  device: Device,
  options: Options,
  from: number,
): Promise<readonly AuditEntry[]> => {
  const next = (_: number, last: unknown) => (parseAuditEntry(last)?.number ?? 0) + 1
  const all = await pages(context, device, options, from, askAudit, next)
  return all.map(value => {
    const entry = parseAuditEntry(value)
    if (entry) return entry
    throw new BoxError('STATE_UNEXPECTED', 'The device’s journal cannot be read.')
  })
}

/** A short list, from its beginning to its end. Fails as `reach`. */
export const pagesOf = (
  context: Context,
  device: Device,
  options: Options,
  ask: typeof askGrants,
): Promise<readonly unknown[]> => pages(context, device, options, 0, ask, from => from)

function parsed(value: unknown): Grant {
  try {
    return parseGrant(value)
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'The device’s grants cannot be read.', cause)
  }
}

/** A channel of its own for each page: a dialogue is short. */
async function pages(
  context: Context,
  device: Device,
  { timeoutMs }: Options,
  begin: number,
  ask: typeof askAudit,
  after: (soFar: number, last: unknown) => number,
): Promise<unknown[]> {
  const { clock, signal, output } = context
  const progress = output.progress(`asking ${device.name}`)
  const all: unknown[] = []
  try {
    let from = begin
    for (let page = 0; page < PAGES_MAX; page++) {
      const session = await reach(context, device, { service: 'control', timeoutMs })
      const { entries, more }: Page = await ask(session, from, { clock, signal })
      all.push(...entries)
      if (!more || entries.length === 0) return all
      from = after(begin + all.length, entries.at(-1))
    }
    return all
  } finally {
    progress.end()
  }
}
