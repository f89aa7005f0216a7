/**
 * A device that has another zone key than we know: it says so itself where it answers by the old one, and in the
 * zone of the old one. Both keys sign that, so it is believed whoever says it; all that we keep of the device goes on.
 */

import type { ZoneKey } from '../src/base/ids.ts'
import { readNotices } from '../src/box/owner-notices.ts'
import { keysFrom } from '../src/box/succession.ts'
import type { RecordData } from '../src/gns/record.ts'
import { auditHeadFile } from './audit-check.ts'
import type { Context } from './context.ts'
import type { Device } from './fleet.ts'
import { desiredFile } from './push/desired.ts'
import { withZone } from './revocations.ts'
import { RoomBook } from './room/book.ts'
import type { State } from './state.ts'
import { statusFile } from './status-memory.ts'

/** What the records of a device's zone say of a key after it; empty where they say nothing. */
export const chainIn = (records: readonly RecordData[]): Uint8Array =>
  readNotices(records).find(({ is }) => is === 'succession')?.signed ?? new Uint8Array(0)

/**
 * Takes the key that this leads to for that of the device. False where it says nothing new, or is not to be
 * believed. Fails with STATE_UNWRITABLE, STATE_LOCKED.
 */
export async function followDevice(
  context: Context,
  { name, zone }: Device,
  chain: Uint8Array,
): Promise<boolean> {
  const { state, output, log } = context
  if (chain.length === 0) return false
  const keys = keysFrom(chain, zone)
  const after = keys?.at(-1)
  if (!keys || !after) {
    log.note('warn', 'controller', 'succession not believed', { device: name })
    return false
  }
  let isNew = false
  // We may know it by one between by now: an older notice, which led there, is heard of beside this one.
  for (const before of keys.slice(0, -1)) {
    isNew = await succeed(context, before, after)
    await new RoomBook(state).succeed(before, after)
    if (!isNew) continue
    // Until here a crash leaves what was: it is heard of again.
    await state.exclusively(() => {
      for (const fileOf of FILES) state.remove(fileOf(before))
    })
    break
  }
  if (isNew) output.remark(`${name} has a new key, signed by the one before.`)
  return isNew
}

/** What is kept of a device by its key. */
const FILES = [statusFile, auditHeadFile, desiredFile]

const succeed = ({ fleet, state }: Context, before: ZoneKey, after: ZoneKey): Promise<boolean> =>
  fleet.succeed(before, after, () => {
    for (const fileOf of FILES) copy(state, fileOf(before), fileOf(after))
    withZone(state, before, after)
  })

function copy(state: State, from: string, to: string): void {
  const text = state.readText(from)
  if (text !== null) state.writeText(to, text)
}
