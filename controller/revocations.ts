/**
 * Keys that we have revoked on all devices: said in our zone, and to each device when it is reached. The list
 * stays, so that a device that was off for long finds it.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { NOTICES_MAX, type OwnerNotice } from '../src/box/owner-notices.ts'
import { type Revocation, readRevocation, signRevocation } from '../src/box/revocation.ts'
import type { ZoneSecret } from '../src/crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import type { State } from './state.ts'

const FILE = 'revocations'
const VERSION = 1

export interface KeptRevocation {
  readonly signed: Uint8Array
  /** Devices that have not heard of it. */
  readonly untold: readonly ZoneKey[]
}

/** Throws STATE_UNREADABLE. */
export function revocations(state: State): readonly KeptRevocation[] {
  const text = state.readText(FILE)
  if (text === null) return []
  try {
    const { version, revocations: all } = JSON.parse(text) as Record<string, unknown>
    if (version !== VERSION || !Array.isArray(all)) throw new TypeError('no list of revocations')
    return all.map(entry => {
      const { signed, untold } = entry as Record<string, unknown>
      if (typeof signed !== 'string' || !Array.isArray(untold)) throw new TypeError('no revocation')
      const bytes = Uint8Array.from(Buffer.from(signed, 'base64'))
      readRevocation(bytes)
      return { signed: bytes, untold: untold.map(zone => zoneFromText(String(zone))) }
    })
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `The list of revoked keys (${FILE}) is damaged.`, cause)
  }
}

/** What our zone says of them. Throws STATE_UNREADABLE. */
export const revocationNotices = (state: State, own: ZoneSecret): readonly OwnerNotice[] =>
  revocations(state).map(({ signed }) => ({ is: 'revocation', signed: byUs(signed, own) }))

/** Keeps one, in place of an earlier one of the same key. Fails with LIMIT_EXCEEDED, STATE_UNWRITABLE. */
export const keepRevocation = (state: State, kept: KeptRevocation): Promise<void> =>
  change(state, all => {
    const revoked = revokedBy(kept)
    const others = all.filter(one => revokedBy(one) !== revoked)
    if (others.length >= NOTICES_MAX)
      throw new BoxError('INPUT_INVALID', `There are ${NOTICES_MAX} revoked keys already.`)
    return [...others, kept]
  })

/** Which statements this device has not heard. Throws STATE_UNREADABLE. */
export const untoldTo = (state: State, device: ZoneKey, own: ZoneSecret): readonly Uint8Array[] =>
  revocations(state).flatMap(({ signed, untold }) =>
    includes(untold, device) ? [byUs(signed, own)] : [],
  )

/** It has heard this one. Fails with STATE_UNWRITABLE. */
export async function told(state: State, device: ZoneKey, heard: Uint8Array): Promise<void> {
  const { revoked, number } = readRevocation(heard)
  // We may have signed it anew.
  const isIt = (one: Revocation) => one.number === number && equalBytes(one.revoked, revoked)
  await change(state, all =>
    all.map(kept => {
      if (!isIt(readRevocation(kept.signed))) return kept
      return { ...kept, untold: kept.untold.filter(zone => !equalBytes(zone, device)) }
    }),
  )
}

/** Of a device that has another key: it has heard what it had heard. To be called under the lock of the state. */
export function withZone(state: State, before: ZoneKey, after: ZoneKey): void {
  const all = revocations(state)
  if (!all.some(({ untold }) => includes(untold, before))) return
  write(
    state,
    all.map(({ signed, untold }) => ({
      signed,
      untold: untold.map(zone => (equalBytes(zone, before) ? after : zone)),
    })),
  )
}

/** The same by the key that we have now: what one before it has signed counts no longer. */
function byUs(signed: Uint8Array, own: ZoneSecret): Uint8Array {
  const { issuer, revoked, number } = readRevocation(signed)
  return equalBytes(issuer, own.zone) ? signed : signRevocation(own, revoked, number)
}

const revokedBy = ({ signed }: KeptRevocation): string => zoneToText(readRevocation(signed).revoked)
const includes = (zones: readonly ZoneKey[], zone: ZoneKey): boolean =>
  zones.some(one => zoneToText(one) === zoneToText(zone))

async function change(
  state: State,
  edit: (all: readonly KeptRevocation[]) => readonly KeptRevocation[],
): Promise<void> {
  await state.exclusively(() => {
    const before = revocations(state)
    const all = edit(before)
    if (before.length > 0 || all.length > 0) write(state, all)
  })
}

function write(state: State, all: readonly KeptRevocation[]): void {
  const entries = all.map(({ signed, untold }) => ({
    signed: Buffer.from(signed).toString('base64'),
    untold: untold.map(zoneToText),
  }))
  state.writeText(FILE, `${JSON.stringify({ version: VERSION, revocations: entries })}\n`)
}
