/** A new key of our own in place of the one before (`box rotate ego`), and telling it to all who know us by that. */

import { BoxError } from '../src/base/errors.ts'
import { askInfo } from '../src/box/control.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Context } from './context.ts'
import { reach } from './device-session.ts'
import { rotateEgo } from './ego.ts'
import { PUBLISH_PATIENCE_MS, publishZone } from './names.ts'
import { KNOWS, tellContacts, tellRooms } from './new-key.ts'
import { tellAll } from './telling.ts'

interface Options {
  readonly timeoutMs: number
  /** As soon as we have it. */
  readonly changed?: () => void
  /** Who tells contacts, where somebody here is in touch with them already. */
  readonly contacts?: () => Promise<number>
}

/** Throws NO_EGO, KEY_UNREADABLE, and INPUT_INVALID where it is not ours to change. */
export function mustBeOurs({ engine, ego }: Pick<Context, 'engine' | 'ego'>): void {
  ego()
  if (engine.mesh === 'gnunet')
    throw new BoxError('INPUT_INVALID', 'The ego is one of GNUnet: make another one there.')
}

/**
 * The key is another one at once; then whoever knows us is told, which may be cut off: who has not heard of it is told
 * later, by whatever runs. 0, or 75 where there are such. Fails as mustBeOurs, and with STATE_UNWRITABLE.
 */
export async function renewEgo(
  context: Context,
  { timeoutMs, changed = () => {}, contacts = () => tellContacts(context) }: Options,
): Promise<number> {
  const { state, random, clock, output, fleet, signal } = context
  mustBeOurs(context)
  const before = context.ego()
  const { secret } = await rotateEgo(state, random, clock.now())
  changed()
  const id = zoneToText(secret.zone)
  output.result(id, { key: 'ego', id, before: zoneToText(before.secret.zone) })
  output.remark('This is you from now on. Make a new backup: box backup FILE')
  if (fleet.devices().length > 0) await publishZone(context, { waitMs: PUBLISH_PATIENCE_MS })
  const devices = await tellAll(context, fleet.devices(), KNOWS, async device => {
    const session = await reach(context, device, { service: 'control', timeoutMs })
    await askInfo(session, { clock, signal }).catch(notPermitted)
  })
  const hosts = await tellRooms(context, timeoutMs)
  return Math.max(devices, hosts, await contacts())
}

/** Whoever was let in is known; not everybody may ask what a device is. */
function notPermitted(error: unknown): void {
  if (!(error instanceof BoxError) || error.code !== 'NOT_PERMITTED') throw error
}
