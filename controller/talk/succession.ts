/**
 * A contact who has another key than we know (`box rotate ego` there): they say so on the way to us, in a letter, or in
 * the zone of the key before. The key before and the one after it have signed that, so it is believed whoever says it;
 * but not where a key on the way is revoked in GNS, since then somebody else may have signed as well. What was said
 * with them stays, and there is one line in it that tells of the key.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import { pause } from '../../src/base/clock.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { keysFrom, readSuccessionChain } from '../../src/box/succession.ts'
import { zoneType } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Revocations } from '../../src/gns/revocations.ts'
import { encodeSaying } from '../../src/social/saying.ts'
import type { Context } from '../context.ts'
import type { Contact, ContactBook } from './contact-book.ts'
import type { TalkMemory } from './memory.ts'

/** Whoever stores revocations has answered by then, where they can be asked at all. It is once for each new key. */
const REVOKED_WAIT_MS = 3_000

export type RevokedZones = Pick<Revocations, 'isRevoked' | 'ask' | 'decided'>

export interface Following {
  /** Its signal ends the waiting. */
  readonly context: Context
  readonly book: ContactBook
  readonly revocations: RevokedZones
}

/**
 * Takes the key that this leads to for that of the contact. False where it says nothing new, or is not to be believed.
 * Fails with STATE_UNREADABLE, STATE_UNWRITABLE, STATE_LOCKED, and the reason of the signal.
 */
export async function followContact(
  { context, book, revocations }: Following,
  { contact, memory }: { readonly contact: Contact; readonly memory: TalkMemory },
  chain: Uint8Array,
): Promise<boolean> {
  const { log, output, ego } = context
  const keys = chain.length === 0 ? null : keysFrom(chain, contact.zone)
  const after = keys?.at(-1)
  if (!keys || !after) return false
  // Another process of ours was quicker.
  if (!book.find(contact.zone)) return book.find(after) !== null
  const isFit = zoneType(after) === 'EDKEY' && !equalBytes(after, ego().secret.zone)
  if (!isFit || book.findEver(after)) {
    log.note('warn', 'talk', 'succession of no use', { zone: zoneToText(after) })
    return false
  }
  if (await isAnyRevoked(context, revocations, keys)) {
    log.note('warn', 'talk', 'succession of a revoked key', { zone: zoneToText(after) })
    output.remark(`${contact.name} names a new key, but the one before is revoked: not taken.`)
    return false
  }
  // Before the key, so that whoever dies in between tells it again, and not never.
  const { number } = readSuccessionChain(chain, null).at(-1)!
  await memory.note(number, encodeSaying({ is: 'succession', chain }))
  if (!(await book.succeed(contact.zone, after))) return book.find(after) !== null
  // What waits where the old key led is said again, and their cards begin anew.
  await memory.change(state => [
    undefined,
    { ...state, theirs: {}, isAgain: contact.relays.length > 0 },
  ])
  output.remark(`${contact.name} has a new key, signed by the one before: ${zoneToText(after)}`)
  return true
}

/** Asks those who may know, the first time, and does not wait for long. */
async function isAnyRevoked(
  { clock, signal }: Context,
  revocations: RevokedZones,
  keys: readonly ZoneKey[],
): Promise<boolean> {
  for (const key of keys) revocations.ask(key)
  await pause(clock, REVOKED_WAIT_MS, signal)
  signal.throwIfAborted()
  for (const key of keys) await revocations.decided(key, signal)
  return keys.some(key => revocations.isRevoked(key))
}
